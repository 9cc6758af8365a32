/// Who may pass, and what their outcomes are good for: one word, so that it is read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gate(pub(crate) u64);

/// What outcomes are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They are counted.
    Counting,
    /// The backend is ejected, they say nothing new.
    Ignoring,
    /// One of them proves the backend.
    Proving,
}

impl Gate {
    /// Outcomes of calls that were made in another epoch say nothing about this one.
    pub(crate) fn new(epoch: u32, mode: Mode, open: bool) -> Self {
        let mode = match mode {
            Mode::Counting => COUNTING,
            Mode::Ignoring => IGNORING,
            Mode::Proving => PROVING,
        };
        Self(u64::from(epoch) << 32 | mode | if open { OPEN } else { 0 })
    }

    #[inline]
    pub(crate) fn is_open(self) -> bool {
        self.0 & OPEN != 0
    }

    #[inline]
    pub(crate) fn epoch(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline]
    pub(crate) fn mode(self) -> Mode {
        match self.0 & MODES {
            COUNTING => Mode::Counting,
            PROVING => Mode::Proving,
            _ => Mode::Ignoring,
        }
    }
}

const COUNTING: u64 = 0;
const IGNORING: u64 = 1;
const PROVING: u64 = 2;
const MODES: u64 = 3;
const OPEN: u64 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_keeps_its_parts() {
        for epoch in [0, 1, u32::MAX] {
            for mode in [Mode::Counting, Mode::Ignoring, Mode::Proving] {
                for open in [false, true] {
                    let gate = Gate::new(epoch, mode, open);

                    assert_eq!(
                        (gate.epoch(), gate.mode(), gate.is_open()),
                        (epoch, mode, open)
                    );
                }
            }
        }
    }
}
