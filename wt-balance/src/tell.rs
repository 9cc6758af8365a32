/// Tells which backend answered: a closure will do.
///
/// ```
/// use wt_balance::BalanceLayer;
///
/// let tell = |key: &&'static str, result: Result<&mut String, &std::io::Error>| match result {
///     Ok(response) => response.push_str(key),
///     Err(error) => println!("{key}: {error}"),
/// };
/// let layer = BalanceLayer::new(["one", "two"]).tell(tell);
/// # let _ = layer;
/// ```
pub trait Tell<K, R, E> {
    /// Whether there is anything to tell.
    const TELLS: bool = true;

    /// The backend with this key has answered so.
    fn tell(&self, key: &K, result: Result<&mut R, &E>);
}

impl<F, K, R, E> Tell<K, R, E> for F
where
    F: Fn(&K, Result<&mut R, &E>),
{
    fn tell(&self, key: &K, result: Result<&mut R, &E>) {
        self(key, result);
    }
}

/// The default: nobody is told.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Untold;

impl<K, R, E> Tell<K, R, E> for Untold {
    const TELLS: bool = false;

    fn tell(&self, _: &K, _: Result<&mut R, &E>) {}
}

/// Puts the key of the backend into the extensions of an `http::Response`, as [`AnsweredBy`].
///
/// Needs the feature `http`.
#[cfg(feature = "http")]
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a value that is written down")]
pub struct InExtensions;

/// The key of the backend that a response is from.
///
/// Needs the feature `http`.
#[cfg(feature = "http")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "it is its content")]
pub struct AnsweredBy<K>(pub K);

#[cfg(feature = "http")]
impl<K, B, E> Tell<K, http::Response<B>, E> for InExtensions
where
    K: Clone + Send + Sync + 'static,
{
    fn tell(&self, key: &K, result: Result<&mut http::Response<B>, &E>) {
        if let Ok(response) = result {
            response.extensions_mut().insert(AnsweredBy(key.clone()));
        }
    }
}
