//! The examples as processes.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;
use std::{env, fs};

use tokio::time::Instant;

/// A process of the example, killed with this handle.
pub(crate) struct Example {
    process: Child,
    lines: Receiver<String>,
}

impl Example {
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        let mut process = Command::new(binary(name))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = sync_channel(1000);
        thread::spawn(move || {
            for line in stdout.lines() {
                if sender.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { process, lines }
    }

    /// Sends what ctrl-c sends, once the process listens for it.
    pub(crate) fn interrupt(&self) {
        let began = Instant::now();
        while !self.listens() {
            assert!(began.elapsed() < PATIENCE, "the process ignores ctrl-c");
            thread::yield_now();
        }
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Whether the process catches SIGINT; taken for granted where the system does not tell.
    ///
    /// It begins to after it has printed all that it prints, and until then is ended by it.
    fn listens(&self) -> bool {
        const SIGINT: u64 = 1 << (2 - 1);
        let Ok(status) = fs::read_to_string(format!("/proc/{}/status", self.process.id())) else {
            return true;
        };
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        caught.is_none_or(|caught| u64::from_str_radix(caught.trim(), 16).unwrap() & SIGINT != 0)
    }

    /// Waits until the process has ended: its exit status, and what else it has printed.
    pub(crate) fn end(mut self) -> (ExitStatus, Vec<String>) {
        let said: Vec<String> = std::iter::from_fn(|| self.line()).collect();
        // A process that has closed its standard output is about to end.
        (self.process.wait().unwrap(), said)
    }

    pub(crate) fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the process is silent"),
        }
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The example, `target/<profile>/examples/<name>`.
///
/// `cargo test` has built it just now; with `--test` it takes what is there, however old.
pub(crate) fn binary(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let name = format!("{name}{}", env::consts::EXE_SUFFIX);
    let binary = profile.join("examples").join(name);
    assert!(
        binary.exists(),
        "there is no {}: build it first, with `cargo build -p examples --examples`",
        binary.display()
    );
    binary
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
