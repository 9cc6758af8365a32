use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::mem;

use bytes::Bytes;
use tokio::time::Instant;

use crate::limits::Limits;
use crate::proto::control::Side;
use crate::proto::draft;
use crate::sessions::early::{Early, Place};

/// Which sessions a connection has, and what arrived for those that it does not have yet.
///
/// A server hears of a session when its CONNECT arrives, and streams and datagrams may overtake
/// that; a client knows its own, and keeps what arrives before the answer. What is kept is bounded
/// over the whole connection, and where nothing of a session arrives but this, also in time. `C` is
/// an open session, `S` a stream.
#[derive(Debug)]
pub(crate) struct Table<C, S> {
    slots: BTreeMap<u64, Slot<C, S>>,
    limits: Limits,
    /// Stream ids below have been looked at: one without a slot is no session any more.
    seen: u64,
    /// Sessions asked for or open.
    count: u32,
    /// Slots of streams of which it is not known yet what they are.
    unknown: usize,
    /// Since when the first of those that may be forgotten has been kept, or before.
    oldest: Option<Instant>,
    kept_streams: usize,
    kept_datagrams: usize,
    refused_streams: u64,
    refused_datagrams: u64,
}

#[derive(Debug)]
enum Slot<C, S> {
    /// Something of it has arrived, and not all of its header; of the stream itself nothing, if
    /// this says since when.
    Unknown(Early<S>, Option<Instant>),
    /// Its CONNECT waits for an answer.
    Asked(Early<S>),
    Open(C),
}

impl<C: Clone, S> Table<C, S> {
    pub(crate) fn new(side: Side, limits: Limits) -> Self {
        Self {
            slots: BTreeMap::new(),
            limits,
            seen: match side {
                // Its own sessions alone, each of which has a slot.
                Side::Client => u64::MAX,
                Side::Server => 0,
            },
            count: 0,
            unknown: 0,
            oldest: None,
            kept_streams: 0,
            kept_datagrams: 0,
            refused_streams: 0,
            refused_datagrams: 0,
        }
    }

    /// Notes that the stream `id` has arrived, and all before it.
    pub(crate) fn see(&mut self, id: u64) {
        self.seen = self.seen.max(id + 1);
    }

    /// The first bidirectional stream of the client's that has not arrived.
    pub(crate) fn first_unseen(&self) -> u64 {
        self.seen.next_multiple_of(4)
    }

    /// Keeps what arrives for `id` until its header is read.
    pub(crate) fn expect(&mut self, id: u64) {
        match self.slots.entry(id) {
            Entry::Vacant(slot) => {
                slot.insert(Slot::Unknown(Early::default(), None));
                self.unknown += 1;
            }
            Entry::Occupied(mut slot) => {
                if let Slot::Unknown(_, since) = slot.get_mut() {
                    *since = None;
                }
            }
        }
    }

    /// Admits one session at a time.
    pub(crate) fn admit_one(&mut self) {
        self.limits.max_sessions = 1;
    }

    /// Takes a CONNECT in, unless the limit is reached.
    pub(crate) fn ask(&mut self, id: u64) -> bool {
        if self.count >= self.limits.max_sessions {
            return false;
        }
        self.ask_unbounded(id);
        true
    }

    /// Takes in a CONNECT of this side's: how many there may be is the peer's to say.
    pub(crate) fn ask_unbounded(&mut self, id: u64) {
        self.see(id);
        self.expect(id);
        if let Some(slot) = self.slots.get_mut(&id)
            && let Slot::Unknown(early, _) = slot
        {
            *slot = Slot::Asked(mem::take(early));
            self.unknown -= 1;
            self.count += 1;
        }
    }

    /// Notes that the stream `id` has arrived, and is no session; gives what arrived early for one.
    pub(crate) fn see_stream(&mut self, id: u64) -> Early<S> {
        self.see(id);
        if self.unknown == 0 {
            return Early::default();
        }
        self.remove(id)
    }

    /// Opens a session that was asked for, and gives what arrived early.
    pub(crate) fn open(&mut self, id: u64, session: C) -> Early<S> {
        match self.slots.insert(id, Slot::Open(session)) {
            Some(Slot::Asked(early)) => self.release(early),
            Some(Slot::Unknown(..) | Slot::Open(_)) | None => {
                debug_assert!(false, "a session is asked for once before it opens");
                Early::default()
            }
        }
    }

    /// Forgets a session, or a stream that turned out to be none, and gives what arrived early.
    pub(crate) fn remove(&mut self, id: u64) -> Early<S> {
        match self.slots.remove(&id) {
            None => Early::default(),
            Some(Slot::Unknown(early, _)) => {
                self.unknown -= 1;
                self.release(early)
            }
            Some(Slot::Asked(early)) => {
                self.count -= 1;
                self.release(early)
            }
            Some(Slot::Open(_)) => {
                self.count -= 1;
                Early::default()
            }
        }
    }

    /// The session, if it is open.
    pub(crate) fn session(&self, id: u64) -> Option<&C> {
        match self.slots.get(&id)? {
            Slot::Open(session) => Some(session),
            Slot::Unknown(..) | Slot::Asked(_) => None,
        }
    }

    /// Places a stream of a session that is not open.
    pub(crate) fn stream(&mut self, id: u64, stream: S, now: Instant) -> Place<S> {
        if !self.may_come(id) {
            return Place::Refuse(stream, draft::SESSION_GONE_03);
        }
        if self.kept_streams >= self.limits.early_streams {
            self.refused_streams += 1;
            return Place::Refuse(stream, draft::BUFFERED_STREAM_REJECTED);
        }
        self.kept_streams += 1;
        if let Some(early) = self.early(id, now) {
            early.streams.push(stream);
        }
        Place::Kept
    }

    /// Places a datagram of a session that is not open; it is copied out of what arrived with it.
    pub(crate) fn datagram(&mut self, id: u64, datagram: Bytes, now: Instant) -> Place<Bytes> {
        if !self.may_come(id) {
            return Place::Refuse(datagram, draft::SESSION_GONE_03);
        }
        if self.kept_datagrams >= self.limits.early_datagrams {
            self.refused_datagrams += 1;
            return Place::Refuse(datagram, draft::BUFFERED_STREAM_REJECTED);
        }
        self.kept_datagrams += 1;
        if let Some(early) = self.early(id, now) {
            early.datagrams.push(Bytes::copy_from_slice(&datagram));
        }
        Place::Kept
    }

    /// Forgets what has been kept for as long as a header may take, for sessions of which nothing
    /// else has come, and gives its streams.
    pub(crate) fn forget(&mut self, now: Instant) -> Vec<S> {
        let limit = self.limits.header_timeout;
        let is_late = |since: Instant| now.saturating_duration_since(since) >= limit;
        if !self.oldest.is_some_and(is_late) {
            return Vec::new();
        }
        let ages = self.slots.iter().filter_map(|(id, slot)| match slot {
            Slot::Unknown(_, Some(since)) => Some((*id, *since)),
            Slot::Unknown(_, None) | Slot::Asked(_) | Slot::Open(_) => None,
        });
        let (late, young): (Vec<_>, Vec<_>) = ages.partition(|(_, since)| is_late(*since));
        self.oldest = young.into_iter().map(|(_, since)| since).min();
        let mut streams = Vec::new();
        for (id, _) in late {
            let early = self.remove(id);
            self.refused_streams += early.streams.len() as u64;
            self.refused_datagrams += early.datagrams.len() as u64;
            streams.extend(early.streams);
        }
        streams
    }

    /// The open sessions.
    pub(crate) fn all(&self) -> Vec<C> {
        let open = |slot: &Slot<C, S>| match slot {
            Slot::Open(session) => Some(session.clone()),
            Slot::Unknown(..) | Slot::Asked(_) => None,
        };
        self.slots.values().filter_map(open).collect()
    }

    /// How many early streams and datagrams were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused_streams + self.refused_datagrams
    }

    /// How many early streams were refused.
    pub(crate) fn refused_streams(&self) -> u64 {
        self.refused_streams
    }

    fn may_come(&self, id: u64) -> bool {
        id >= self.seen || self.slots.contains_key(&id)
    }

    fn early(&mut self, id: u64, now: Instant) -> Option<&mut Early<S>> {
        let slot = self.slots.entry(id).or_insert_with(|| {
            self.unknown += 1;
            self.oldest.get_or_insert(now);
            Slot::Unknown(Early::default(), Some(now))
        });
        match slot {
            Slot::Unknown(early, _) | Slot::Asked(early) => Some(early),
            Slot::Open(_) => None,
        }
    }

    fn release(&mut self, early: Early<S>) -> Early<S> {
        self.kept_streams -= early.streams.len();
        self.kept_datagrams -= early.datagrams.len();
        early
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn now() -> Instant {
        Instant::now()
    }

    fn table() -> Table<&'static str, u32> {
        Table::new(
            Side::Server,
            Limits::default()
                .max_sessions(2)
                .early_streams(2)
                .early_datagrams(1)
                .header_timeout(SECOND),
        )
    }

    #[test]
    fn what_arrives_early_is_delivered_when_the_session_opens() {
        let mut table = table();

        assert_eq!(table.stream(4, 7, now()), Place::Kept);
        assert_eq!(
            table.datagram(4, Bytes::from_static(b"x"), now()),
            Place::Kept
        );
        assert!(table.ask(4));
        assert_eq!(table.stream(4, 8, now()), Place::Kept);
        let early = table.open(4, "four");

        assert_eq!(early.streams, [7, 8]);
        assert_eq!(early.datagrams.len(), 1);
        assert_eq!(table.session(4), Some(&"four"));
    }

    #[test]
    fn the_bound_on_early_streams_holds_over_all_sessions() {
        let mut table = table();

        assert_eq!(table.stream(0, 1, now()), Place::Kept);
        assert_eq!(table.stream(4, 2, now()), Place::Kept);

        let refused = draft::BUFFERED_STREAM_REJECTED;
        assert_eq!(table.stream(8, 3, now()), Place::Refuse(3, refused));
        assert_eq!(table.refused(), 1);
    }

    #[test]
    fn room_for_early_streams_comes_back() {
        let mut table = table();
        table.stream(0, 1, now());
        table.stream(0, 2, now());

        assert_eq!(table.remove(0).streams, [1, 2]);

        assert_eq!(table.stream(4, 3, now()), Place::Kept);
    }

    #[test]
    fn a_closed_session_is_gone_and_a_later_one_may_come() {
        let mut table = table();
        table.ask(4);
        table.open(4, "four");
        table.remove(4);

        assert_eq!(
            table.stream(4, 1, now()),
            Place::Refuse(1, draft::SESSION_GONE_03)
        );
        assert_eq!(
            table.stream(0, 1, now()),
            Place::Refuse(1, draft::SESSION_GONE_03)
        );
        assert_eq!(table.stream(8, 1, now()), Place::Kept);
    }

    #[test]
    fn a_header_still_being_read_is_waited_for() {
        let mut table = table();
        table.expect(0);
        table.see(0);

        assert_eq!(table.stream(0, 1, now()), Place::Kept);
    }

    #[test]
    fn the_first_unseen_request_follows_the_last_seen() {
        let mut table = table();

        assert_eq!(table.first_unseen(), 0);
        table.see(8);

        assert_eq!(table.first_unseen(), 12);
    }

    #[test]
    fn sessions_over_the_limit_are_not_admitted_until_one_ends() {
        let mut table = table();

        assert!(table.ask(0) && table.ask(4));
        assert!(!table.ask(8));
        table.remove(0);

        assert!(table.ask(8));
    }

    #[test]
    fn what_never_becomes_a_session_is_forgotten_in_time() {
        let (mut table, start) = (table(), now());
        table.stream(8, 1, start);
        table.datagram(12, Bytes::from_static(b"x"), start);
        table.stream(16, 2, start + SECOND / 2);

        assert!(table.forget(start + SECOND / 2).is_empty());
        assert_eq!(table.forget(start + SECOND), [1]);
        assert_eq!(table.refused(), 2);
        assert!(table.forget(start + SECOND).is_empty());
        assert_eq!(table.forget(start + 2 * SECOND), [2]);

        assert_eq!(table.stream(8, 3, start + 2 * SECOND), Place::Kept);
        assert_eq!(table.stream(12, 4, start + 2 * SECOND), Place::Kept);
    }

    #[test]
    fn what_may_still_become_a_session_is_not_forgotten() {
        let (mut table, start) = (table(), now());
        table.stream(0, 1, start);
        table.expect(0);
        table.stream(4, 2, start);
        table.ask(4);

        assert!(table.forget(start + 2 * SECOND).is_empty());
        assert_eq!(table.open(4, "four").streams, [2]);
    }

    #[test]
    fn an_early_datagram_holds_nothing_of_what_arrived_with_it() {
        let mut table = table();
        let arrived = Bytes::from(vec![7; 60_000]);

        table.datagram(4, arrived.slice(..1), now());

        assert!(arrived.is_unique());
    }
}
