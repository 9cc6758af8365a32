use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::task::yield_now;
use tokio::time::Instant;

use crate::caught::caught;
use crate::checked::Checked;
use crate::home::{Home, bury};
use crate::slots::Key;
use crate::stats::Reason;

/// Closes what has had its time, and asks the others whether they live; in small steps, so that
/// nobody waits for it.
pub(crate) async fn tidy<C>(home: &Arc<Home<C>>) {
    let now = Instant::now();
    let looks = home.stock.lock().look_due(now);
    if looks {
        home.ask_capacities();
    }
    let over = home.change(|stock| stock.expire_lifetimes(now));
    bury(over);
    if looks || !home.common.rules.shared {
        close_idle(home, now).await;
    }
    let sweeps = home.stock.lock().sweep_due(now);
    if sweeps {
        sweep(home).await;
    }
}

async fn close_idle<C>(home: &Arc<Home<C>>, now: Instant) {
    loop {
        let idle = home.change(|stock| stock.expire_idle(now, STEP));
        let all = idle.len() < STEP;
        bury(idle);
        if all {
            return;
        }
        yield_now().await;
    }
}

async fn sweep<C>(home: &Arc<Home<C>>) {
    let keys = home.stock.lock().keys();
    for (step, key) in keys.into_iter().enumerate() {
        if step % STEP == STEP - 1 {
            yield_now().await;
        }
        caught(|| ask(home, key));
    }
}

/// Asks one connection whether it lives.
fn ask<C>(home: &Arc<Home<C>>, key: Key) {
    let Some(mut checked) = Checked::out(home, key) else {
        return;
    };
    // Nobody waits for it: whoever borrows it asks again.
    let mut cx = Context::from_waker(Waker::noop());
    let usable = checked.lease().poll_in_passing(&mut cx);
    if usable == Poll::Ready(false) {
        checked.close(Reason::Dead);
    } else {
        checked.put_back();
    }
}

/// How many connections are closed or asked before others have their turn.
const STEP: usize = 64;
