use crate::lock::Lock;

/// How many packets were sent since one was last received, as far as anybody has looked.
#[derive(Debug, Default)]
pub(crate) struct Unanswered(Lock<Seen>);

/// Both counts, as they were when the last packet received was first seen.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    sent: u64,
    received: u64,
}

impl Unanswered {
    /// Looks at both counts: what was sent since `received` was seen first has no answer.
    ///
    /// Never too many: a packet that came after others had been sent, and before anybody looked,
    /// counts as an answer to these, too.
    pub(crate) fn look(&self, sent: u64, received: u64) -> u64 {
        let mut seen = self.0.lock();
        if received > seen.received {
            *seen = Seen { sent, received };
        }
        // Whoever has looked before, and comes after, counts nothing.
        let newest = received == seen.received;
        if newest {
            sent.saturating_sub(seen.sent)
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_after_the_last_look_at_an_answer_has_none() {
        let unanswered = Unanswered::default();

        assert_eq!(unanswered.look(10, 5), 0);
        assert_eq!(unanswered.look(12, 5), 2);
        assert_eq!(unanswered.look(30, 5), 20);
        assert_eq!(unanswered.look(31, 6), 0);
        assert_eq!(unanswered.look(33, 6), 2);
    }

    #[test]
    fn all_that_is_sent_before_anything_comes_has_no_answer() {
        assert_eq!(Unanswered::default().look(7, 0), 7);
    }

    #[test]
    fn an_older_look_that_comes_late_changes_nothing() {
        let unanswered = Unanswered::default();
        unanswered.look(10, 5);

        assert_eq!(unanswered.look(9, 4), 0);
        assert_eq!(unanswered.look(9, 5), 0);

        assert_eq!(unanswered.look(12, 5), 2);
    }
}
