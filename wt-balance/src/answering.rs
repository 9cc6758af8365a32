/// What is done with an answer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answering<C, Tc, A> {
    pub(crate) classify: C,
    pub(crate) completion: Tc,
    pub(crate) tell: A,
}
