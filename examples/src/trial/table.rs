use std::collections::HashMap;
use std::fmt::{Debug, Display, Write};
use std::hash::Hash;
use std::time::Duration;

use tokio::time::interval;
use wt_health::snapshot::State;

use crate::stack::Figures;
use crate::trial::record::{Record, Told};

/// What a server is known by.
pub trait Key: Clone + Debug + Display + Eq + Hash + Send + Sync + 'static {}

impl<T: Clone + Debug + Display + Eq + Hash + Send + Sync + 'static> Key for T {}

/// How things are, again and again.
pub(crate) struct Table<T> {
    targets: Vec<T>,
    /// Whether it stays where it is; otherwise there are lines.
    live: bool,
    /// Calls that each server had been given when it was shown last.
    calls: HashMap<T, u64>,
    lines: usize,
    events: usize,
}

/// How one server is.
struct Row {
    state: &'static str,
    /// Of the calls since it was shown last, in percent.
    share: f64,
    in_flight: usize,
    connections: usize,
    rtt: Option<Duration>,
    ejections: u64,
}

impl<T: Key> Table<T> {
    pub(crate) fn new(targets: Vec<T>, live: bool) -> Self {
        Self {
            targets,
            live,
            calls: HashMap::new(),
            lines: 0,
            events: 0,
        }
    }

    /// Never ends.
    pub(crate) async fn show(&mut self, figures: &Figures<T>, record: &Record) {
        let mut pace = interval(if self.live { LIVE } else { PLAIN });
        loop {
            pace.tick().await;
            let (rows, told) = (self.rows(figures), record.told());
            let retries = figures.retries().retries;
            let (calls, failed) = (told.calls.len(), told.failed());
            let at = record.began().elapsed().as_secs();
            let totals = format!("{at:>2} s: {calls} calls, {retries} retries, {failed} failed");
            if self.live {
                self.draw(&rows, &totals, &told);
            } else {
                self.tell(&rows, &totals, &told);
            }
        }
    }

    fn rows(&mut self, figures: &Figures<T>) -> Vec<Row> {
        let balance = figures.balance().backends;
        let health = figures.monitor().snapshot().backends;
        let pool: HashMap<_, _> = figures.pool().targets.into_iter().collect();
        let round_trips = figures.all_round_trips();
        let calls: HashMap<_, _> = balance.iter().map(|b| (b.key.clone(), b.calls)).collect();
        let new = |target: &T| {
            let known = |calls: &HashMap<T, u64>| calls.get(target).copied().unwrap_or(0);
            known(&calls).saturating_sub(known(&self.calls))
        };
        let all: u64 = self.targets.iter().map(new).sum();
        let rows = self.targets.iter().map(|target| {
            let judged = health.iter().find(|backend| backend.key == *target);
            let given = balance.iter().find(|backend| backend.key == *target);
            let lent = pool.get(target).copied().unwrap_or_default();
            let connections = lent.open;
            let state = match judged.map(|backend| backend.state) {
                Some(State::Ejected { .. }) => "ejected",
                Some(State::Proving) => "proving",
                Some(State::Down | State::Unproven) => "down",
                _ if lent.connecting + lent.waiting > 0 && connections == 0 => "connecting",
                _ if connections == 0 => "unused",
                _ if given.is_some_and(|backend| backend.failing) => "failing",
                _ => "up",
            };
            Row {
                state,
                share: 100.0 * new(target) as f64 / all.max(1) as f64,
                in_flight: given.map_or(0, |backend| backend.in_flight),
                connections,
                rtt: round_trips.get(target).copied(),
                ejections: judged.map_or(0, |backend| backend.ejections),
            }
        });
        let rows: Vec<_> = rows.collect();
        self.calls = calls;
        rows
    }

    /// Draws over what was drawn before.
    fn draw(&mut self, rows: &[Row], totals: &str, told: &Told) {
        let mut text = String::new();
        if self.lines > 0 {
            let _ = write!(text, "\x1b[{}A", self.lines);
        }
        let last = told.events.last().map_or("", |(_, event)| event.as_str());
        let mut lines = vec![HEAD.to_owned()];
        for (number, (target, row)) in (1..).zip(self.targets.iter().zip(rows)) {
            lines.push(format!("{number} {}", row.line(target)));
        }
        lines.push(totals.to_owned());
        lines.push(if last.is_empty() {
            String::new()
        } else {
            format!("server {last}")
        });
        for line in &lines {
            let _ = writeln!(text, "{line}\x1b[K");
        }
        self.lines = lines.len();
        print!("{text}");
    }

    /// One line, after those of what has happened.
    fn tell(&mut self, rows: &[Row], totals: &str, told: &Told) {
        for (at, event) in &told.events[self.events..] {
            println!("{:>2} s: server {event}", at.as_secs());
        }
        self.events = told.events.len();
        let rows: Vec<_> = (1..)
            .zip(rows)
            .map(|(number, row)| format!("{number} {} {:.0} %", row.state, row.share))
            .collect();
        println!("{totals}; {}", rows.join(", "));
    }
}

impl Row {
    fn line(&self, target: &impl Display) -> String {
        let rtt = self.rtt.map_or(String::new(), |rtt| format!("{rtt:.1?}"));
        format!(
            "{:<22} {:<10} {:>4.0} % {:>9} {:>11} {:>9} {:>9}",
            target.to_string(),
            self.state,
            self.share,
            self.in_flight,
            self.connections,
            rtt,
            self.ejections,
        )
    }
}

const HEAD: &str =
    "  server                 state       share in flight connections       rtt ejections";
const LIVE: Duration = Duration::from_millis(250);
const PLAIN: Duration = Duration::from_secs(1);
