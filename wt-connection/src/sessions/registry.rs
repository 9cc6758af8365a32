use std::sync::{Arc, MutexGuard};

use tokio::time::Instant;

use crate::limits::Limits;
use crate::lock::Lock;
use crate::proto::control::Side;
use crate::proto::direction::Direction;
use crate::proto::draft;
use crate::session::{IncomingStream, SessionCore};
use crate::sessions::arrivals::Arrivals;
use crate::sessions::batch::Batch;
use crate::sessions::early::Place;
use crate::sessions::table::Table;

/// The sessions of one connection, shared by its driver and its handles.
#[derive(Debug)]
pub(crate) struct Sessions {
    table: Lock<SessionTable>,
    arrivals: Arrivals,
}

type SessionTable = Table<Arc<SessionCore>, IncomingStream>;

impl Sessions {
    pub(crate) fn new(side: Side, limits: Limits) -> Self {
        Self {
            table: Lock::new(Table::new(side, limits)),
            arrivals: Arrivals::default(),
        }
    }

    pub(crate) fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// Notes that the stream `id` has arrived, and all before it.
    pub(crate) fn see(&self, id: u64) {
        self.table.lock().see(id);
    }

    /// The first request of the client's that has not arrived.
    pub(crate) fn first_unseen(&self) -> u64 {
        self.table.lock().first_unseen()
    }

    /// Keeps what arrives for `id` until its header is read.
    pub(crate) fn expect(&self, id: u64) {
        self.table.lock().expect(id);
    }

    /// Admits one session at a time.
    pub(crate) fn admit_one(&self) {
        self.table.lock().admit_one();
    }

    /// Takes a CONNECT in, unless the limit is reached.
    pub(crate) fn ask(&self, id: u64) -> bool {
        self.table.lock().ask(id)
    }

    /// Takes in a CONNECT of this side's.
    pub(crate) fn ask_unbounded(&self, id: u64) {
        self.table.lock().ask_unbounded(id);
    }

    /// Opens a session that was asked for, and hands it what arrived early.
    pub(crate) fn open(&self, session: &Arc<SessionCore>) {
        let mut table = self.table.lock();
        let early = table.open(session.id(), Arc::clone(session));
        if let Some(flow) = session.flow() {
            // Some of them may have been this session's.
            for direction in [Direction::Bi, Direction::Uni] {
                flow.forgive_streams(direction, table.refused_streams());
            }
        }
        // Under the lock, so that what arrives from here on does not overtake it.
        for stream in early.streams {
            session.push_stream(stream);
        }
        for datagram in early.datagrams {
            let reader = session.push_datagram(datagram);
            debug_assert!(reader.is_none(), "nobody has the session yet");
        }
    }

    /// Forgets a session, or a stream that turned out to be none; says whether datagrams had come
    /// for it by then.
    pub(crate) fn remove(&self, id: u64) -> bool {
        let early = self.table.lock().remove(id);
        Self::refuse(early.streams, draft::SESSION_GONE_03);
        !early.datagrams.is_empty()
    }

    pub(crate) fn stream(&self, id: u64, stream: IncomingStream) {
        Self::place(self.table.lock(), id, stream);
    }

    /// Gives datagrams to their sessions; whoever calls this wakes who has waited for them, and
    /// aborts what they are for that is no session.
    pub(crate) fn datagrams(&self, batch: &mut Batch) {
        let (mut late, mut refused) = (Vec::new(), 0_u32);
        let mut table = self.table.lock();
        for (id, datagram) in batch.arrived.drain(..) {
            if let Some(session) = table.session(id) {
                // Under the lock, which costs less than to count who has the session.
                batch.awaited.extend(session.push_datagram(datagram));
                continue;
            }
            let now = Instant::now();
            late.extend(table.forget(now));
            match table.datagram(id, datagram, now) {
                Place::Kept => {}
                Place::Refuse(_, draft::SESSION_GONE_03) => batch.astray.push(id),
                Place::Refuse(..) => refused += 1,
            }
        }
        drop(table);
        if refused > 0 {
            tracing::trace!(refused, "datagrams came too early");
        }
        Self::refuse(late, draft::BUFFERED_STREAM_REJECTED);
    }

    /// Takes in a stream of the client's, `stream_id`, which is no session then.
    pub(crate) fn client_stream(&self, stream_id: u64, id: u64, stream: IncomingStream) {
        let mut table = self.table.lock();
        let early = table.see_stream(stream_id);
        Self::place(table, id, stream);
        Self::refuse(early.streams, draft::SESSION_GONE_03);
    }

    /// The open sessions.
    pub(crate) fn all(&self) -> Vec<Arc<SessionCore>> {
        self.table.lock().all()
    }

    /// How many early streams and datagrams were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.table.lock().refused()
    }

    fn place(mut table: MutexGuard<'_, SessionTable>, id: u64, stream: IncomingStream) {
        if let Some(session) = table.session(id).cloned() {
            drop(table);
            return session.push_stream(stream);
        }
        let now = Instant::now();
        let late = table.forget(now);
        let place = table.stream(id, stream, now);
        drop(table);
        if let Place::Refuse(stream, code) = place {
            if code == draft::BUFFERED_STREAM_REJECTED {
                tracing::trace!(session = id, "a stream came too early");
            }
            stream.refuse(code);
        }
        Self::refuse(late, draft::BUFFERED_STREAM_REJECTED);
    }

    fn refuse(streams: Vec<IncomingStream>, code: u64) {
        for stream in streams {
            stream.refuse(code);
        }
    }
}
