//! How a request is kept, to be sent again.

#[cfg(feature = "http")]
mod body;
#[cfg(feature = "http")]
mod buffered;
#[cfg(feature = "http")]
mod source;
#[cfg(feature = "http")]
mod tape;

#[cfg(feature = "http")]
pub use body::{BodyError, ReplayBody};
#[cfg(feature = "http")]
pub use buffered::Buffered;

/// Keeps a request while it is sent.
///
/// Any closure `Fn(&Req) -> Option<Req>` is a replay.
pub trait Replay<Req> {
    /// What to send next time; `None` if the request can be sent once only.
    fn save(&self, request: &Req) -> Option<Req>;

    /// Whether what was saved can still be sent, once the attempt before is over. Default: yes.
    fn can_resend(&self, _saved: &Req) -> bool {
        true
    }

    /// Takes note that what was saved will be sent, after a wait; `false` if it cannot be after
    /// all.
    ///
    /// What is left of the attempt before must change nothing of it from here on. Default: yes.
    fn resend(&self, _saved: &Req) -> bool {
        true
    }
}

/// Clones the request. The default.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a unit struct is written as it is"
)]
pub struct Cloned;

impl<Req: Clone> Replay<Req> for Cloned {
    fn save(&self, request: &Req) -> Option<Req> {
        Some(request.clone())
    }
}

/// Keeps nothing, so each request is sent once: for requests that cannot be cloned.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a unit struct is written as it is"
)]
pub struct Never;

impl<Req> Replay<Req> for Never {
    fn save(&self, _: &Req) -> Option<Req> {
        None
    }
}

impl<F, Req> Replay<Req> for F
where
    F: Fn(&Req) -> Option<Req>,
{
    fn save(&self, request: &Req) -> Option<Req> {
        self(request)
    }
}
