//! The other side: a process that says what it has seen, by one line of JSON each.

use std::env;
use std::ffi::OsStr;
use std::process::Stdio;

use serde_json::{Value, from_str};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// A process of Python's, killed with this handle.
pub(crate) struct Peer {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    /// Starts a script of the folder of the tests.
    pub(crate) fn start(
        script: &str,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Self {
        let mut process = Command::new(python())
            .args(["-B", &format!("{FOLDER}/{script}")])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect(INSTALLED);
        let stdout = process.stdout.take().unwrap();
        let lines = BufReader::new(stdout).lines();
        Self { process, lines }
    }

    /// Waits until it has said all of these, in whatever order, and nothing else between.
    pub(crate) async fn says(&mut self, expected: impl IntoIterator<Item = Value>) {
        let mut expected = Vec::from_iter(expected);
        while !expected.is_empty() {
            let event = self.event().await;
            let place = expected.iter().position(|expected| *expected == event);
            expected.swap_remove(place.unwrap_or_else(|| panic!("it says {event}")));
        }
    }

    /// Waits until a client has ended well, all of its requests being over.
    pub(crate) async fn ends(mut self) {
        assert_eq!(self.lines.next_line().await.unwrap(), None);
        assert!(self.process.wait().await.unwrap().success());
    }

    /// Waits for what it says next.
    pub(crate) async fn event(&mut self) -> Value {
        let line = self.lines.next_line().await.unwrap();
        from_str(&line.expect("it has not ended yet")).unwrap()
    }
}

/// The interpreter that the other side is installed for.
fn python() -> String {
    env::var("WT_PYTHON").unwrap_or_else(|_| PYTHON.to_owned())
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/python/bin/python");
const INSTALLED: &str = "WT_PYTHON or target/python/bin/python has what `.ci/run` installs";
