//! What several tests share.
#![allow(dead_code, reason = "no test uses all of it")]

use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use tower::layer::layer_fn;
use tower::limit::ConcurrencyLimit;
use tower::retry::Policy;
use tower::{Layer, Service, service_fn};
use wt_retry::backoff::Constant;
use wt_retry::{StandardPolicy, Verdict};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) type Classify = fn(&&'static str, Result<&&'static str, &Failed>) -> Verdict;
pub(crate) type Standard = StandardPolicy<Classify, Constant>;

/// Fails with the verdict that the classifier is to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed: {0:?}")]
pub(crate) struct Failed(pub(crate) Verdict);

/// One second between attempts, up to four of them.
pub(crate) fn policy() -> Standard {
    StandardPolicy::new(by_error, Constant::new(SECOND))
}

pub(crate) fn by_error(_: &&'static str, result: Result<&&'static str, &Failed>) -> Verdict {
    match result {
        Ok(_) => Verdict::Return,
        Err(Failed(verdict)) => *verdict,
    }
}

/// Keeps what it hears.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard<T>(Arc<Mutex<Vec<T>>>);

impl<T: Clone> Heard<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn hear(&self, what: T) {
        self.0.lock().unwrap().push(what);
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }
}

/// A slot for each call, held from readiness until the call's future is dropped.
pub(crate) fn limited<S>(slots: &Arc<Semaphore>) -> impl Layer<S, Service = ConcurrencyLimit<S>> {
    let slots = Arc::clone(slots);
    layer_fn(move |inner| ConcurrencyLimit::with_semaphore(inner, Arc::clone(&slots)))
}

/// A service that fails by `verdicts`, one after the other, and notes when it is called.
pub(crate) fn failing(
    verdicts: impl IntoIterator<Item = Verdict>,
) -> (
    impl Service<&'static str, Response = &'static str, Error = Failed, Future: Send> + Clone,
    Heard<Duration>,
) {
    let began = Instant::now();
    let calls = Heard::new();
    let heard = calls.clone();
    let verdicts: Arc<[_]> = verdicts.into_iter().collect();
    let service = service_fn(move |_| {
        let result = match verdicts.get(heard.all().len()) {
            Some(verdict) => Err(Failed(*verdict)),
            None => Ok("answer"),
        };
        heard.hear(began.elapsed());
        ready(result)
    });
    (service, calls)
}

/// A policy of somebody else's, with a state of its own in each call.
#[derive(Clone)]
pub(crate) struct Foreign {
    left: usize,
    pub(crate) asked: usize,
}

impl Foreign {
    pub(crate) fn new(left: usize) -> Self {
        Self { left, asked: 0 }
    }
}

impl<Res, E> Policy<&'static str, Res, E> for Foreign {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut &'static str, result: &mut Result<Res, E>) -> Option<Ready<()>> {
        self.left = self.left.checked_sub(1)?;
        result.is_err().then(|| ready(()))
    }

    fn clone_request(&mut self, req: &&'static str) -> Option<&'static str> {
        self.asked += 1;
        Some(req)
    }
}
