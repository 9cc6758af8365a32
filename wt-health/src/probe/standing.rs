use crate::probe::Rules;

/// What the probes of a backend add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    down: bool,
    /// In a row, as is the next; one of both is 0.
    passes: u32,
    failures: u32,
}

/// What follows from a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Enough have succeeded in a row.
    Risen,
    /// Enough have failed in a row, for the first time in this row.
    Fallen,
    None,
}

impl Standing {
    pub(crate) fn passed(&mut self, rules: &Rules) -> Turn {
        self.failures = 0;
        self.passes = self.passes.saturating_add(1);
        if self.passes < rules.rise {
            return Turn::None;
        }
        self.down = false;
        Turn::Risen
    }

    pub(crate) fn failed(&mut self, rules: &Rules) -> Turn {
        self.passes = 0;
        self.failures = self.failures.saturating_add(1);
        if self.down || self.failures < rules.fall {
            return Turn::None;
        }
        self.down = true;
        Turn::Fallen
    }

    /// What was found before is no proof of what is to come.
    pub(crate) fn forget_passes(&mut self) {
        self.passes = 0;
    }

    pub(crate) fn is_down(&self) -> bool {
        self.down
    }

    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether the last probes have said the same often enough.
    pub(crate) fn is_settled(&self, rules: &Rules) -> bool {
        self.passes.max(self.failures) >= rules.rise.max(rules.fall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What follows from each of these probes.
    fn turns(standing: &mut Standing, probes: &str) -> Vec<Turn> {
        let rules = Rules::default();
        let turn = |probe| match probe {
            '+' => standing.passed(&rules),
            _ => standing.failed(&rules),
        };
        probes.chars().map(turn).collect()
    }

    #[test]
    fn three_failures_in_a_row_are_a_fall() {
        let mut standing = Standing::default();

        let found = turns(&mut standing, "--+---");

        let mut expected = vec![Turn::None; 6];
        expected[5] = Turn::Fallen;
        assert_eq!(found, expected);
        assert!(standing.is_down());
    }

    #[test]
    fn two_successes_in_a_row_are_a_rise() {
        let mut standing = Standing::default();
        turns(&mut standing, "---");

        assert_eq!(turns(&mut standing, "+-+"), [Turn::None; 3]);
        assert!(standing.is_down());
        assert_eq!(turns(&mut standing, "+"), [Turn::Risen]);
        assert!(!standing.is_down());
    }

    #[test]
    fn one_falls_once() {
        let mut standing = Standing::default();
        turns(&mut standing, "---");

        assert_eq!(turns(&mut standing, "---+-"), [Turn::None; 5]);
        assert_eq!(standing.failures(), 1);
    }

    #[test]
    fn probes_settle_once_they_have_said_the_same_often_enough() {
        let rules = Rules::default();
        let mut standing = Standing::default();
        let mut settled = |probe| {
            turns(&mut standing, probe);
            standing.is_settled(&rules)
        };

        let found = ["", "+", "+", "+", "-", "-", "-"].map(&mut settled);

        assert_eq!(found, [false, false, false, true, false, false, true]);
    }
}
