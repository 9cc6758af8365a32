use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

use crate::proto::capsule::Capsule;
use crate::proto::credit::Credit;
use crate::proto::direction::Direction;
use crate::proto::fault::Fault;
use crate::proto::flow::{Exceeded, Incoming};
use crate::session::flow::allowance::Allowance;
use crate::session::flow::supply::Supply;
use crate::session::flow::writers::Writers;
use crate::wait;

mod allowance;
mod spare;
mod supply;
#[cfg(test)]
mod tests;
mod writers;

/// What either side of one session may send and open, where both want that bounded.
#[derive(Debug)]
pub(crate) struct FlowControl {
    sent: Allowance,
    opened: Kinds<Allowance>,
    received: Supply,
    accepted: Kinds<Supply>,
    writers: Writers,
    /// Told when the peer has raised a limit of streams, or some was given back.
    raised: Kinds<Notify>,
    /// Told when there is something to say to the peer.
    due: Notify,
    /// How many bytes of one stream may be under way, as far as is known.
    stream_window: u64,
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
        let streams = |limit| Supply::new(Incoming::streams(limit, limit));
        Arc::new(Self {
            sent: Allowance::new(theirs.data),
            opened: Kinds {
                bi: Allowance::new(theirs.bi_streams),
                uni: Allowance::new(theirs.uni_streams),
            },
            received: Supply::new(Incoming::data(ours.data, ours.data)),
            accepted: Kinds {
                bi: streams(ours.bi_streams),
                uni: streams(ours.uni_streams),
            },
            writers: Writers::default(),
            raised: Kinds {
                bi: Notify::new(),
                uni: Notify::new(),
            },
            due: Notify::new(),
            stream_window: stream_window.map_or(UNKNOWN_WINDOW, u64::from),
        })
    }

    /// Waits until this side may open another stream.
    ///
    /// Cancel safe: nothing is used up until the stream is opened.
    pub(crate) async fn open(&self, direction: Direction) -> Opening<'_> {
        wait::until(self.raised.of(direction), || {
            let may = self.opened.of(direction).take(1) == 1;
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

    /// Takes up to `want` of the bytes that may be sent; if there are none, the writer is woken
    /// later, and has a `place` among those who wait.
    ///
    /// `old` is given a waker that is of no more use, to be dropped once nothing is locked.
    pub(crate) fn poll_reserve(
        &self,
        cx: &Context<'_>,
        place: &mut Option<u64>,
        want: usize,
        old: &mut Option<Waker>,
    ) -> Poll<usize> {
        let want = want as u64;
        let mut granted = self.sent.take(want);
        if granted == 0 && want > 0 {
            let (kept, replaced) = self.writers.wait(*place, cx.waker());
            (*place, *old) = (Some(kept), replaced);
            // What came before that woke nobody.
            granted = self.sent.take(want);
            if granted == 0 {
                self.due.notify_one();
                return Poll::Pending;
            }
        } else if let Some(place) = place.take() {
            *old = self.writers.leave(place);
        }
        Poll::Ready(granted as usize)
    }

    /// Returns bytes that were not sent, for which others may wait.
    pub(crate) fn give_back(&self, unused: usize) {
        if unused > 0 {
            self.sent.give_back(unused as u64);
            self.writers.wake();
        }
    }

    /// Forgets a writer that waits no more.
    pub(crate) fn forget(&self, place: u64) {
        drop(self.writers.leave(place));
    }

    /// Takes in a stream of the peer's.
    pub(crate) fn accept(self: &Arc<Self>, direction: Direction) -> Result<Accepted, Exceeded> {
        let accepted = self.accepted.of(direction);
        accepted.receive(1)?;
        // Of those that are over, the peer is told once it has few left.
        self.tell_if(accepted.is_due());
        Ok(Accepted {
            flow: Arc::clone(self),
            direction,
        })
    }

    /// Counts bytes that the application has read.
    pub(crate) fn read(&self, bytes: u64) -> Result<(), Exceeded> {
        self.received.receive(bytes)?;
        self.received.release(bytes);
        self.tell_if(self.received.is_due());
        Ok(())
    }

    /// Makes up for what will not be read of a stream: `held`, and what may be under way if its end
    /// has not come.
    pub(crate) fn forgive(&self, held: u64, ended: bool) {
        let under_way = if ended { 0 } else { self.stream_window };
        self.received.forgive(held.saturating_add(under_way));
        self.tell_if(self.received.is_due());
    }

    /// Makes up for streams of one kind whose session nobody knows, or that came before it and were
    /// refused: the peer may have counted them, and what was on them, here.
    pub(crate) fn forgive_streams(&self, direction: Direction, count: u64) {
        if count == 0 {
            return;
        }
        self.accepted.of(direction).forgive(count);
        let bytes = count.saturating_mul(self.stream_window);
        self.received.forgive(bytes);
        self.due.notify_one();
    }

    /// Takes in a capsule of the peer's.
    pub(crate) fn hear(&self, capsule: &Capsule) -> Result<(), Fault> {
        match *capsule {
            Capsule::MaxData(limit) => {
                if self.sent.raise(limit)? {
                    self.writers.wake();
                }
            }
            Capsule::MaxStreams { direction, max } => {
                if self.opened.of(direction).raise(max)? {
                    self.raised.of(direction).notify_waiters();
                }
            }
            Capsule::DataBlocked(limit) => {
                self.received.blocked(limit);
                self.due.notify_one();
            }
            Capsule::StreamsBlocked { direction, max } => {
                self.accepted.of(direction).blocked(max);
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
            let capsules = self.capsules();
            (!capsules.is_empty()).then_some(capsules)
        })
        .await
    }

    /// Notes that the peer will hear what was due.
    pub(crate) fn said(&self, capsules: &[Capsule]) {
        for capsule in capsules {
            match *capsule {
                Capsule::MaxData(limit) => self.received.announced(limit),
                Capsule::MaxStreams { direction, max } => {
                    self.accepted.of(direction).announced(max);
                }
                _ => {}
            }
        }
    }

    fn capsules(&self) -> Vec<Capsule> {
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

    fn tell_if(&self, due: bool) {
        if due {
            self.due.notify_one();
        }
    }
}

impl<T> Kinds<T> {
    fn of(&self, direction: Direction) -> &T {
        match direction {
            Direction::Bi => &self.bi,
            Direction::Uni => &self.uni,
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
            flow.opened.of(self.direction).give_back(1);
            flow.raised.of(self.direction).notify_waiters();
        }
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        let accepted = self.flow.accepted.of(self.direction);
        accepted.release(1);
        self.flow.tell_if(accepted.is_due());
    }
}

/// More than any stream's, where it is not known.
const UNKNOWN_WINDOW: u64 = 1 << 32;
