//! Lets a connection's end through a path that is full.
//!
//! quinn holds CONNECTION_CLOSE back with whatever else waits for room in the congestion window,
//! and takes no acknowledgement in by then that would make room: the peer of a connection that is
//! closed amid an upload would hear nothing, and wait for its idle timeout. So every controller is
//! wrapped, and its window opens before the connection is closed.
#![expect(clippy::disallowed_types, reason = "the signatures of quinn's traits")]

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use quinn::congestion::{Controller, ControllerFactory, ControllerMetrics};
use quinn_proto::RttEstimator;

/// Makes the controllers that `F` makes, such that [`open`] opens their windows.
pub(crate) struct Openable<F: ?Sized>(pub(crate) Arc<F>);

impl<F: ControllerFactory + ?Sized> ControllerFactory for Openable<F> {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(OpenableController {
            inner: Arc::clone(&self.0).build(now, current_mtu),
            open: Arc::default(),
        })
    }
}

/// Lets whatever `connection` still sends pass at once; one with a
/// [`quinn::TransportConfig`] of the user's is left as it is.
pub(crate) fn open(connection: &quinn::Connection) {
    let state = connection.congestion_state().into_any();
    if let Ok(controller) = state.downcast::<OpenableController>() {
        controller.open.store(true, Ordering::Relaxed);
    }
}

struct OpenableController {
    inner: Box<dyn Controller>,
    /// Shared with its clones, one of which is all that quinn gives out.
    open: Arc<AtomicBool>,
}

impl Controller for OpenableController {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.inner.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.inner.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.inner
            .on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.inner
            .on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.inner.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        if self.open.load(Ordering::Relaxed) {
            return u64::MAX;
        }
        self.inner.window()
    }

    fn metrics(&self) -> ControllerMetrics {
        self.inner.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self {
            inner: self.inner.clone_box(),
            open: Arc::clone(&self.open),
        })
    }

    fn initial_window(&self) -> u64 {
        self.inner.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
