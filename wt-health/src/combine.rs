/// How what calls say (passive) and what probes say (active) make one answer.
///
/// Without probes, the first two are alike, and the last is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Combine {
    /// Calls eject; probes let back in.
    ///
    /// Probes that succeed [often enough](crate::probe::Probes::rise) in a row restore an ejected
    /// backend before its time. While they fail, it stays out beyond its time. A backend that is
    /// not ejected is not taken out by its probes.
    ///
    /// So let a probe ask what calls ask. One that asks less lets back in what calls will eject
    /// again: a server that takes connections, and answers every request with an error, passes a
    /// probe that only connects, fails the next five calls, and so on for as long as it is ill.
    #[default]
    PassiveEjectsActiveRestores,
    /// Either ejects: a backend is out while it is ejected, and while its probes have failed
    /// [often enough](crate::probe::Probes::fall).
    ///
    /// An ejection takes its time, whatever the probes say. How many may be out by their probes has
    /// no limit as [ejections](crate::outlier::Outlier::max_ejected) have: when too many are, all
    /// are used ([`panic_threshold`](crate::MonitorBuilder::panic_threshold)).
    EitherEjects,
    /// Both must agree: a backend whose calls fail is ejected only if its probes have failed
    /// [often enough](crate::probe::Probes::fall), too, and restored as soon as they succeed.
    BothEject,
}
