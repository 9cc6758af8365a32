//! Requests with bodies that are sent again, or are not.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

#[path = "replay/bodies.rs"]
mod bodies;
mod common;

use std::future::ready;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Layer, ServiceExt, service_fn};
use wt_retry::backoff::Constant;
use wt_retry::budget::RatioBudget;
use wt_retry::replay::{BodyError, Buffered, Replay, ReplayBody};
use wt_retry::{Reason, RetryLayer, StandardPolicy, Verdict};

use bodies::{Asked, Chunks, Hooked, Never, Unsized};
use common::{Heard, SECOND};

type Sent = Request<ReplayBody<Chunks>>;

fn request(body: Chunks, limit: usize) -> Sent {
    let mut request = Request::put("https://example.com/file")
        .body(ReplayBody::new(body, limit))
        .unwrap();
    request
        .headers_mut()
        .insert("name", HeaderValue::from_static("value"));
    request.extensions_mut().insert(7_u32);
    request
}

/// Reads up to so many frames.
fn read<B: Body<Data = Bytes> + Unpin>(body: &mut B, frames: usize) -> Result<Vec<u8>, B::Error> {
    let mut context = Context::from_waker(Waker::noop());
    let mut content = Vec::new();
    let mut left = frames;
    while left > 0 {
        match Pin::new(&mut *body).poll_frame(&mut context) {
            Poll::Ready(Some(frame)) => {
                content.extend(frame?.into_data().unwrap_or_default());
                left -= 1;
            }
            Poll::Ready(None) => break,
            Poll::Pending => {}
        }
    }
    Ok(content)
}

const ALL: usize = usize::MAX;

/// Sends `request` to a service that fails after `frames` frames of each body; says what each
/// attempt has read, and why there were no more.
async fn attempts(request: Sent, frames: usize) -> (Vec<Vec<u8>>, Option<Reason>) {
    let bodies = Heard::new();
    let reasons = Heard::new();
    let (heard, told) = (bodies.clone(), reasons.clone());
    let classify = |_: &Sent, _: Result<&(), &()>| Verdict::Retry;
    let policy = StandardPolicy::new(classify, Constant::new(SECOND)).replay(Buffered);
    let layer = RetryLayer::new(policy).observer(move |policy, _| told.hear(policy.reason()));
    let service = service_fn(move |mut request: Sent| {
        heard.hear(read(request.body_mut(), frames).unwrap_or_default());
        ready(Err::<(), _>(()))
    });
    layer.layer(service).oneshot(request).await.unwrap_err();
    (bodies.all(), reasons.all()[0])
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fits_is_sent_again() {
    let sent = attempts(request(Chunks::of(b"content"), 7), ALL).await;

    assert_eq!(sent, (vec![b"content".to_vec(); 4], Some(Reason::Attempts)));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_known_to_be_too_long_is_sent_once() {
    // Even if the first attempt has read no more than would have fitted.
    let chunks = Chunks::new([Some(b"con".to_vec()), Some(b"tent".to_vec())]);

    let sent = attempts(request(chunks, 6), 1).await;

    assert_eq!(sent, (vec![b"con".to_vec()], Some(Reason::Unreplayable)));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_turns_out_to_be_too_long_is_sent_once_and_whole() {
    let bodies = Heard::new();
    let heard = bodies.clone();
    let budget = RatioBudget::default().burst(5).floor(0);
    let classify = |_: &Request<_>, _: Result<&(), &()>| Verdict::Retry;
    let policy = StandardPolicy::new(classify, Constant::new(SECOND)).replay(Buffered);
    let service = service_fn(move |mut request: Request<ReplayBody<Unsized>>| {
        heard.hear(read(request.body_mut(), ALL).unwrap());
        ready(Err::<(), _>(()))
    });
    let chunks = Chunks::new([Some(b"con".to_vec()), Some(b"tent".to_vec())]);
    let request = Request::new(ReplayBody::new(Unsized(chunks), 6));

    let retry = RetryLayer::new(policy.budget(budget.clone())).layer(service);
    retry.oneshot(request).await.unwrap_err();

    assert_eq!(bodies.all(), [b"content"]);
    assert_eq!(budget.left(), 5);
}

#[tokio::test(start_paused = true)]
async fn no_budget_is_asked_for_a_body_that_is_too_long() {
    let reasons = Heard::new();
    let told = reasons.clone();
    let classify = |_: &Request<_>, _: Result<&(), &()>| Verdict::Retry;
    let policy = StandardPolicy::new(classify, Constant::new(SECOND)).replay(Buffered);
    let policy = policy.budget(RatioBudget::default().burst(0).floor(0));
    let layer = RetryLayer::new(policy).observer(move |policy, _| told.hear(policy.reason()));
    let service = service_fn(|mut request: Request<ReplayBody<Unsized>>| {
        read(request.body_mut(), ALL).unwrap();
        ready(Err::<(), _>(()))
    });
    let request = Request::new(ReplayBody::new(Unsized(Chunks::of(b"content")), 6));

    layer.layer(service).oneshot(request).await.unwrap_err();

    assert_eq!(reasons.all(), [Some(Reason::Unreplayable)]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_failed_is_not_sent_again() {
    let mut body = Chunks::of(b"content");
    body.fails = true;

    let (sent, reason) = attempts(request(body, 100), ALL).await;

    assert_eq!((sent.len(), reason), (1, Some(Reason::Unreplayable)));
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_an_attempt_reads_no_more_while_the_next_one_waits() {
    // A connection may still send the body of a request that nobody waits for.
    let left = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&left);
    let classify = |_: &Request<_>, result: Result<&Vec<u8>, &()>| match result {
        Ok(_) => Verdict::Return,
        Err(()) => Verdict::Retry,
    };
    let policy = StandardPolicy::new(classify, Constant::new(SECOND)).replay(Buffered);
    let service = service_fn(move |request: Request<ReplayBody<Unsized>>| {
        let mut body = request.into_body();
        let mut kept = kept.lock().unwrap();
        ready(if kept.is_some() {
            read(&mut body, ALL).map_err(drop)
        } else {
            read(&mut body, 1).unwrap();
            *kept = Some(body);
            Err(())
        })
    });
    let chunks = Chunks::new([Some(b"con".to_vec()), Some(b"tent".to_vec())]);
    let request = Request::new(ReplayBody::new(Unsized(chunks), 6));
    let mut call = task::spawn(RetryLayer::new(policy).layer(service).oneshot(request));
    assert_pending!(call.poll());

    let over = read(left.lock().unwrap().as_mut().unwrap(), ALL);
    tokio::time::advance(SECOND).await;

    assert!(matches!(over, Err(BodyError::Superseded)), "{over:?}");
    assert_eq!(assert_ready_ok!(call.poll()), b"content");
}

#[test]
fn a_saved_request_is_the_same_request() {
    let original = request(Chunks::of(b"content"), 100);

    let saved = Buffered.save(&original).unwrap();

    assert_eq!(saved.method(), original.method());
    assert_eq!(saved.uri(), original.uri());
    assert_eq!(saved.version(), original.version());
    assert_eq!(saved.headers(), original.headers());
    assert_eq!(saved.extensions().get::<u32>(), Some(&7));
    assert_eq!(saved.body().size_hint().exact(), Some(7));
}

#[test]
fn the_body_of_an_attempt_that_is_over_fails() {
    let mut first = request(
        Chunks::new([Some(vec![1]), Some(vec![2]), Some(vec![3])]),
        100,
    );
    let mut second = Buffered.save(&first).unwrap();
    assert_eq!(read(first.body_mut(), 1).unwrap(), [1]);

    assert_eq!(read(second.body_mut(), 1).unwrap(), [1]);
    let over = read(first.body_mut(), 1);

    assert!(matches!(over, Err(BodyError::Superseded)), "{over:?}");
    assert_eq!(read(second.body_mut(), ALL).unwrap(), [2, 3]);
}

#[test]
fn the_body_of_an_attempt_that_is_over_is_woken_to_fail() {
    let mut first = Request::new(ReplayBody::new(Never, 100));
    let mut second = Buffered.save(&first).unwrap();
    let mut first = task::spawn(first.body_mut().frame());
    assert_pending!(first.poll());

    let mut second = task::spawn(second.body_mut().frame());
    assert_pending!(second.poll());

    assert!(first.is_woken());
    assert!(matches!(
        first.poll(),
        Poll::Ready(Some(Err(BodyError::Superseded)))
    ));
}

#[test]
fn an_attempt_waits_while_the_body_is_read_for_the_one_before() {
    // As on another thread: the body is polled for the first attempt, and the second one comes.
    let second = Arc::new(Mutex::new(None::<task::Spawn<Frames>>));
    let other = Arc::clone(&second);
    let body = Hooked(Some(Box::new(move || {
        assert_pending!(other.lock().unwrap().as_mut().unwrap().poll_next());
    })));
    let mut first = Request::new(ReplayBody::new(body, 100));
    let saved = Buffered.save(&first).unwrap();
    *second.lock().unwrap() = Some(task::spawn(Frames(saved.into_body())));

    assert_eq!(read(first.body_mut(), 1).unwrap(), b"content");

    let mut second = second.lock().unwrap().take().unwrap();
    assert!(second.is_woken());
    let Poll::Ready(Some(Ok(frame))) = second.poll_next() else {
        panic!("the second attempt has the same");
    };
    assert_eq!(frame.into_data().unwrap(), "content");
    let over = read(first.body_mut(), 1);
    assert!(matches!(over, Err(BodyError::Superseded)), "{over:?}");
}

/// The frames of a body as a stream, which a test's task can poll.
struct Frames(ReplayBody<Hooked>);

impl futures_core::Stream for Frames {
    type Item = Result<Frame<Bytes>, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }
}

#[test]
fn a_body_is_as_long_as_before_while_it_is_read_on_another_thread() {
    // The body is asked for the rest's length after a frame of it was read and before it goes back.
    let lengths = Heard::new();
    let other = Arc::new(Mutex::new(None::<ReplayBody<Asked>>));
    let (heard, asks) = (lengths.clone(), Arc::clone(&other));
    let body = Asked {
        chunks: Chunks::new([Some(b"con".to_vec()), Some(b"tent".to_vec())]),
        hook: Box::new(move || {
            if let Some(body) = &*asks.lock().unwrap() {
                heard.hear(body.size_hint().exact());
            }
        }),
    };
    let mut first = Request::new(ReplayBody::new(body, 100));
    *other.lock().unwrap() = Some(Buffered.save(&first).unwrap().into_body());

    assert_eq!(read(first.body_mut(), 2).unwrap(), b"content");

    assert_eq!(lengths.all(), [Some(7), Some(7)]);
}

#[test]
fn a_body_that_nobody_can_send_again_is_whole_and_ends() {
    let trailers = || {
        let value = HeaderValue::from_static("value");
        HeaderMap::from_iter([(http::HeaderName::from_static("name"), value)])
    };
    for (limit, saved, with_trailers) in [
        (100, false, false),
        (100, false, true),
        (6, true, false),
        (6, true, true),
        (7, true, true),
    ] {
        let mut body = Chunks::new([Some(b"con".to_vec()), Some(b"tent".to_vec())]);
        body.trailers = with_trailers.then(trailers);
        let expected = (b"content".to_vec(), with_trailers.then(trailers));
        let mut only = Request::new(ReplayBody::new(Unsized(body), limit));
        let again = saved.then(|| Buffered.save(&only).unwrap());

        assert_eq!(whole(only.body_mut()), expected);

        assert!(only.body().is_end_stream());
        assert!(again.is_none_or(|again| !Buffered.can_resend(&again)));
    }
}

#[test]
fn an_empty_body_is_at_its_end() {
    let body = ReplayBody::new(Full::<Bytes>::default(), 0);

    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
}

/// What a frame-by-frame reading of a body gives: its bytes, and its trailers.
fn whole<B: Body<Data = Bytes> + Unpin>(body: &mut B) -> (Vec<u8>, Option<HeaderMap>)
where
    B::Error: std::fmt::Debug,
{
    let mut context = Context::from_waker(Waker::noop());
    let (mut content, mut trailers) = (Vec::new(), None);
    loop {
        match Pin::new(&mut *body).poll_frame(&mut context) {
            Poll::Ready(Some(frame)) => match frame.unwrap().into_data() {
                Ok(data) => content.extend(data),
                Err(frame) => trailers = frame.into_trailers().ok(),
            },
            Poll::Ready(None) => return (content, trailers),
            Poll::Pending => {}
        }
    }
}

proptest! {
    /// However the body is cut, wherever each attempt stops, and whether the one before is still
    /// there: the next one sends the same.
    #[test]
    fn every_attempt_sends_the_same_to_the_byte(
        chunks in prop::collection::vec(
            prop::option::weighted(0.8, prop::collection::vec(any::<u8>(), 0..20)),
            0..12,
        ),
        trailers in prop::option::of("[a-z]{0,8}"),
        stops in prop::collection::vec((0..14_usize, any::<bool>()), 0..5),
        foresees in any::<bool>(),
    ) {
        let content: Vec<u8> = chunks.iter().flatten().flatten().copied().collect();
        let trailers = trailers.map(|value| {
            let value = HeaderValue::try_from(value).unwrap();
            HeaderMap::from_iter([(http::HeaderName::from_static("checksum"), value)])
        });
        let mut body = Chunks::new(chunks);
        body.trailers.clone_from(&trailers);
        body.foresees = foresees;
        let mut current = request(body, 300);
        let mut kept = Vec::new();

        for (frames, keep) in stops {
            let next = Buffered.save(&current).unwrap();
            let part = read(current.body_mut(), frames).unwrap();
            prop_assert_eq!(&part[..], &content[..part.len()]);
            if keep {
                kept.push(current);
            }
            current = next;
        }
        let hint = current.body().size_hint();
        let last = whole(current.body_mut());

        prop_assert_eq!(hint.exact(), Some(content.len() as u64));
        prop_assert_eq!(last, (content, trailers));
        prop_assert!(current.body().is_end_stream());
    }

    /// With any limit, an attempt is whole or not made.
    #[test]
    fn a_limit_never_cuts_a_body(
        lengths in prop::collection::vec(0..20_usize, 0..8),
        limit in 0..100_usize,
        frames in 0..10_usize,
    ) {
        let chunk = |length| Some((0..length as u8).collect::<Vec<_>>());
        let content: Vec<u8> = lengths.iter().copied().flat_map(chunk).flatten().collect();
        let body = Unsized(Chunks::new(lengths.into_iter().map(chunk)));
        let mut first = Request::new(ReplayBody::new(body, limit));
        let mut second = Buffered.save(&first).unwrap();
        read(first.body_mut(), frames).unwrap();

        let sent = if Buffered.can_resend(&second) {
            read(second.body_mut(), ALL).unwrap()
        } else {
            content.clone()
        };

        prop_assert_eq!(sent, content);
    }
}
