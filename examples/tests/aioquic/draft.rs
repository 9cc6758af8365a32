//! The drafts that the other side can go by.

use wt_connection::{Generation, Limits};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Draft {
    Draft02,
    Draft06,
    Draft07,
    /// Flow control is on, and begins without any credit.
    Draft13,
    /// SETTINGS give the first credit.
    Draft14,
    Draft16,
}

impl Draft {
    pub(crate) const fn number(self) -> &'static str {
        match self {
            Self::Draft02 => "02",
            Self::Draft06 => "06",
            Self::Draft07 => "07",
            Self::Draft13 => "13",
            Self::Draft14 => "14",
            Self::Draft16 => "16",
        }
    }

    pub(crate) const fn generation(self) -> Generation {
        match self {
            Self::Draft02 => Generation::Draft02,
            Self::Draft06 => Generation::Draft06,
            Self::Draft07 => Generation::Draft07,
            Self::Draft13 | Self::Draft14 => Generation::Draft13,
            Self::Draft16 => Generation::Draft15,
        }
    }

    pub(crate) const fn has_flow_control(self) -> bool {
        matches!(self, Self::Draft13 | Self::Draft14 | Self::Draft16)
    }
}

/// Our limits, whose credit is soon used up.
pub(crate) fn limits() -> Limits {
    Limits::default().session_credit(50_000, 3, 3)
}

/// Has each of these tests run once for each draft.
macro_rules! each_draft {
    ($($test:ident),+ $(,)?) => {
        mod draft_02 {
            $(#[tokio::test] async fn $test() { super::$test(super::Draft::Draft02).await; })+
        }
        mod draft_06 {
            $(#[tokio::test] async fn $test() { super::$test(super::Draft::Draft06).await; })+
        }
        mod draft_07 {
            $(#[tokio::test] async fn $test() { super::$test(super::Draft::Draft07).await; })+
        }
        mod draft_13 {
            $(#[tokio::test] async fn $test() { super::$test(super::Draft::Draft13).await; })+
        }
        mod draft_14 {
            $(#[tokio::test] async fn $test() { super::$test(super::Draft::Draft14).await; })+
        }
        mod draft_16 {
            $(#[tokio::test] async fn $test() { super::$test(super::Draft::Draft16).await; })+
        }
    };
}
