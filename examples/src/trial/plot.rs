use std::time::Duration;

use crate::trial::load::LENGTH;
use crate::trial::record::{Told, quantile};

/// How long calls took, over the time at which they were due: half of them, all but one in a
/// hundred, and all; each point stands for a fifth of a second.
pub(crate) fn svg(told: &Told) -> String {
    let curves = [
        ("#1b7837", 0.5, "p50"),
        ("#2166ac", 0.99, "p99"),
        ("#b2182b", 1.0, "max"),
    ];
    let mut parts = vec![HEAD.to_owned()];
    parts.extend(LEVELS.iter().map(|(label, latency)| level(label, *latency)));
    parts.extend((0..=LENGTH.as_secs()).step_by(5).map(second));
    let events = told.events.iter().enumerate();
    parts.extend(events.map(|(i, (at, event))| mark(i, *at, event)));
    for (i, (colour, share, label)) in curves.into_iter().enumerate() {
        parts.push(curve(told, colour, share));
        let x = LEFT + 60.0 * i as f64;
        parts.push(format!(
            "<text x=\"{x:.0}\" y=\"{:.0}\" fill=\"{colour}\">{label}</text>\n",
            HEIGHT - 6.0
        ));
    }
    parts.push("</svg>\n".to_owned());
    parts.concat()
}

/// One curve, with gaps where there are no calls.
fn curve(told: &Told, colour: &str, share: f64) -> String {
    let steps = (LENGTH.as_millis() / STEP.as_millis()) as u32;
    let mut path = String::new();
    let mut pen = 'M';
    for step in 0..steps {
        let (from, to) = (STEP * step, STEP * (step + 1));
        match quantile(&told.latencies(from, to), share) {
            Some(took) => {
                path += &format!("{pen}{:.1} {:.1}", x(from + STEP / 2), y(took));
                pen = 'L';
            }
            None => pen = 'M',
        }
    }
    format!("<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\n")
}

fn level(label: &str, latency: Duration) -> String {
    let y = y(latency);
    format!(
        "<path d=\"M{LEFT} {y:.1}H{RIGHT}\" stroke=\"#ddd\"/>\
         <text x=\"4\" y=\"{:.1}\">{label}</text>\n",
        y + 4.0
    )
}

fn second(second: u64) -> String {
    let x = x(Duration::from_secs(second));
    format!(
        "<text x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{second} s</text>\n",
        BOTTOM + 16.0
    )
}

/// What befell a server; labels that would overlap are below each other.
fn mark(i: usize, at: Duration, event: &str) -> String {
    let (x, y) = (x(at), 14.0 + 14.0 * (i % 4) as f64);
    format!(
        "<path d=\"M{x:.1} {y:.0}V{BOTTOM}\" stroke=\"#999\" stroke-dasharray=\"3 3\"/>\
         <text x=\"{:.1}\" y=\"{y:.0}\">{event}</text>\n",
        x + 3.0
    )
}

fn x(at: Duration) -> f64 {
    LEFT + (RIGHT - LEFT) * at.as_secs_f64() / LENGTH.as_secs_f64()
}

/// By logarithm, from 100 µs at the bottom to 10 s at the top.
fn y(latency: Duration) -> f64 {
    let decades = (latency.as_secs_f64() / 1e-4).max(1.0).log10();
    BOTTOM - (BOTTOM - TOP) * decades.min(5.0) / 5.0
}

const HEAD: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 960 480\" \
                    font-family=\"sans-serif\" font-size=\"11\">\n\
                    <rect width=\"960\" height=\"480\" fill=\"#fff\"/>\n";
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 940.0;
const TOP: f64 = 72.0;
const BOTTOM: f64 = 436.0;
const STEP: Duration = Duration::from_millis(200);
const LEVELS: [(&str, Duration); 6] = [
    ("100 µs", Duration::from_micros(100)),
    ("1 ms", Duration::from_millis(1)),
    ("10 ms", Duration::from_millis(10)),
    ("100 ms", Duration::from_millis(100)),
    ("1 s", Duration::from_secs(1)),
    ("10 s", Duration::from_secs(10)),
];
