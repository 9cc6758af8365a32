use crate::policy::{Pick, Policy};
use crate::view::View;

/// The first backend, in the order of arrival, that is ready and does not
/// [fail](View::is_failing); the first that is ready if all fail.
///
/// For a main server and its replacements, where all calls belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PickFirst;

impl<Req> Policy<Req> for PickFirst {
    #[inline]
    fn pick(&self, view: &View<'_>, _: Option<&Req>) -> Pick {
        let sound = view.usable().find(|place| !view.is_failing(*place));
        sound.or_else(|| view.usable().next()).into()
    }
}
