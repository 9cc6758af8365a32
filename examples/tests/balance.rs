//! What the example `balance` shows: a server that fails at once draws no traffic.
#![cfg(unix)]
#![allow(
    dead_code,
    reason = "the examples as processes are shared with other tests"
)]

mod common;

use common::Example;

#[test]
fn a_server_that_fails_gets_few_calls() {
    let example = Example::start("balance", &[]);

    let (status, said) = example.end();

    assert!(status.success(), "{said:?}");
    assert!(said[0].starts_with("300 calls: "), "{said:?}");
    let calls = |name: &str| -> usize {
        let (_, rest) = said[0].split_once(&format!("{name:?}: ")).unwrap();
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    };
    // Those that come before it is known, and few more.
    assert!((1..=15).contains(&calls("broken")), "{said:?}");
    assert!(calls("one") + calls("two") >= 285, "{said:?}");
    assert_eq!(said.len(), 4, "one of three is off the list: {said:?}");
    assert!(
        said.iter()
            .any(|line| line == "two: 0 failures, failing: false")
    );
    assert_eq!(said[3], "shut down with 0 calls under way");
}
