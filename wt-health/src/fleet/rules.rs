use crate::combine::Combine;
use crate::outlier::Outlier;
use crate::probe;

/// How a fleet is judged.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) outlier: Outlier,
    pub(crate) combine: Combine,
    /// More than so many in a hundred out are too many.
    pub(crate) panic: Option<u8>,
    pub(crate) probes: Option<probe::Rules>,
}

impl Rules {
    /// Whether so many out of so many are too many; one never is.
    pub(crate) fn is_panic(&self, out: usize, of: usize) -> bool {
        let exceeded = |percent: u8| out as u128 * 100 > of as u128 * u128::from(percent);
        out > 1 && self.panic.is_some_and(exceeded)
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            outlier: Outlier::default(),
            combine: Combine::default(),
            panic: Some(50),
            probes: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_half_are_too_many() {
        let rules = Rules::default();

        assert!(!rules.is_panic(1, 1));
        assert!(!rules.is_panic(2, 4));
        assert!(rules.is_panic(2, 3));
        assert!(rules.is_panic(2, 2));
    }

    #[test]
    fn without_a_threshold_none_are() {
        let rules = Rules {
            panic: None,
            ..Rules::default()
        };

        assert!(!rules.is_panic(100, 100));
    }
}
