//! The drafts that the browser can go by.

use wt_connection::Generation;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Draft {
    /// What it has by default.
    Draft02,
    /// What it can be told to have.
    Draft07,
}

impl Draft {
    pub(crate) const fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Draft02 => &[],
            Self::Draft07 => &["--enable-features=EnableWebTransportDraft07"],
        }
    }

    pub(crate) const fn generation(self) -> Generation {
        match self {
            Self::Draft02 => Generation::Draft02,
            Self::Draft07 => Generation::Draft07,
        }
    }
}

/// Has each of these tests run once for each draft.
macro_rules! each_draft {
    ($($test:ident),+ $(,)?) => {
        mod draft_02 {
            $(#[tokio::test] async fn $test() { super::$test(super::Draft::Draft02).await; })+
        }
        mod draft_07 {
            $(#[tokio::test] async fn $test() { super::$test(super::Draft::Draft07).await; })+
        }
    };
}
