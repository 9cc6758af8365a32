//! Content of requests and responses that is large, late, unread or followed by trailers.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use common::bounded::{until, within};
use common::serve::{Chunks, End, Reply, Served, count, get, post, reply, text};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use tokio::sync::{Notify, mpsc};
use wt_connection::Body;

const MEBIBYTE: usize = 1 << 20;
/// What quinn takes of one stream ahead of its reader, by this crate's default.
const WINDOW: usize = 1_250_000;

#[tokio::test]
async fn content_that_nobody_reads_does_not_hold_up_the_response() {
    within(async {
        let served = Served::by(|request: Request<Body>| async move {
            drop(request);
            Ok(reply(vec![9; 100_000]))
        });
        let client = served.client().await;

        let upload = Chunks::new(MEBIBYTE, 8, End::Whole);
        let response = post(&client, "/", upload).await.unwrap();

        assert_eq!(text(response).await, vec![9; 100_000]);
        assert_eq!(text(get(&client, "/").await.unwrap()).await.len(), 100_000);
    })
    .await;
}

#[tokio::test]
async fn a_response_may_come_before_the_request_is_complete() {
    within(async {
        let served = Served::by(|request: Request<Body>| async move {
            let mut body = request.into_body();
            let first = body.frame().await.ok_or("no frame")??;
            Ok(reply(first.into_data().unwrap_or_default()))
        });
        let client = served.client().await;

        let upload = Chunks::new(10, 1, End::Never);
        let response = post(&client, "/", upload).await.unwrap();

        assert_eq!(text(response).await, vec![7; 10]);
    })
    .await;
}

#[tokio::test]
async fn a_response_may_go_on_while_the_request_does() {
    within(async {
        let served = Served::by(|request: Request<Body>| async move {
            let body = request.into_body().map_err(Into::into);
            Ok(Response::new(body.boxed_unsync()))
        });
        let client = served.client().await;
        let (send, body) = channel();

        let mut echo = post(&client, "/", body).await.unwrap().into_body();

        for word in ["one", "two", "three"] {
            send.send(word).await.unwrap();
            let frame = echo.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), word);
        }
        drop(send);
        assert!(echo.frame().await.is_none());
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_does_not_read_holds_the_client_back() {
    within(async {
        let read = Arc::new(Notify::new());
        let held = Arc::clone(&read);
        let served = Served::by(move |request: Request<Body>| {
            let held = Arc::clone(&held);
            async move {
                held.notified().await;
                Ok(reply(count(request.into_body()).await.to_string()))
            }
        });
        let client = served.client().await;
        let upload = Chunks::new(50_000, 200, End::Whole);
        let polled = upload.polled();
        let posting = tokio::spawn(async move { post(&client, "/", upload).await });

        still(&polled).await;
        // One chunk more waits to be written, and quinn keeps some of what is.
        let written = polled.load(Ordering::Relaxed) * 50_000;
        assert!((WINDOW..2 * WINDOW).contains(&written), "{written}");
        read.notify_one();

        let response = posting.await.unwrap().unwrap();
        assert_eq!(text(response).await, (200 * 50_000).to_string());
    })
    .await;
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_handler_back() {
    within(async {
        let (tell, mut told) = mpsc::channel(1);
        let served = Served::by(move |_| {
            let body = Chunks::new(50_000, 400, End::Whole);
            tell.try_send(body.polled()).unwrap();
            async { Ok(Response::new(body.boxed_unsync())) }
        });
        let client = served.client().await;

        let response = get(&client, "/").await.unwrap();
        let polled = told.recv().await.unwrap();

        still(&polled).await;
        let written = polled.load(Ordering::Relaxed) * 50_000;
        // The client's window, and what quinn keeps to send.
        assert!((WINDOW..14_000_000).contains(&written), "{written}");
        assert_eq!(count(response.into_body()).await, 400 * 50_000);
        assert_eq!(polled.load(Ordering::Relaxed), 400);
    })
    .await;
}

#[tokio::test]
async fn much_goes_both_ways_at_once() {
    within(async {
        let served = Served::by(|request: Request<Body>| async move {
            let body = request.into_body().map_err(Into::into);
            Ok(Response::new(body.boxed_unsync()))
        });
        let client = served.client().await;

        let upload = Chunks::new(1 << 16, 32 * 16, End::Whole);
        let response = post(&client, "/", upload).await.unwrap();

        assert_eq!(count(response.into_body()).await, 32 * MEBIBYTE);
    })
    .await;
}

#[tokio::test]
async fn trailers_follow_content_both_ways() {
    within(async {
        let served = Served::by(|request: Request<Body>| async move {
            let collected = request.into_body().collect().await?;
            let trailers = collected.trailers().cloned().unwrap_or_default();
            let body = Chunks::new(5, 1, End::Trailers(trailers));
            Ok(Response::new(body.boxed_unsync()))
        });
        let client = served.client().await;
        let mut trailers = HeaderMap::new();
        trailers.insert("x-checksum", "17".parse().unwrap());

        for chunks in [0, 1] {
            let upload = Chunks::new(1000, chunks, End::Trailers(trailers.clone()));
            let response = post(&client, "/", upload).await.unwrap();

            let collected = response.into_body().collect().await.unwrap();
            assert_eq!(collected.trailers(), Some(&trailers));
            assert_eq!(collected.to_bytes(), vec![7; 5]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_reads_no_further_ends_the_response() {
    within(async {
        let (tell, mut told) = mpsc::channel(1);
        let served = Served::by(move |_| {
            let guard = common::serve::Guard(tell.clone());
            async {
                let body = Chunks::new(1000, 3, End::Never).map_frame(move |frame| {
                    let _ = &guard;
                    frame
                });
                Ok(Response::new(body.boxed_unsync())) as Result<Reply, _>
            }
        });
        let client = served.client().await;

        let mut response = get(&client, "/").await.unwrap();
        response.body_mut().frame().await.unwrap().unwrap();
        drop(response);

        assert_eq!(told.recv().await, Some("dropped"));
    })
    .await;
}

#[tokio::test]
async fn a_request_whose_response_never_comes_is_given_up_by_its_drop() {
    within(async {
        let (tell, mut told) = mpsc::channel(2);
        let served = Served::by(move |_| {
            let guard = common::serve::Guard(tell.clone());
            async move {
                guard.0.try_send("begun")?;
                pending::<()>().await;
                Ok(reply("never"))
            }
        });
        let client = served.client().await;
        let asking = tokio::spawn({
            let client = client.clone();
            async move { get(&client, "/").await.map(drop) }
        });
        assert_eq!(told.recv().await, Some("begun"));

        asking.abort();

        assert_eq!(told.recv().await, Some("dropped"));
        assert!(client.state() == wt_connection::ConnectionState::Connected);
    })
    .await;
}

/// A body whose chunks come one by one.
fn channel() -> (mpsc::Sender<&'static str>, common::serve::Content) {
    let (send, mut recv) = mpsc::channel::<&'static str>(1);
    let body = common::serve::from_fn(move |cx| {
        recv.poll_recv(cx)
            .map(|word| word.map(|word| Ok(Bytes::from(word))))
    });
    (send, body.boxed_unsync())
}

/// Waits until what is counted has not changed for long.
async fn still(counted: &AtomicUsize) {
    let (mut last, mut same) = (0, 0);
    until(|| {
        let now = counted.load(Ordering::Relaxed);
        same = if now == last { same + 1 } else { 0 };
        last = now;
        now > 0 && same > 20_000
    })
    .await;
}
