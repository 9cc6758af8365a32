use crate::proto::flow::Exceeded;
use crate::proto::{draft, varint};

/// How much of one thing, bytes or streams of one kind, the peer may still send or open.
///
/// The peer is kept supplied with a window, an amount that may be under way or waiting to be read.
/// It is told of a new limit once no more than half of that is left to it, and more may be allowed;
/// and whenever more may be, if it has [said](Self::blocked) that it wants more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    window: u64,
    /// The greatest limit there is.
    most: u64,
    /// What the peer was told last, for sure.
    announced: u64,
    /// What the peer may have been told at the most.
    offered: u64,
    received: u64,
    /// What was received and takes no more room, and what may never be received.
    released: u64,
    /// Of that, what may never be received.
    forgiven: u64,
    /// The peer wants more than what was announced.
    wanted: bool,
}

impl Incoming {
    /// Counts bytes behind the headers of streams: the peer knows of `limit`, from SETTINGS, and
    /// `window` is how many may be unread.
    ///
    /// With a window above the limit, the first [`announce`](Self::announce) may be due at once.
    pub const fn data(limit: u64, window: u64) -> Self {
        Self::new(limit, window, varint::MAX)
    }

    /// Counts streams of one kind: the peer knows of `limit`, from SETTINGS, and `window` is how
    /// many may be open.
    pub const fn streams(limit: u64, window: u64) -> Self {
        Self::new(limit, window, draft::MOST_STREAMS_12)
    }

    const fn new(limit: u64, window: u64, most: u64) -> Self {
        Self {
            window,
            most,
            announced: limit,
            offered: limit,
            received: 0,
            released: 0,
            forgiven: 0,
            wanted: false,
        }
    }

    /// Counts what the peer has sent.
    ///
    /// # Errors
    ///
    /// Fails if the peer was not allowed to; nothing is counted then.
    pub fn receive(&mut self, amount: u64) -> Result<(), Exceeded> {
        if amount > self.unseen() {
            return Err(Exceeded);
        }
        self.received += amount;
        Ok(())
    }

    /// Lets the peer send as much anew: what was received has been read, or dropped, or the stream
    /// is over, in both directions if it has two.
    pub fn release(&mut self, amount: u64) {
        self.released = self.released.saturating_add(amount);
    }

    /// Makes up for what will never be received, though the peer has used its credit for it, or
    /// will have: the rest of a stream that was reset or stopped, or a stream that was reset before
    /// its header came.
    ///
    /// How much that is nobody knows here, where QUIC tells no final size. It takes an upper bound:
    /// of a stream's bytes, QUIC's own window of a stream. If the bound is too low, the peer's
    /// credit is lost and it may be stuck in the end. If it is too high, the peer gets more than
    /// the window, and QUIC's windows alone bound what it can send. Once a stream was reset, rather
    /// than stopped, [`unseen`](Self::unseen) is an upper bound, too.
    pub fn forgive(&mut self, upper_bound: u64) {
        self.forgiven = self.forgiven.saturating_add(upper_bound);
        self.release(upper_bound);
    }

    /// Notes that the peer would go beyond this limit: from here on, whatever takes no more room is
    /// worth telling it.
    pub fn blocked(&mut self, limit: u64) {
        self.wanted |= limit >= self.announced;
    }

    /// Gives the limit to put into a MAX_DATA or MAX_STREAMS capsule, if it is time for one.
    ///
    /// It is given again, or one above it, until it was [announced](Self::announced): a call whose
    /// capsule is not sent after all does no harm. From here on the peer may know of it, so that
    /// what it sends on the strength of it is in order, however soon that comes.
    pub fn announce(&mut self) -> Option<u64> {
        let limit = self.released.saturating_add(self.window).min(self.most);
        if limit <= self.announced || (self.left() > self.window / 2 && !self.wanted) {
            return None;
        }
        self.offered = self.offered.max(limit);
        Some(limit)
    }

    /// Tells how much may be received before there can be anything to [announce](Self::announce),
    /// whatever is released meanwhile.
    pub const fn quiet(&self) -> u64 {
        if self.wanted {
            return 0;
        }
        self.left().saturating_sub(self.window / 2 + 1)
    }

    /// Notes that the capsule with this limit was handed to the transport, which will deliver it.
    pub fn announced(&mut self, limit: u64) {
        if limit > self.announced {
            self.announced = limit;
            self.wanted = false;
        }
        self.offered = self.offered.max(limit);
    }

    /// What the peer has left, for sure, of what it was told.
    const fn left(&self) -> u64 {
        let used = self.received.saturating_add(self.forgiven);
        self.announced.saturating_sub(used)
    }

    /// Tells how much the peer may have sent, or still send, that was not received.
    pub const fn unseen(&self) -> u64 {
        self.offered - self.received
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sends and reads `amount`.
    fn pass(bytes: &mut Incoming, amount: u64) {
        bytes.receive(amount).unwrap();
        bytes.release(amount);
    }

    /// Announces what is due.
    fn tell(bytes: &mut Incoming) -> Option<u64> {
        let limit = bytes.announce()?;
        bytes.announced(limit);
        Some(limit)
    }

    #[test]
    fn limit_is_announced_when_half_of_the_window_is_used_up() {
        for (window, half) in [(1, 1), (2, 1), (3, 2), (100, 50), (101, 51)] {
            let mut bytes = Incoming::data(window, window);

            pass(&mut bytes, half - 1);
            assert_eq!(bytes.announce(), None);
            pass(&mut bytes, 1);

            assert_eq!(tell(&mut bytes), Some(window + half));
            assert_eq!(bytes.announce(), None);
        }
    }

    #[test]
    fn what_stays_open_leaves_no_room_and_does_not_hide_what_there_is() {
        let mut streams = Incoming::streams(4, 4);

        (0..4).for_each(|_| streams.receive(1).unwrap());
        streams.release(1);

        assert_eq!(tell(&mut streams), Some(5));
        assert_eq!(streams.receive(1), Ok(()));
    }

    #[test]
    fn who_wants_more_is_told_of_whatever_there_is() {
        let mut bytes = Incoming::data(100, 100);
        // As many more have come, and are not read.
        pass(&mut bytes, 40);
        assert_eq!(bytes.announce(), None);

        bytes.blocked(99);
        assert_eq!(bytes.announce(), None);
        bytes.blocked(100);
        assert_eq!(tell(&mut bytes), Some(140));

        pass(&mut bytes, 1);
        assert_eq!(bytes.announce(), None);
    }

    #[test]
    fn unread_bytes_are_no_room() {
        let mut bytes = Incoming::data(10, 10);

        bytes.receive(10).unwrap();
        assert_eq!(bytes.announce(), None);
        bytes.release(5);

        assert_eq!(bytes.announce(), Some(15));
    }

    #[test]
    fn peer_may_use_its_limit_up_and_no_more() {
        let mut bytes = Incoming::data(10, 10);

        assert_eq!(bytes.receive(11), Err(Exceeded));
        assert_eq!(bytes.receive(10), Ok(()));
        assert_eq!(bytes.receive(0), Ok(()));
        assert_eq!(bytes.receive(1), Err(Exceeded));
    }

    #[test]
    fn reading_allows_nothing_until_it_is_announced() {
        let mut bytes = Incoming::data(10, 10);

        pass(&mut bytes, 10);

        assert_eq!(bytes.receive(1), Err(Exceeded));
    }

    #[test]
    fn limit_that_was_not_sent_is_given_again() {
        let mut bytes = Incoming::data(10, 10);
        pass(&mut bytes, 5);

        assert_eq!(bytes.announce(), Some(15));
        assert_eq!(bytes.announce(), Some(15));
        pass(&mut bytes, 1);
        assert_eq!(bytes.announce(), Some(16));
        bytes.announced(15);

        assert_eq!(bytes.announce(), None);
    }

    #[test]
    fn peer_may_be_quicker_than_the_word_that_it_was_told() {
        let mut bytes = Incoming::data(10, 10);
        pass(&mut bytes, 10);

        let limit = bytes.announce().unwrap();
        assert_eq!(bytes.receive(10), Ok(()));
        bytes.announced(limit);

        assert_eq!(bytes.receive(1), Err(Exceeded));
    }

    #[test]
    fn first_limit_below_the_window_is_made_up_for_at_once() {
        let mut streams = Incoming::streams(0, 4);

        assert_eq!(streams.receive(1), Err(Exceeded));
        assert_eq!(tell(&mut streams), Some(4));
        assert_eq!(streams.receive(1), Ok(()));
        assert_eq!(streams.announce(), None);
    }

    #[test]
    fn first_limit_above_the_window_stays_as_long_as_it_lasts() {
        let mut bytes = Incoming::data(100, 10);

        pass(&mut bytes, 94);
        assert_eq!(bytes.announce(), None);
        pass(&mut bytes, 1);

        assert_eq!(bytes.announce(), Some(105));
    }

    #[test]
    fn without_a_window_nothing_is_announced() {
        let mut streams = Incoming::streams(0, 0);

        assert_eq!(streams.announce(), None);
    }

    #[test]
    fn streams_that_are_over_make_room_for_others() {
        let mut streams = Incoming::streams(1, 1);

        streams.receive(1).unwrap();
        assert_eq!(streams.announce(), None);
        streams.release(1);

        assert_eq!(tell(&mut streams), Some(2));
        assert_eq!(streams.receive(1), Ok(()));
    }

    #[test]
    fn forgiven_bytes_are_credit_again() {
        let mut bytes = Incoming::data(10, 10);
        // The peer has sent all it may, on a stream that it has then reset.
        bytes.forgive(10);

        assert_eq!(tell(&mut bytes), Some(20));
        // Of what was forgiven, the peer may have sent less.
        assert_eq!(bytes.receive(20), Ok(()));
    }

    #[test]
    fn limits_end_where_integers_and_ids_do() {
        for (mut counts, most) in [
            (Incoming::data(1, u64::MAX), (1 << 62) - 1),
            (Incoming::streams(1, u64::MAX), 1 << 60),
        ] {
            assert_eq!(tell(&mut counts), Some(most));
            pass(&mut counts, most);
            counts.forgive(u64::MAX);

            assert_eq!(counts.announce(), None);
            assert_eq!(counts.receive(1), Err(Exceeded));
        }
    }

    #[test]
    fn last_limit_is_announced_though_it_is_a_small_step() {
        let most = varint::MAX;
        let mut bytes = Incoming::data(most - 1, 10);

        pass(&mut bytes, most - 6);

        assert_eq!(tell(&mut bytes), Some(most));
        assert_eq!(bytes.announce(), None);
    }

    proptest! {
        #[test]
        fn as_long_as_it_is_quiet_nothing_is_announced(
            limit in 0..200_u64,
            window in 0..200_u64,
            steps in proptest::collection::vec((0..5_u8, 0..100_u64), 0..40),
        ) {
            let mut bytes = Incoming::data(limit, window);

            for (step, amount) in steps {
                match step {
                    0 => bytes.receive(amount).unwrap_or_default(),
                    1 => bytes.release(amount),
                    2 => bytes.forgive(amount),
                    3 => bytes.blocked(amount),
                    _ => _ = tell(&mut bytes),
                }
                let mut later = bytes;
                if bytes.quiet() > 0 {
                    prop_assert_eq!(later.receive(bytes.quiet()), Ok(()));
                    later.release(u64::MAX);
                    prop_assert_eq!(later.announce(), None);
                }
            }
        }

        #[test]
        fn more_than_the_limit_is_never_taken(
            limit in 0..=varint::MAX,
            window: u64,
            steps in proptest::collection::vec((0..4_u8, any::<u64>()), 0..40),
        ) {
            let mut bytes = Incoming::data(limit, window);
            let (mut limit, mut received) = (limit, 0_u64);

            for (step, amount) in steps {
                match step {
                    0 => {
                        let allowed = amount <= limit - received;
                        prop_assert_eq!(bytes.receive(amount).is_ok(), allowed);
                        received += if allowed { amount } else { 0 };
                    }
                    1 => bytes.release(amount),
                    2 => bytes.forgive(amount),
                    _ => if let Some(next) = tell(&mut bytes) {
                        prop_assert!(next > limit && next <= varint::MAX);
                        limit = next;
                    },
                }
            }
        }
    }
}
