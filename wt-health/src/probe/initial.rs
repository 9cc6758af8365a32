/// What a backend is before its first probes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Initial {
    /// In rotation.
    #[default]
    Up,
    /// Out of rotation, until probes have succeeded [often enough](crate::probe::Probes::rise).
    ///
    /// It is no ejection, and counts neither for their limit nor for the panic threshold.
    Down,
}
