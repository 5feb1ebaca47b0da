//! Opening a journal: finds the end of the last segment and cuts what a crash left unfinished.
//!
//! A crash may lose any page of the last, unsynced batch. So the first bad frame is the end, *unless* a later frame
//! proves that it was synced: every frame says where its batch began, and a batch is written only after the one
//! before it was synced. In that case a record was damaged afterwards; that is an error which names it, and nothing
//! is cut. A frame whose checksum is right but which does not follow the chain is never the work of a crash.

use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::model::{Hash, Nanos};

use super::catalogue::Catalogue;
use super::chain::Chain;
use super::disk::{self, Disk};
use super::error::Fault;
use super::segment::{self, HEADER_LEN, Header, Segment, Unread};
use super::{JournalError, Options};

/// What opening a journal found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// Sequence of the oldest frame that is kept; one more than the last when there is none.
    pub first_sequence: u64,
    /// Sequence of the last frame; 0 for an empty journal.
    pub last_sequence: u64,
    /// Time of the last frame; 0 for an empty journal.
    pub last_now: Nanos,
    /// The chain's head after the last frame.
    pub head: Hash,
    /// Frames of the last segment, each checked with its chain and body.
    pub frames: u64,
    /// Bytes of unfinished, never acknowledged frames that were cut.
    pub bytes_cut: u64,
}

/// The segment being written and the end of the chain.
#[derive(Debug)]
pub(super) struct Tail {
    pub segment: Segment,
    /// Bytes of whole frames and the header.
    pub len: u64,
    pub chain: Chain,
}

/// A journal ready to be written.
#[derive(Debug)]
pub(super) struct Recovered {
    pub recovery: Recovery,
    pub tail: Tail,
    pub catalogue: Catalogue,
}

/// Repairs the tail of the journal in a directory, or begins a new one.
pub(super) fn recover(dir: &Path, options: &Options, disk: &Disk) -> Result<Recovered, JournalError> {
    segment::remove_unfinished(dir)?;
    let Some(&last) = segment::list(dir)?.last() else {
        return begin(dir, options);
    };
    let segment = Segment::open_to_write(dir, last)?;
    let end = find_end(&segment)?;
    let bytes_cut = segment.len()?.saturating_sub(end.offset);
    make_durable(&segment, &end, disk)?;
    segment::sync_dir(dir)?;
    let catalogue = Catalogue::read(dir)?;
    let tail = Tail { segment, len: end.offset, chain: end.chain };
    Ok(Recovered { recovery: report(&catalogue, &tail, bytes_cut), tail, catalogue })
}

fn begin(dir: &Path, options: &Options) -> Result<Recovered, JournalError> {
    let segment = new_segment(dir, Chain::GENESIS, (options.clock)())?;
    segment::sync_dir(dir)?;
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        segment::sync_dir(parent)?;
    }
    let mut catalogue = Catalogue::default();
    catalogue.push(segment.header, HEADER_LEN as u64);
    let tail = Tail { segment, len: HEADER_LEN as u64, chain: Chain::GENESIS };
    Ok(Recovered { recovery: report(&catalogue, &tail, 0), tail, catalogue })
}

/// A named segment without frames. Its name is durable after the directory is synced.
pub(super) fn new_segment(dir: &Path, before: Chain, created: Nanos) -> Result<Segment, JournalError> {
    let marker = disk::random().map_err(JournalError::io("draw random bytes for", dir))?;
    let header = Header { before, created, marker, compressed: false };
    segment::give_name(dir, segment::create_aside(dir, header)?)
}

fn report(catalogue: &Catalogue, tail: &Tail, bytes_cut: u64) -> Recovery {
    let before = tail.segment.header.before.sequence;
    Recovery {
        first_sequence: catalogue.ends().map_or(1, |(oldest, _)| oldest.header.first()),
        last_sequence: tail.chain.sequence,
        last_now: tail.chain.now,
        head: tail.chain.head,
        frames: tail.chain.sequence - before,
        bytes_cut,
    }
}

/// Where the whole frames of a segment end.
#[derive(Debug)]
struct End {
    offset: u64,
    chain: Chain,
    /// Where the last batch begins.
    batch: u64,
}

fn find_end(segment: &Segment) -> Result<End, JournalError> {
    let start = HEADER_LEN as u64;
    let mut end = End { offset: start, chain: segment.header.before, batch: start };
    loop {
        let sequence = end.chain.sequence + 1;
        match segment.read(end.offset) {
            Ok(None) => return Ok(end),
            Ok(Some(raw)) => {
                let followed = end.chain.follow(&raw).and_then(|()| raw.check_body());
                followed.map_err(|fault| segment.broken(sequence, fault))?;
                if raw.facts.batch == sequence {
                    end.batch = end.offset;
                }
                end.offset += raw.len;
            }
            // The checksum of such a frame is right: a later version wrote it.
            Err(Unread::Fault(Fault::Header)) => {
                return Err(segment.broken(sequence, Fault::Header));
            }
            Err(Unread::Fault(fault)) => {
                refuse_if_synced(segment, &end, fault)?;
                return Ok(end);
            }
            Err(unread) => return Err(segment.unread(sequence, unread)),
        }
    }
}

/// Looks behind a bad frame for one that was written after the bad one had been synced.
fn refuse_if_synced(segment: &Segment, end: &End, fault: Fault) -> Result<(), JournalError> {
    let bad = end.chain.sequence + 1;
    let mut next = find_marker(segment, end.offset + 1)?;
    while let Some(offset) = next {
        next = match segment.read(offset) {
            Ok(Some(raw)) if raw.facts.batch > bad => return Err(segment.broken(bad, fault)),
            Ok(Some(raw)) => Some(offset + raw.len),
            Ok(None) => None,
            Err(Unread::Fault(_)) => find_marker(segment, offset + 1)?,
            Err(unread) => return Err(segment.unread(bad, unread)),
        };
    }
    Ok(())
}

/// The next place from an offset on where the segment's marker stands.
fn find_marker(segment: &Segment, mut offset: u64) -> Result<Option<u64>, JournalError> {
    let marker = &segment.header.marker;
    let finder = memchr::memmem::Finder::new(marker);
    let mut window = vec![0; 1 << 20];
    loop {
        let read = segment.file.read_at(&mut window, offset).map_err(JournalError::io("read", &segment.path))?;
        if read < marker.len() {
            return Ok(None);
        }
        if let Some(found) = finder.find(&window[..read]) {
            return Ok(Some(offset + found as u64));
        }
        // A marker may begin in the last bytes of this window.
        offset += (read - marker.len() + 1) as u64;
    }
}

/// Cuts what is behind the end and makes the rest durable. The last batch may be in the page cache only, and the
/// kernel may think that it is on the disk when its sync failed; so its bytes are written again.
fn make_durable(segment: &Segment, end: &End, disk: &Disk) -> Result<(), JournalError> {
    let io = |attempt| JournalError::io(attempt, &segment.path);
    disk.cut(&segment.file, end.offset).map_err(io("cut"))?;
    let mut batch = vec![0; (end.offset - end.batch) as usize];
    segment.file.read_exact_at(&mut batch, end.batch).map_err(io("read"))?;
    segment.file.write_all_at(&batch, end.batch).map_err(io("write"))?;
    segment.file.sync_all().map_err(io("sync"))
}
