//! No caller's code runs under a lock of the monitor: each piece of it asks for a snapshot, which
//! takes the lock, and would wait for itself for ever.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::future::{Ready, ready};
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::sleep;
use tower::{Layer, Service, ServiceExt};
use wt_health::outlier::Outlier;
use wt_health::probe::Probes;
use wt_health::{Monitor, Outcome, Override};

/// Set once there is a monitor to ask.
static MONITOR: OnceLock<Mutex<Option<Monitor<Key>>>> = OnceLock::new();

/// Takes the monitor's lock, if it is one's turn.
fn intrude() {
    let monitor = MONITOR
        .get()
        .and_then(|monitor| monitor.try_lock().ok()?.take());
    if let Some(monitor) = monitor {
        drop(monitor.snapshot());
        drop(monitor.layer(Key(99)));
        *MONITOR.get().unwrap().lock().unwrap() = Some(monitor);
    }
}

#[derive(Debug)]
struct Key(u32);

impl Clone for Key {
    fn clone(&self) -> Self {
        intrude();
        Self(self.0)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        intrude();
        self.0 == other.0
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        intrude();
        // All of one hash: they have to be compared.
        state.write_u32(0);
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        intrude();
    }
}

/// Fails, then succeeds.
struct Failing(u32);

impl Service<()> for Failing {
    type Response = ();
    type Error = ();
    type Future = Ready<Result<(), ()>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ()>> {
        intrude();
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        intrude();
        self.0 = self.0.saturating_sub(1);
        ready(if self.0 > 0 { Err(()) } else { Ok(()) })
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        intrude();
    }
}

/// Why a probe fails.
#[derive(Debug, thiserror::Error)]
#[error("not well")]
struct Unwell;

impl Drop for Unwell {
    fn drop(&mut self) {
        intrude();
    }
}

/// How many probes have been made.
static PROBES: AtomicUsize = AtomicUsize::new(0);

struct Intruding;

impl Wake for Intruding {
    fn wake(self: Arc<Self>) {
        intrude();
    }
}

impl Drop for Intruding {
    fn drop(&mut self) {
        intrude();
    }
}

fn monitor() -> Monitor<Key> {
    let probe = |_: Key| {
        intrude();
        async {
            intrude();
            // Three in a row fail, two in a row do not.
            let fails = PROBES.fetch_add(1, Ordering::Relaxed) % 5 < 3;
            if fails { Err(Unwell) } else { Ok(()) }
        }
    };
    let outlier = Outlier::default()
        .max_ejected(100)
        .base_ejection(Duration::from_millis(100))
        .interval(Duration::from_millis(50));
    let probes = Probes::from_fn(probe).fast_interval(Duration::from_millis(10));
    let builder = Monitor::builder().outlier(outlier).probes(probes);
    builder.panic_threshold(Some(60)).build()
}

/// Waits with a waker that nobody else has.
fn poll<S: Service<()>>(service: &mut S) {
    let waker = Waker::from(Arc::new(Intruding));
    let _ = service.poll_ready(&mut Context::from_waker(&waker));
}

async fn use_all() {
    let monitor = monitor();
    let mut events = None;
    MONITOR
        .set(Mutex::new(Some(monitor.clone())))
        .unwrap_or_else(|_| panic!("it is set once"));
    for round in 0..8 {
        // Events keep what they tell of, so that it ends elsewhere: not at first.
        if round == 4 {
            events = Some(monitor.subscribe());
        }
        let classify = |result: Result<&(), &()>| {
            intrude();
            if result.is_ok() {
                Outcome::Success
            } else {
                Outcome::Failure
            }
        };
        let mut services: Vec<_> = (0..4)
            .map(|key| {
                let layer = monitor.layer(Key(key)).classify(classify);
                layer.layer(Failing(if key < 3 { 7 } else { 0 }))
            })
            .collect();
        for service in &mut services[..3] {
            while service.is_open() && service.ready().await.unwrap().call(()).await.is_err() {}
            // The second waker is the end of the first one.
            poll(service);
            poll(service);
        }
        monitor.set_override(&Key(3), Override::Drain);
        monitor.set_override(&Key(3), None);
        let watch = monitor.watch(Key(1));
        monitor.remove(&Key(round % 4));
        drop(watch);
        let _state = monitor.state(&Key(2));
        sleep(Duration::from_millis(150)).await;
        drop(services);
        sleep(Duration::from_millis(300)).await;
    }
    drop(events.unwrap().next().await);
    let last = MONITOR.get().unwrap().lock().unwrap().take();
    drop(last);
}

#[test]
fn callers_code_may_ask_the_monitor_wherever_it_runs() {
    let (done, ended) = channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(use_all());
        done.send(()).unwrap();
    });

    // A deadlock would take for ever.
    let ended = ended.recv_timeout(Duration::from_secs(30));

    assert!(ended.is_ok(), "some code waits for itself");
}
