/// An operator's word on a backend, before which all verdicts stand back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Override {
    /// In rotation, whatever calls and probes say.
    Up,
    /// Out of rotation, and not probed: maintenance.
    Down,
    /// Out of rotation: calls under way end as they may, and probes go on.
    Drain,
}
