//! Walks a whole journal and names the first record that is not what was written.

use std::path::Path;

use crate::model::Hash;

use super::JournalError;
use super::chain::Chain;
use super::error::{Broken, Fault};
use super::segment::{self, HEADER_LEN, Segment, Unread};

/// A journal in which every record is what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Files.
    pub segments: usize,
    /// Frames.
    pub frames: u64,
    /// Frames of these whose body was removed on purpose. Their commitments were verified.
    pub forgotten: u64,
    /// Sequence of the first frame that is kept.
    pub first_sequence: u64,
    /// Sequence of the last frame; 0 for an empty journal.
    pub last_sequence: u64,
    /// The head before the first frame: all zero, unless older segments were removed.
    pub head_before: Hash,
    /// The head after the last frame. Remembered elsewhere, it also shows later that nothing was cut off the end.
    pub head: Hash,
    /// Bytes of a last frame that is still being written, or was when the process stopped.
    pub bytes_unfinished: u64,
}

/// Verifies the journal in a directory, which may be in use. Checks every checksum, the chain, every body against its
/// commitment, and that no frame and no segment is missing between the first and the last.
///
/// [`JournalError::Broken`] names the first bad record.
pub fn verify(dir: &Path) -> Result<Verified, JournalError> {
    let firsts = segment::list(dir)?;
    let Some((&first, &last)) = firsts.first().zip(firsts.last()) else {
        return Err(Broken { sequence: 1, segment: segment::path(dir, 1), fault: Fault::Missing }.into());
    };
    let mut walk = Walk { chain: Segment::open(dir, first)?.header.before, forgotten: 0, bytes_unfinished: 0 };
    let head_before = walk.chain.head;
    for &first in &firsts {
        walk.segment(&Segment::open(dir, first)?, first == last)?;
    }
    Ok(Verified {
        segments: firsts.len(),
        frames: walk.chain.sequence + 1 - first,
        forgotten: walk.forgotten,
        first_sequence: first,
        last_sequence: walk.chain.sequence,
        head_before,
        head: walk.chain.head,
        bytes_unfinished: walk.bytes_unfinished,
    })
}

/// The end of what was verified so far.
#[derive(Debug)]
pub(super) struct Walk {
    pub chain: Chain,
    forgotten: u64,
    bytes_unfinished: u64,
}

impl Walk {
    /// Verifies the segment that should come next.
    fn segment(&mut self, segment: &Segment, is_last: bool) -> Result<(), JournalError> {
        let (expected, header) = (self.chain.sequence + 1, &segment.header);
        if header.first() != expected {
            let fault = if header.first() > expected { Fault::Missing } else { Fault::Sequence(header.first()) };
            return Err(segment.broken(expected, fault));
        }
        if header.before != self.chain {
            return Err(segment.broken(expected, Fault::SegmentHeader));
        }
        let mut offset = HEADER_LEN as u64;
        loop {
            let sequence = self.chain.sequence + 1;
            match segment.read(offset) {
                Ok(None) => return Ok(()),
                Ok(Some(raw)) => {
                    let followed = self.chain.follow(&raw).and_then(|()| raw.check_body());
                    followed.map_err(|fault| segment.broken(sequence, fault))?;
                    self.forgotten += u64::from(raw.header.forgotten);
                    offset += raw.len;
                }
                Err(Unread::Fault(Fault::Unfinished)) if is_last => {
                    self.bytes_unfinished = segment.len()?.saturating_sub(offset);
                    return Ok(());
                }
                Err(unread) => return Err(segment.unread(sequence, unread)),
            }
        }
    }
}

/// Verifies one segment alone, from what its header says, and returns the end of its chain.
pub(super) fn verify_segment(segment: &Segment) -> Result<Chain, JournalError> {
    let mut walk = Walk { chain: segment.header.before, forgotten: 0, bytes_unfinished: 0 };
    walk.segment(segment, false)?;
    Ok(walk.chain)
}
