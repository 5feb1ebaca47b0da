//! What needs a disk that fails, or a look at the bytes. What the public interface alone can show is in
//! `tests/it/journal.rs`.

mod damage;
mod disk;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::model::{Role, Tenant};

/// A directory for a journal, in memory where the machine offers that: these tests sync thousands of times.
fn temp_dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Options that do not depend on the machine's disk.
fn options() -> Options {
    Options { reserve_bytes: 0, monotonic: || Span(0), ..Options::default() }
}

fn entry(text: &str) -> Entry {
    Entry::traces(Tenant::new("acme"), Role::Agent, 1, Bytes::copy_from_slice(text.as_bytes()))
}

/// The bodies of everything that can be read.
fn bodies(dir: &Path) -> Vec<String> {
    let frames = Reader::open(dir, 0).unwrap().map(Result::unwrap);
    frames.map(|frame| String::from_utf8(frame.body.to_vec()).unwrap()).collect()
}
