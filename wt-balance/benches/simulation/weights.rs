use tower::{Layer, Service, ServiceExt, service_fn};
use wt_balance::{BalanceLayer, Weighted};

use crate::paused;

const PICKS: u32 = 10_000;

/// By how many per cent of all calls the shares of two backends, of weights 9 and 1, are wrong.
pub(crate) fn measure() -> f64 {
    let maker =
        |target: u32| service_fn(move |()| std::future::ready(Ok::<_, std::fmt::Error>(target)));
    let mut balance = BalanceLayer::new([9, 1])
        .weight(|target| *target)
        .policy(Weighted::new())
        .layer(maker);
    let heavy = paused().block_on(async {
        let mut heavy = 0;
        for _ in 0..PICKS {
            let target = balance.ready().await.unwrap().call(()).await.unwrap();
            heavy += u32::from(target == 9);
        }
        heavy
    });
    100.0 * (f64::from(heavy) / f64::from(PICKS) - 0.9).abs()
}
