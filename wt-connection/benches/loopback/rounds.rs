use crate::common::rounds::median;

/// Rounds of each measure; the median counts.
pub(crate) const ROUNDS: usize = 11;

/// Runs ours and the anchor in turn, who comes first changing from round to round, prints both
/// rates, and gives the median of their ratios.
pub(crate) async fn compare(
    what: &str,
    mut ours: impl AsyncFnMut() -> f64,
    mut anchor: impl AsyncFnMut() -> f64,
) -> f64 {
    // Not counted: caches, congestion windows and allocators settle.
    ours().await;
    anchor().await;
    println!("\n{what}\n\n| round | ours | quinn | ratio |");
    println!("| --- | --- | --- | --- |");
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        let (ours, anchor) = if round % 2 == 0 {
            let ours = ours().await;
            (ours, anchor().await)
        } else {
            let anchor = anchor().await;
            (ours().await, anchor)
        };
        println!(
            "| {round} | {ours:.0} | {anchor:.0} | {:.3} |",
            ours / anchor
        );
        ratios.push(ours / anchor);
    }
    median(ratios)
}
