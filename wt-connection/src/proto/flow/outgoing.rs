use crate::proto::flow::Lowered;

/// How much of one thing, bytes or streams of one kind, this side may still send or open.
///
/// Bytes are those behind a stream's header; what was handed to QUIC stays used, even if the stream
/// is reset before it left, since the stream's final size has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// What the peer allows, ever.
    limit: u64,
    /// What of that is taken.
    used: u64,
    want: Want,
}

/// Whether there was too little under the present limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    Nothing,
    More,
    /// More, and the peer has been told so.
    Told,
}

impl Outgoing {
    /// Starts with the limit in the peer's SETTINGS, 0 if they have none.
    pub const fn new(limit: u64) -> Self {
        Self {
            limit,
            used: 0,
            want: Want::Nothing,
        }
    }

    /// Takes up to `want` of what may be sent, and says how much that is.
    ///
    /// With less than was wanted, the rest has to wait until the limit is [raised](Self::raise), or
    /// somebody [gives back](Self::give_back).
    #[must_use = "what is not used has to be given back"]
    pub fn reserve(&mut self, want: u64) -> u64 {
        let granted = want.min(self.left());
        self.used += granted;
        // Told => Told, until the limit is another
        if granted < want && self.want == Want::Nothing {
            self.want = Want::More;
        }
        granted
    }

    /// Returns what was reserved and will not be sent; others may wait for it.
    pub fn give_back(&mut self, unused: u64) {
        self.used = self.used.saturating_sub(unused);
    }

    /// Notes the limit of a MAX_DATA or MAX_STREAMS capsule; says whether it allows more.
    ///
    /// The same limit once more, `Ok(false)`, is an error by draft 16 and none by those before.
    ///
    /// # Errors
    ///
    /// Fails if the limit is lower than before, which is then still the limit.
    pub fn raise(&mut self, limit: u64) -> Result<bool, Lowered> {
        if limit < self.limit {
            return Err(Lowered);
        }
        let raised = limit > self.limit;
        if raised {
            self.limit = limit;
            self.want = Want::Nothing;
        }
        Ok(raised)
    }

    /// Gives the limit to put into a DATA_BLOCKED or STREAMS_BLOCKED capsule, once for each limit
    /// that is used up while more is wanted.
    ///
    /// The capsule tells the peer something, but asks for nothing: it may be left unsent.
    pub fn blocked(&mut self) -> Option<u64> {
        if self.want != Want::More || self.left() > 0 {
            return None;
        }
        self.want = Want::Told;
        Some(self.limit)
    }

    /// Tells how much may be reserved.
    pub const fn left(&self) -> u64 {
        self.limit - self.used
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::proto::varint;

    #[test]
    fn no_more_is_granted_than_the_limit() {
        let mut bytes = Outgoing::new(10);

        assert_eq!(bytes.reserve(7), 7);
        assert_eq!(bytes.reserve(7), 3);
        assert_eq!(bytes.reserve(7), 0);
    }

    #[test]
    fn what_is_given_back_is_granted_again() {
        let mut bytes = Outgoing::new(10);

        assert_eq!(bytes.reserve(10), 10);
        bytes.give_back(4);

        assert_eq!(bytes.reserve(10), 4);
    }

    #[test]
    fn raised_limit_grants_more() {
        let mut streams = Outgoing::new(0);
        assert_eq!(streams.reserve(1), 0);

        assert_eq!(streams.raise(1), Ok(true));

        assert_eq!(streams.reserve(1), 1);
    }

    #[test]
    fn same_limit_changes_nothing_and_a_lower_one_is_an_error() {
        let mut bytes = Outgoing::new(10);
        let before = bytes;

        assert_eq!(bytes.raise(10), Ok(false));
        assert_eq!(bytes.raise(9), Err(Lowered));

        assert_eq!(bytes, before);
    }

    #[test]
    fn blocked_is_said_once_for_each_limit() {
        let mut bytes = Outgoing::new(10);
        assert_eq!(bytes.reserve(11), 10);

        assert_eq!(bytes.blocked(), Some(10));
        assert_eq!(bytes.blocked(), None);
        assert_eq!(bytes.reserve(1), 0);
        assert_eq!(bytes.blocked(), None);
        assert_eq!(bytes.raise(10), Ok(false));
        assert_eq!(bytes.blocked(), None);

        assert_eq!(bytes.raise(20), Ok(true));
        assert_eq!(bytes.reserve(11), 10);
        assert_eq!(bytes.blocked(), Some(20));
    }

    #[test]
    fn blocked_is_not_said_unless_more_is_wanted_than_there_is() {
        let mut bytes = Outgoing::new(10);

        assert_eq!(bytes.reserve(10), 10);
        assert_eq!(bytes.blocked(), None);

        assert_eq!(bytes.reserve(1), 0);
        bytes.give_back(1);
        assert_eq!(bytes.blocked(), None);

        assert_eq!(bytes.reserve(1), 1);
        assert_eq!(bytes.blocked(), Some(10));
    }

    #[test]
    fn greatest_limit_can_be_used_up() {
        let mut bytes = Outgoing::new(varint::MAX);

        assert_eq!(bytes.reserve(u64::MAX), varint::MAX);
        assert_eq!(bytes.blocked(), Some(varint::MAX));
        assert_eq!(bytes.raise(varint::MAX), Ok(false));
    }

    proptest! {
        #[test]
        fn what_is_taken_never_exceeds_the_greatest_limit(
            first in 0..100_u64,
            steps in proptest::collection::vec((0..3_u8, 0..200_u64), 0..40),
        ) {
            let mut bytes = Outgoing::new(first);
            let (mut limit, mut taken) = (first, 0);

            for (step, number) in steps {
                match step {
                    0 => taken += bytes.reserve(number),
                    1 => {
                        bytes.give_back(number.min(taken));
                        taken -= number.min(taken);
                    }
                    _ => {
                        prop_assert_eq!(bytes.raise(number).is_err(), number < limit);
                        limit = limit.max(number);
                    }
                }
                prop_assert_eq!(bytes.left(), limit - taken);
            }
        }
    }
}
