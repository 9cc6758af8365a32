/// Has a connection prove that it is alive: what
/// [`PoolLayer::validate`](crate::PoolLayer::validate) takes.
///
/// Every function from `&C` to a future of a `Result` does: a method, a closure, an `async` one;
/// closures have to name the type of their argument. `Fn(&C) -> Fut` would not let the future
/// borrow the connection, and `AsyncFn(&C)` cannot say that it is `Send`.
pub trait Validate<'a, C: 'a> {
    /// What is not looked at of the proof.
    type Proof;
    /// Why there is none, which is not looked at, either.
    type Error;
    /// The proof, or why there is none; any error is.
    type Future: Future<Output = Result<Self::Proof, Self::Error>> + Send + 'a;

    /// Begins the proof.
    fn validate(&self, connection: &'a C) -> Self::Future;
}

impl<'a, C, F, Fut, R, E> Validate<'a, C> for F
where
    C: 'a,
    F: Fn(&'a C) -> Fut,
    Fut: Future<Output = Result<R, E>> + Send + 'a,
{
    type Proof = R;
    type Error = E;
    type Future = Fut;

    fn validate(&self, connection: &'a C) -> Fut {
        self(connection)
    }
}
