use std::time::Duration;

use tokio::time::Instant;

/// When a queue may be looked through again: after so long that looking takes a small part of the
/// time, whoever asks for it and however often.
#[derive(Debug, Default)]
pub(crate) struct Sweeps {
    next: Option<Instant>,
}

impl Sweeps {
    /// Notes that so many are looked at now.
    pub(crate) fn begin(&mut self, now: Instant, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.next = Some(now + EACH * count);
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| now >= next)
    }
}

/// Many times what a look takes.
const EACH: Duration = Duration::from_micros(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sweep_is_due_and_another_later_the_more_there_are() {
        let (mut sweeps, start) = (Sweeps::default(), Instant::now());
        assert!(sweeps.is_due(start));

        sweeps.begin(start, 10_000);

        assert!(!sweeps.is_due(start + 9_999 * EACH));
        assert!(sweeps.is_due(start + 10_000 * EACH));
        sweeps.begin(start, 2);
        assert!(sweeps.is_due(start + 2 * EACH));
    }
}
