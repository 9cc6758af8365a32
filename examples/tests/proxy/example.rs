use crate::common::Example;

/// Without arguments, the example tries itself out.
#[test]
fn the_example_passes_on_what_its_servers_echo() {
    let (status, said) = Example::start("proxy", &[]).end();

    assert!(status.success(), "{said:?}");
    for path in ["/one", "/two", "/three", "/four"] {
        let echoed = format!("{path}: a stream there and back in ");
        assert!(
            said.iter().any(|line| line.starts_with(&echoed)),
            "{said:?}"
        );
    }
    assert!(
        said.iter().any(|line| line == "0 connections were cut off"),
        "{said:?}"
    );
}
