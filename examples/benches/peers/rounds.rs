use crate::both::Both;
use crate::common::rounds::median;
use crate::common::tls::Tls;
use crate::ours::Ours;
use crate::web_transport_quinn::WebTransportQuinn;
use crate::wtransport::Wtransport;

/// Rounds of each measure; the median counts.
pub(crate) const ROUNDS: usize = 9;

/// All three, over the same TLS.
pub(crate) struct Stacks {
    pub(crate) ours: Both<Ours>,
    pub(crate) wtransport: Both<Wtransport>,
    pub(crate) web_transport_quinn: Both<WebTransportQuinn>,
}

impl Stacks {
    pub(crate) fn new() -> Self {
        let tls = Tls::new();
        Self {
            ours: Both::new(&tls),
            wtransport: Both::new(&tls),
            web_transport_quinn: Both::new(&tls),
        }
    }
}

/// Runs ours and both others in turn, who comes first changing from round to round, prints the
/// rates, and gives a line for each of the others: the median of the ratios.
pub(crate) async fn compare(
    what: &str,
    name: &str,
    mut ours: impl AsyncFnMut() -> f64,
    mut wtransport: impl AsyncFnMut() -> f64,
    mut web_transport_quinn: impl AsyncFnMut() -> f64,
) -> Vec<String> {
    // Not counted: caches, congestion windows and allocators settle.
    ours().await;
    wtransport().await;
    web_transport_quinn().await;
    println!("\n{what}\n\n| round | ours | wtransport | ratio | web-transport-quinn | ratio |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut ratios = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        let mut rates = [0.0; 3];
        for turn in 0..3 {
            let which = (round + turn) % 3;
            rates[which] = match which {
                0 => ours().await,
                1 => wtransport().await,
                _ => web_transport_quinn().await,
            };
        }
        let [ours, wtransport, web_transport_quinn] = rates;
        let [first, second] = [wtransport, web_transport_quinn].map(|rate| ours / rate);
        print!("| {round} | {ours:.0} | {wtransport:.0} | {first:.2} ");
        println!("| {web_transport_quinn:.0} | {second:.2} |");
        ratios[0].push(first);
        ratios[1].push(second);
    }
    let [wtransport, web_transport_quinn] = ratios.map(median);
    vec![
        format!("ratio {name}/wtransport {wtransport:.3}"),
        format!("ratio {name}/web_transport_quinn {web_transport_quinn:.3}"),
    ]
}
