//! What the example `pool` shows: many sessions over no more connections than they need.
#![cfg(unix)]
#![allow(
    dead_code,
    reason = "the examples as processes are shared with other tests"
)]

mod common;

use common::Example;

#[test]
fn many_sessions_share_few_connections() {
    let example = Example::start("pool", &[]);

    let (status, said) = example.end();

    assert!(status.success(), "{said:?}");
    assert_eq!(
        said,
        [
            "40 sessions on 5 connections",
            "one more session, 5 connections made in all"
        ]
    );
}
