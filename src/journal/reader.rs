//! Reads frames from the files, in order, each with its checksum checked. The chain is checked by recovery and by
//! `verify`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::JournalError;
use super::entry::Frame;
use super::error::{Broken, Fault};
use super::segment::{self, HEADER_LEN, Segment};

/// Frames after a sequence. An iterator that may go on after it ended, when more has been written since.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    next: u64,
    at: Option<Cursor>,
    /// The last sequence that may be read. None: whatever the files hold.
    limit: Option<Arc<AtomicU64>>,
}

/// Stands before a frame, or at the end of its segment.
#[derive(Debug)]
struct Cursor {
    segment: Segment,
    offset: u64,
    sequence: u64,
}

impl Reader {
    /// Reads a journal that nobody writes, from the frame after the given sequence on. Ends where the last segment
    /// ends or, after a crash, where its last frame is unfinished. Fails when that frame is no longer kept.
    pub fn open(dir: &Path, after: u64) -> Result<Self, JournalError> {
        let mut reader = Self::lazy(dir, after);
        reader.at = Some(reader.locate()?);
        Ok(reader)
    }

    /// The same, up to the watermark of a writer.
    pub(super) fn open_live(dir: &Path, after: u64, synced: Arc<AtomicU64>) -> Result<Self, JournalError> {
        Ok(Self { limit: Some(synced), ..Self::open(dir, after)? })
    }

    /// Opens its first file when it is first read.
    pub(super) fn lazy(dir: &Path, after: u64) -> Self {
        Self { dir: dir.to_path_buf(), next: after + 1, at: None, limit: None }
    }

    /// The frame with a sequence, which is synced and not before the last one that was read.
    pub(super) fn read_at(&mut self, sequence: u64) -> Result<Frame, JournalError> {
        self.next = self.next.max(sequence);
        self.read()?.ok_or_else(|| self.missing().into())
    }

    fn read(&mut self) -> Result<Option<Frame>, JournalError> {
        let limit = self.limit.as_ref().map_or(u64::MAX, |synced| synced.load(Ordering::Acquire));
        if self.next > limit {
            return Ok(None);
        }
        loop {
            // Taken, so that after an error the place is found anew.
            let mut cursor = self.at.take().map_or_else(|| self.locate(), Ok)?;
            let mut frame = cursor.read_growing(self.next)?;
            if frame.is_none() {
                if cursor.is_last(&self.dir)? {
                    self.at = Some(cursor);
                    return Ok(None);
                }
                // A segment that has a successor grows no more: its end, seen after the successor, is the end.
                frame = cursor.read(self.next)?;
            }
            if frame.is_some() {
                self.next += 1;
                self.at = Some(cursor);
                return Ok(frame);
            }
            self.at = Some(cursor.successor(&self.dir)?);
        }
    }

    /// The segment that holds the next frame.
    fn locate(&self) -> Result<Cursor, JournalError> {
        let firsts = segment::list(&self.dir)?;
        let after = firsts.partition_point(|&first| first <= self.next);
        match after.checked_sub(1) {
            Some(index) => Cursor::open(&self.dir, firsts[index]),
            None => Err(self.missing().into()),
        }
    }

    fn missing(&self) -> Broken {
        Broken { sequence: self.next, segment: segment::path(&self.dir, self.next), fault: Fault::Missing }
    }
}

impl Cursor {
    fn open(dir: &Path, first: u64) -> Result<Self, JournalError> {
        let segment = Segment::open(dir, first)?;
        Ok(Self { segment, offset: HEADER_LEN as u64, sequence: first })
    }

    /// Before the segment that begins where this one ends.
    fn successor(&self, dir: &Path) -> Result<Self, JournalError> {
        if self.sequence == self.segment.header.first() {
            // Sealed segments have frames; without them this one would be its own successor.
            return Err(self.segment.broken(self.sequence, Fault::Missing));
        }
        Self::open(dir, self.sequence)
    }

    /// The same as [`Self::read`] where the last frame may be unfinished.
    fn read_growing(&mut self, sequence: u64) -> Result<Option<Frame>, JournalError> {
        match self.read(sequence) {
            Err(JournalError::Broken(broken)) if broken.fault == Fault::Unfinished => Ok(None),
            read => read,
        }
    }

    /// Goes forward to a frame and reads it; `None` when the segment ends before.
    fn read(&mut self, sequence: u64) -> Result<Option<Frame>, JournalError> {
        while self.sequence < sequence {
            let skipped = self.segment.skip(self.offset);
            match skipped.map_err(|unread| self.segment.unread(self.sequence, unread))? {
                Some(offset) => self.pass(offset),
                None => return Ok(None),
            }
        }
        let read = self.segment.read(self.offset);
        let Some(raw) = read.map_err(|unread| self.segment.unread(sequence, unread))? else {
            return Ok(None);
        };
        if raw.facts.sequence != sequence {
            return Err(self.segment.broken(sequence, Fault::Sequence(raw.facts.sequence)));
        }
        let frame = raw.frame().map_err(|fault| self.segment.broken(sequence, fault))?;
        self.pass(self.offset + raw.len);
        Ok(Some(frame))
    }

    fn pass(&mut self, offset: u64) {
        self.offset = offset;
        self.sequence += 1;
    }

    /// Whether no later segment exists.
    fn is_last(&self, dir: &Path) -> Result<bool, JournalError> {
        Ok(segment::list(dir)?.last().is_none_or(|&last| last <= self.segment.header.first()))
    }
}

impl Iterator for Reader {
    type Item = Result<Frame, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}
