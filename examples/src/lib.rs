//! Compositions of the crates; see the files beside `src`.
