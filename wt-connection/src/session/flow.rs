use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

use crate::lock::Lock;
use crate::proto::capsule::Capsule;
use crate::proto::credit::Credit;
use crate::proto::direction::Direction;
use crate::proto::fault::Fault;
use crate::proto::flow::{Exceeded, Incoming, Outgoing};
use crate::wait;

/// What either side of one session may send and open, where both want that bounded.
#[derive(Debug)]
pub(crate) struct FlowControl {
    state: Lock<State>,
    /// Told when the peer has raised a limit of streams, or some was given back.
    raised: Notify,
    /// Told when there is something to say to the peer.
    due: Notify,
    /// How many bytes of one stream may be under way, as far as is known.
    stream_window: u64,
}

#[derive(Debug)]
struct State {
    sent: Outgoing,
    opened: Kinds<Outgoing>,
    received: Incoming,
    accepted: Kinds<Incoming>,
    /// Who waits until it may write, by stream.
    writers: BTreeMap<u64, Waker>,
}

/// One for streams of each kind.
#[derive(Debug)]
struct Kinds<T> {
    bi: T,
    uni: T,
}

/// What this side may open, until it is opened: dropped before, another may.
pub(crate) struct Opening<'a> {
    flow: Option<&'a FlowControl>,
    direction: Direction,
}

/// A stream of the peer's, which may open another in its place once this is dropped.
#[derive(Debug)]
pub(crate) struct Accepted {
    flow: Arc<FlowControl>,
    direction: Direction,
}

impl FlowControl {
    /// Begins with what both sides announced; `stream_window` is QUIC's, of one stream.
    pub(crate) fn new(ours: Credit, theirs: Credit, stream_window: Option<u32>) -> Arc<Self> {
        Arc::new(Self {
            state: Lock::new(State {
                sent: Outgoing::new(theirs.data),
                opened: Kinds {
                    bi: Outgoing::new(theirs.bi_streams),
                    uni: Outgoing::new(theirs.uni_streams),
                },
                received: Incoming::data(ours.data, ours.data),
                accepted: Kinds {
                    bi: Incoming::streams(ours.bi_streams, ours.bi_streams),
                    uni: Incoming::streams(ours.uni_streams, ours.uni_streams),
                },
                writers: BTreeMap::new(),
            }),
            raised: Notify::new(),
            due: Notify::new(),
            stream_window: stream_window.map_or(UNKNOWN_WINDOW, u64::from),
        })
    }

    /// Waits until this side may open another stream.
    ///
    /// Cancel safe: nothing is used up until the stream is opened.
    pub(crate) async fn open(&self, direction: Direction) -> Opening<'_> {
        wait::until(&self.raised, || {
            let mut state = self.state.lock();
            let opened = state.opened.of(direction);
            let may = opened.reserve(1) == 1;
            drop(state);
            if !may {
                self.due.notify_one();
            }
            may.then_some(())
        })
        .await;
        Opening {
            flow: Some(self),
            direction,
        }
    }

    /// Takes up to `want` of the bytes that may be sent; the writer of `stream` is woken later if
    /// there are none.
    ///
    /// `old` is given a waker that is of no more use, to be dropped once nothing is locked.
    pub(crate) fn poll_reserve(
        &self,
        cx: &Context<'_>,
        stream: u64,
        want: usize,
        old: &mut Option<Waker>,
    ) -> Poll<usize> {
        let mut state = self.state.lock();
        let granted = state.sent.reserve(want as u64) as usize;
        *old = match granted > 0 || want == 0 {
            true => state.writers.remove(&stream),
            false => state.writers.insert(stream, cx.waker().clone()),
        };
        drop(state);
        if granted == 0 && want > 0 {
            self.due.notify_one();
            return Poll::Pending;
        }
        Poll::Ready(granted)
    }

    /// Returns bytes that were not sent, for which others may wait.
    pub(crate) fn give_back(&self, unused: usize) {
        if unused == 0 {
            return;
        }
        let mut state = self.state.lock();
        state.sent.give_back(unused as u64);
        let writers = state.take_writers();
        drop(state);
        writers.into_values().for_each(Waker::wake);
    }

    /// Forgets who writes to a stream that is done.
    pub(crate) fn forget(&self, stream: u64) {
        let waker = self.state.lock().writers.remove(&stream);
        drop(waker);
    }

    /// Takes in a stream of the peer's.
    pub(crate) fn accept(self: &Arc<Self>, direction: Direction) -> Result<Accepted, Exceeded> {
        let mut state = self.state.lock();
        let accepted = state.accepted.of(direction);
        accepted.arrive()?;
        let due = accepted.announce().is_some();
        drop(state);
        if due {
            self.due.notify_one();
        }
        Ok(Accepted {
            flow: Arc::clone(self),
            direction,
        })
    }

    /// Counts bytes that the application has read.
    pub(crate) fn read(&self, bytes: u64) -> Result<(), Exceeded> {
        let mut state = self.state.lock();
        state.received.receive(bytes)?;
        state.received.release(bytes);
        let due = state.received.announce().is_some();
        drop(state);
        if due {
            self.due.notify_one();
        }
        Ok(())
    }

    /// Makes up for what will not be read of a stream: `held`, and what may be under way if its end
    /// has not come.
    pub(crate) fn forgive(&self, held: u64, ended: bool) {
        let under_way = if ended { 0 } else { self.stream_window };
        let mut state = self.state.lock();
        state.received.forgive(held.saturating_add(under_way));
        let due = state.received.announce().is_some();
        drop(state);
        if due {
            self.due.notify_one();
        }
    }

    /// Makes up for streams of one kind whose session nobody knows, or that came before it and were
    /// refused: the peer may have counted them, and what was on them, here.
    pub(crate) fn forgive_streams(&self, direction: Direction, count: u64) {
        if count == 0 {
            return;
        }
        let mut state = self.state.lock();
        state.accepted.of(direction).forgive(count);
        let bytes = count.saturating_mul(self.stream_window);
        state.received.forgive(bytes);
        drop(state);
        self.due.notify_one();
    }

    /// Takes in a capsule of the peer's.
    pub(crate) fn hear(&self, capsule: &Capsule) -> Result<(), Fault> {
        match *capsule {
            Capsule::MaxData(limit) => {
                let mut state = self.state.lock();
                state.sent.raise(limit)?;
                let writers = state.take_writers();
                drop(state);
                writers.into_values().for_each(Waker::wake);
            }
            Capsule::MaxStreams { direction, max } => {
                self.state.lock().opened.of(direction).raise(max)?;
                self.raised.notify_waiters();
            }
            Capsule::DataBlocked(limit) => {
                self.state.lock().received.blocked(limit);
                self.due.notify_one();
            }
            Capsule::StreamsBlocked { direction, max } => {
                self.state.lock().accepted.of(direction).blocked(max);
                self.due.notify_one();
            }
            Capsule::Close { .. } | Capsule::Drain => {}
        }
        Ok(())
    }

    /// Waits for something to say to the peer.
    ///
    /// Cancel safe: a limit that was not [said](Self::said) is given again. That this side is
    /// blocked is given once, for it asks for nothing.
    pub(crate) async fn due(&self) -> Vec<Capsule> {
        wait::until(&self.due, || {
            let capsules = self.state.lock().due();
            (!capsules.is_empty()).then_some(capsules)
        })
        .await
    }

    /// Notes that the peer will hear what was due.
    pub(crate) fn said(&self, capsules: &[Capsule]) {
        let mut state = self.state.lock();
        for capsule in capsules {
            match *capsule {
                Capsule::MaxData(limit) => state.received.announced(limit),
                Capsule::MaxStreams { direction, max } => {
                    state.accepted.of(direction).announced(max);
                }
                _ => {}
            }
        }
    }
}

impl State {
    fn due(&mut self) -> Vec<Capsule> {
        let mut capsules = Vec::new();
        capsules.extend(self.received.announce().map(Capsule::MaxData));
        capsules.extend(self.sent.blocked().map(Capsule::DataBlocked));
        for direction in [Direction::Bi, Direction::Uni] {
            let max = self.accepted.of(direction).announce();
            capsules.extend(max.map(|max| Capsule::MaxStreams { direction, max }));
            let max = self.opened.of(direction).blocked();
            capsules.extend(max.map(|max| Capsule::StreamsBlocked { direction, max }));
        }
        capsules
    }

    /// Those who may write now, if anybody may.
    fn take_writers(&mut self) -> BTreeMap<u64, Waker> {
        match self.sent.left() > 0 {
            true => mem::take(&mut self.writers),
            false => BTreeMap::new(),
        }
    }
}

impl<T> Kinds<T> {
    fn of(&mut self, direction: Direction) -> &mut T {
        match direction {
            Direction::Bi => &mut self.bi,
            Direction::Uni => &mut self.uni,
        }
    }
}

impl Opening<'_> {
    /// Notes that the stream is opened, and that the peer hears of it.
    pub(crate) fn opened(mut self) {
        self.flow = None;
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        if let Some(flow) = self.flow {
            flow.state.lock().opened.of(self.direction).give_back(1);
            flow.raised.notify_waiters();
        }
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        let mut state = self.flow.state.lock();
        let accepted = state.accepted.of(self.direction);
        accepted.leave();
        let due = accepted.announce().is_some();
        drop(state);
        if due {
            self.flow.due.notify_one();
        }
    }
}

/// More than any stream's, where it is not known.
const UNKNOWN_WINDOW: u64 = 1 << 32;

#[cfg(test)]
mod tests {
    use tokio_test::{assert_ready, task::spawn};

    use super::*;

    fn granting(data: u64, uni_streams: u64) -> Arc<FlowControl> {
        let theirs = Credit {
            data,
            uni_streams,
            ..Credit::default()
        };
        FlowControl::new(Credit::default(), theirs, None)
    }

    #[test]
    fn what_is_not_opened_after_all_may_be_opened_by_another() {
        let flow = granting(0, 1);
        let first = assert_ready!(spawn(flow.open(Direction::Uni)).poll());
        let mut second = spawn(flow.open(Direction::Uni));
        assert!(second.poll().is_pending());

        drop(first);

        assert!(second.is_woken());
        assert_ready!(second.poll()).opened();
        assert!(spawn(flow.open(Direction::Uni)).poll().is_pending());
    }

    #[test]
    fn bytes_that_are_given_back_wake_whoever_waits_for_them() {
        let flow = granting(4, 0);
        let mut old = None;
        let mut writer = spawn(());
        writer.enter(|cx, _| {
            assert_eq!(flow.poll_reserve(cx, 2, 9, &mut old), Poll::Ready(4));
            assert!(flow.poll_reserve(cx, 6, 9, &mut old).is_pending());
        });

        flow.give_back(3);

        assert!(writer.is_woken());
        writer.enter(|cx, _| {
            assert_eq!(flow.poll_reserve(cx, 6, 9, &mut old), Poll::Ready(3));
        });
    }
}
