//! What the example `health` shows: sessions go round a server that is gone, until it is back.
#![cfg(unix)]
#![allow(
    dead_code,
    reason = "the examples as processes are shared with other tests"
)]

mod common;

use common::Example;

#[test]
fn a_server_that_is_gone_is_ejected_and_restored() {
    let example = Example::start("health", &[]);

    let (status, said) = example.end();

    assert!(status.success(), "{said:?}");
    assert_eq!(
        said,
        [
            "30 of 30 sessions opened",
            "a server is gone",
            "it is ejected",
            "30 of 30 sessions opened",
            "it is here again",
            "it is restored",
            "30 of 30 sessions opened",
        ]
    );
}
