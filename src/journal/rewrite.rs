//! Replaces a sealed segment by one that says the same in other bytes: bodies compressed, or some forgotten.
//!
//! The new file is written aside, verified from the disk against the old one, and takes its name in one step. A
//! reader that has the old file open goes on reading it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::JournalError;
use super::chain::Chain;
use super::disk::Disk;
use super::error::Fault;
use super::frame::Raw;
use super::segment::{self, HEADER_LEN, Header, Segment};
use super::verify::verify_segment;

/// What rewriting sealed segments did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rewritten {
    /// Files replaced.
    pub segments: usize,
    /// Bytes of these files before.
    pub bytes_before: u64,
    /// Bytes of these files after.
    pub bytes_after: u64,
    /// Bodies forgotten.
    pub forgotten: u64,
}

/// What becomes of the frames of a segment.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change<'a> {
    /// Bodies are compressed where that makes them smaller.
    Compress,
    /// The bodies of these frames are removed.
    Forget(&'a BTreeSet<u64>),
}

impl Change<'_> {
    fn apply(self, raw: &Raw) -> Raw {
        match self {
            Self::Compress => raw.compressed(),
            Self::Forget(sequences) if sequences.contains(&raw.facts.sequence) => raw.forgotten(),
            Self::Forget(_) => raw.clone(),
        }
    }
}

/// A segment that was rewritten.
#[derive(Debug)]
pub(super) struct Replacement {
    pub header: Header,
    pub len: u64,
    /// Bodies that are gone.
    pub forgotten: u64,
}

/// Rewrites one sealed segment. On failure the old file is as it was.
pub(super) fn rewrite(dir: &Path, first: u64, change: Change<'_>, disk: &Disk) -> Result<Replacement, JournalError> {
    let old = Segment::open(dir, first)?;
    let compressed = old.header.compressed || matches!(change, Change::Compress);
    let header = Header { compressed, ..old.header };
    let new = segment::create_aside(dir, header)?;
    let aside = new.path.clone();
    let replaced = fill(&old, &new, change, disk).and_then(|(len, forgotten)| {
        segment::give_name(dir, new)?;
        segment::sync_dir(dir)?;
        Ok(Replacement { header, len, forgotten })
    });
    if replaced.is_err() {
        // It may have its name already; what cannot be removed now is removed by the next start.
        let _ = fs::remove_file(aside);
    }
    replaced
}

/// Copies every frame with its change, and makes sure that the copy ends in the same chain. Returns the length of the
/// copy and the number of bodies that it lacks.
fn fill(old: &Segment, new: &Segment, change: Change<'_>, disk: &Disk) -> Result<(u64, u64), JournalError> {
    let (mut from, mut to, mut forgotten) = (HEADER_LEN as u64, HEADER_LEN as u64, 0);
    let mut chain = old.header.before;
    loop {
        let sequence = chain.sequence + 1;
        let Some(raw) = old.read(from).map_err(|unread| old.unread(sequence, unread))? else {
            break;
        };
        chain.follow(&raw).map_err(|fault| old.broken(sequence, fault))?;
        let changed = change.apply(&raw);
        let encoded = changed.encode(&new.header.marker);
        disk.write(&new.file, to, &mut encoded.slices()).map_err(JournalError::io("write", &new.path))?;
        from += raw.len;
        to += encoded.len();
        forgotten += u64::from(changed.header.forgotten && !raw.header.forgotten);
    }
    disk.sync(&new.file).map_err(JournalError::io("sync", &new.path))?;
    same_end(new, chain)?;
    Ok((to, forgotten))
}

fn same_end(new: &Segment, want: Chain) -> Result<(), JournalError> {
    let chain = verify_segment(new)?;
    if chain == want { Ok(()) } else { Err(new.broken(chain.sequence, Fault::Head)) }
}
