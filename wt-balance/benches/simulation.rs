//! What do clients see when some of their backends are slow, stall, or fail, beside tower's real
//! `p2c::Balance`?
//!
//! Simulated on a paused clock, with fixed seeds. Ten backends, if nothing else is said, have four
//! slots each and take 10 ms for a call, exponentially distributed; calls arrive by chance for
//! thirty seconds, at 70 % of what the backends can do then, and give up after two. Where several
//! are slow, both 70 % and 50 % are simulated, and 50 % is compared: at 70 %, whoever does not know
//! that they are slow gives them more than they can do, and nothing is left to be compared. What is
//! healthy is the better p99 of as many sound backends at either load. tokio's timers tick in
//! milliseconds, so that one simulated millisecond is two hundred of them. Errors count from the
//! first call on, latencies after five seconds.
#![allow(clippy::unwrap_used, reason = "a failure here is the bench's")]

#[path = "simulation/clients.rs"]
mod clients;
#[path = "simulation/down.rs"]
mod down;
#[path = "simulation/run.rs"]
mod run;
#[path = "simulation/scenarios.rs"]
mod scenarios;
#[path = "simulation/weights.rs"]
mod weights;
#[path = "simulation/world.rs"]
mod world;

use crate::clients::Kind;
use crate::run::Seen;
use crate::scenarios::{ALL, Scenario};

const TWO_OF_FOUR: &str = "2 of 4 slow";
const THREE_OF_TEN: &str = "3 of 10 slow, 5 clients";

fn main() {
    println!(
        "\np99 in ms, p99.9 in brackets, and errors in %, by whom the backends are balanced:\n"
    );
    let names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    println!("| scenario | {} |", names.join(" | "));
    println!("|{}", " --- |".repeat(names.len() + 1));
    let rows: Vec<_> = ALL
        .iter()
        .map(|scenario| (scenario, row(scenario)))
        .collect();
    let down = down::measure();
    let weights = weights::measure();

    let seen = |name: &str, kind: Kind| {
        let (_, row) = rows
            .iter()
            .find(|(scenario, _)| scenario.name == name)
            .unwrap();
        row[kind as usize]
    };
    let ours = |name: &str| seen(name, Kind::Adaptive);
    let healthy = |kind, name: &str| {
        let half = format!("{name}, 50 %");
        seen(name, kind).p99.min(seen(&half, kind).p99)
    };
    let slow = |kind, name: &str, sound| seen(name, kind).p99 / healthy(kind, sound);
    println!("\np99 of slow ones by healthy ones\n\n| scenario | tower p2c, PeakEwma | Adaptive |");
    println!("| --- | --- | --- |");
    for (name, sound) in [
        (TWO_OF_FOUR, "4, all equal"),
        ("2 of 4 slow, 70 %", "4, all equal"),
        (THREE_OF_TEN, "all equal"),
        ("3 of 10 slow, 5 clients, 70 %", "all equal"),
    ] {
        let [tower, ours] =
            [Kind::TowerPeakEwma, Kind::Adaptive].map(|kind| slow(kind, name, sound));
        println!("| {name} | {tower:.2} | {ours:.2} |");
    }
    let ratio = |name, sound| slow(Kind::Adaptive, name, sound);
    println!();
    println!(
        "value fast_fail_1_of_10_error_pct {:.3}",
        ours("1 of 10 fails at once").errors
    );
    println!(
        "value fast_fail_3_of_10_error_pct {:.3}",
        ours("3 of 10 fail at once").errors
    );
    println!(
        "value one_slow_p99/healthy_p99 {:.3}",
        ratio("1 of 10 slow", "all equal")
    );
    let two_of_four = ratio(TWO_OF_FOUR, "4, all equal");
    println!("value two_of_four_slow_p99/healthy_p99 {two_of_four:.3}");
    let three_of_ten = ratio(THREE_OF_TEN, "all equal");
    println!("value three_of_ten_slow_p99/healthy_p99 {three_of_ten:.3}");
    let lossy = "all lose 0.5 % of their calls";
    println!(
        "value lossy_p99/healthy_p99 {:.3}",
        ratio(lossy, "all equal")
    );
    println!("value lossy_busiest_pct {:.1}", ours(lossy).busiest);
    println!("value healthy_busiest_pct {:.1}", ours("all equal").busiest);
    let half = "half 5 ms, half 20 ms, 30 clients";
    let tower = seen(half, Kind::TowerPeakEwma).p99;
    println!(
        "value half_slow_p99/tower_half_slow_p99 {:.3}",
        ours(half).p99 / tower
    );
    println!("value weights_90_10_error_pct {weights:.3}");
    println!("value calls_lost_after_hard_down {}", down.lost);
    println!(
        "value calls_tried_while_down_per_minute {:.1}",
        down.tried as f64 / 27.0 * 60.0
    );
    println!("value unused_after_return_ms {:.0}", down.unused);
    println!("value share_after_return_pct {:.2}", 100.0 * down.share);
}

fn row(scenario: &Scenario) -> Vec<Seen> {
    let row: Vec<_> = Kind::ALL
        .iter()
        .map(|kind| run::run(scenario, *kind))
        .collect();
    let cells = row.iter().map(|seen| {
        let Seen {
            p99, p999, errors, ..
        } = seen;
        format!("{p99:.0} ({p999:.0}), {errors:.2} %")
    });
    let cells: Vec<_> = cells.collect();
    println!("| {} | {} |", scenario.name, cells.join(" | "));
    row
}

/// A runtime whose clock moves only when nobody has anything to do.
fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}
