//! Writes the seeds: well-formed inputs of every kind, and some that are wrong in one place.
//!
//! `RUSTFLAGS="--cfg fuzzing" cargo run --example seeds`, in the folder of the fuzz targets. A seed
//! that is not from here, such as one that has failed, is left alone.

mod blocks;
mod clients;
mod program;
mod servers;
mod streams;

use std::error::Error;
use std::fs;
use std::path::Path;

/// Inputs, by what they are.
type Seeds = Vec<(&'static str, Vec<u8>)>;

fn main() -> Result<(), Box<dyn Error>> {
    for (target, seeds) in [
        ("settings", streams::settings()),
        ("header_block", blocks::header_blocks()),
        ("capsules", streams::capsules()),
        ("stream_headers", streams::stream_headers()),
        ("qpack_streams", streams::qpack()),
        ("control", streams::control()),
        ("frames", blocks::frames()),
        ("fields", blocks::fields()),
        ("server_connection", clients::clients()),
        ("client_connection", servers::servers()),
    ] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(target);
        fs::create_dir_all(&folder)?;
        for (name, seed) in seeds {
            fs::write(folder.join(name), seed)?;
        }
    }
    Ok(())
}
