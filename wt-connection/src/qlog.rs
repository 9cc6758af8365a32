//! One qlog file for each connection.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Opens the next file in `folder`; without one the connection goes on unlogged.
pub(crate) fn stream(folder: &Path) -> Option<quinn::QlogStream> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!("{}-{number}.sqlog", std::process::id()));
    match File::create(&path) {
        Ok(file) => {
            let mut config = quinn::QlogConfig::default();
            config.writer(Box::new(BufWriter::new(file)));
            config.into_stream()
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "cannot write a qlog");
            None
        }
    }
}
