//! The browser's processes.

use std::fs::{self, File};
use std::io::{PipeReader, Read, pipe};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, process, thread};

use tokio::process::{Child, ChildStdin, Command};

/// A browser with a profile of its own; all of it goes with this handle.
pub(crate) struct Chromium {
    browser: Child,
    group: String,
    home: PathBuf,
    stdout: PipeReader,
    /// Without it, the browser ends by itself.
    _stdin: ChildStdin,
}

impl Chromium {
    /// Starts it with one page.
    pub(crate) fn start(url: &str, flags: &[&str]) -> Self {
        let home = new_home();
        let (stdout, theirs) = pipe().unwrap();
        let mut browser = Command::new("sh")
            .args(["-c", PIPED])
            .arg(env::var_os("WT_CHROMIUM").unwrap_or_else(|| "chromium".into()))
            .args(FLAGS)
            .args(flags)
            .arg(format!("--user-data-dir={}", home.display()))
            .arg(url)
            .env("HOME", &home)
            .env("TMPDIR", &home)
            .stdin(Stdio::piped())
            .stdout(theirs)
            .stderr(File::create(home.join(STDERR)).unwrap())
            .process_group(0)
            .spawn()
            .unwrap();
        Self {
            group: format!("-{}", browser.id().unwrap()),
            home,
            stdout,
            _stdin: browser.stdin.take().unwrap(),
            browser,
        }
    }

    /// Waits until it has ended by itself, or could not start.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        self.browser.wait().await.unwrap()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = process::Command::new("sh")
            .args(["-c", "kill -s KILL -- \"$0\"", &self.group])
            .stderr(Stdio::null())
            .status();
        // Its helpers have the same standard output, which ends with the last of them.
        let _ = self.stdout.read_to_end(&mut Vec::new());
        if thread::panicking() {
            let said = fs::read(self.home.join(STDERR)).unwrap_or_default();
            eprintln!("the browser says: {}", String::from_utf8_lossy(&said));
        }
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// Makes a directory under a short path: the browser puts a socket there.
fn new_home() -> PathBuf {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let home = env::temp_dir().join(format!("wt-browser-{}-{number}", process::id()));
    fs::create_dir(&home).unwrap();
    home
}

/// It shows pages of these tests alone, and is to work as root and in containers, too.
const FLAGS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
];

/// Has it listen to its standard input, at whose end it ends: with this process, should that be
/// killed.
const PIPED: &str = "exec \"$0\" \"$@\" 3<&0 4>&1";
const STDERR: &str = "stderr";
