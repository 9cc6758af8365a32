use std::time::Duration;

/// How long streams that linger are let be between two looks at all of them: the longer, the longer
/// none could be let go of.
#[derive(Debug)]
pub(crate) struct Pause(Duration);

impl Pause {
    pub(crate) fn new() -> Self {
        Self(SHORTEST)
    }

    /// Notes whether the last look was of use.
    pub(crate) fn note(&mut self, freed: bool) {
        self.0 = match freed {
            true => SHORTEST,
            false => (2 * self.0).min(LONGEST),
        };
    }

    pub(crate) fn get(&self) -> Duration {
        self.0
    }
}

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_until_a_look_is_of_use() {
        let mut pause = Pause::new();
        let mut pauses = vec![pause.get().as_millis()];
        for _ in 0..8 {
            pause.note(false);
            pauses.push(pause.get().as_millis());
        }

        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000, 1000, 1000, 1000]);
        pause.note(true);
        assert_eq!(pause.get(), SHORTEST);
    }
}
