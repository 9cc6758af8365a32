//! Which drafts a connection goes by.

use std::fmt;

use crate::proto::settings::Settings;
use crate::proto::{code, draft};

/// The generation of
/// [draft-ietf-webtrans-http3](https://datatracker.ietf.org/doc/draft-ietf-webtrans-http3/) that a
/// connection goes by: the newest that both sides announce in their SETTINGS.
///
/// Named by its first draft; a newer one is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Generation {
    /// Drafts 02 to 05, which today's browsers speak.
    Draft02,
    /// Draft 06.
    Draft06,
    /// Drafts 07 to 12.
    Draft07,
    /// Drafts 13 and 14.
    Draft13,
    /// Drafts 15 and 16, the newest.
    Draft15,
}

/// How the names of subprotocols are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// As Strings, or as Tokens where the peer does so.
    Either,
    /// As Strings; whatever else there is makes a field as good as absent.
    Strings,
}

impl Generation {
    /// The newest first.
    const ALL: [Self; 5] = [
        Self::Draft15,
        Self::Draft13,
        Self::Draft07,
        Self::Draft06,
        Self::Draft02,
    ];

    /// The newest that both announce.
    pub(crate) fn of(ours: &Settings, theirs: &Settings) -> Option<Self> {
        let announces = |settings: &Settings, id| settings.get(id).is_some_and(|value| value > 0);
        Self::ALL.into_iter().find(|generation| {
            let id = generation.setting();
            announces(ours, id) && announces(theirs, id)
        })
    }

    /// The setting that announces it by a value other than 0.
    pub(crate) const fn setting(self) -> u64 {
        match self {
            Self::Draft02 => draft::ENABLE_WEBTRANSPORT_02,
            Self::Draft06 => draft::ENABLE_06,
            Self::Draft07 => draft::MAX_SESSIONS_07,
            Self::Draft13 => draft::MAX_SESSIONS_13,
            Self::Draft15 => draft::ENABLED_15,
        }
    }

    /// The `:protocol` of a request for a session.
    pub(crate) const fn token(self) -> &'static str {
        match self {
            Self::Draft02 | Self::Draft06 | Self::Draft07 | Self::Draft13 => draft::TOKEN,
            Self::Draft15 => draft::TOKEN_15,
        }
    }

    /// Says whether requests and answers carry a header for the draft's version.
    pub(crate) const fn has_version_header(self) -> bool {
        matches!(self, Self::Draft02)
    }

    pub(crate) const fn names(self) -> Names {
        match self {
            Self::Draft02 | Self::Draft06 | Self::Draft07 => Names::Either,
            Self::Draft13 | Self::Draft15 => Names::Strings,
        }
    }

    /// What a session is given up with whose subprotocol was not offered.
    pub(crate) const fn protocol_error(self) -> u64 {
        match self {
            Self::Draft02 | Self::Draft06 | Self::Draft07 | Self::Draft13 => code::H3_MESSAGE_ERROR,
            Self::Draft15 => draft::ALPN_ERROR_15,
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Draft02 => "drafts 02 to 05",
            Self::Draft06 => "draft 06",
            Self::Draft07 => "drafts 07 to 12",
            Self::Draft13 => "drafts 13 and 14",
            Self::Draft15 => "drafts 15 and 16",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcing(ids: &[u64]) -> Settings {
        ids.iter()
            .fold(Settings::new(), |settings, id| settings.with(*id, 1))
    }

    #[test]
    fn the_newest_that_both_announce_counts() {
        let all = Generation::ALL.map(Generation::setting);

        for (index, generation) in Generation::ALL.into_iter().enumerate() {
            let (from, only) = (announcing(&all[index..]), announcing(&all[index..=index]));

            assert_eq!(Generation::of(&announcing(&all), &from), Some(generation));
            assert_eq!(Generation::of(&from, &announcing(&all)), Some(generation));
            assert_eq!(Generation::of(&only, &from), Some(generation));
        }
    }

    #[test]
    fn those_that_only_one_announces_do_not_count() {
        let (old, new) = (
            announcing(&[draft::ENABLE_WEBTRANSPORT_02]),
            announcing(&[draft::ENABLED_15]),
        );

        assert_eq!(Generation::of(&old, &new), None);
        assert_eq!(Generation::of(&new, &old), None);
        let none = announcing(&[]).with(draft::ENABLED_15, 0);
        assert_eq!(Generation::of(&new, &none), None);
    }

    #[test]
    fn a_newer_one_is_greater() {
        assert!(Generation::ALL.is_sorted_by(|newer, older| newer > older));
    }
}
