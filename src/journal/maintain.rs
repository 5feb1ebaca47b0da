//! What a driver does now and then, off the hot path: remove old segments, compress sealed ones, forget bodies.
//!
//! Runs on the caller's thread, one call at a time. The segment being written is never touched.

use std::collections::BTreeSet;
use std::fs;

use crate::model::Span;

use super::catalogue::Listed;
use super::rewrite::{Change, Rewritten, rewrite};
use super::segment;
use super::verify::{Verified, verify};
use super::{Journal, JournalError, Reader, lock};

/// What retention removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Files.
    pub segments: usize,
    /// Bytes of these files.
    pub bytes: u64,
}

impl Journal {
    /// Removes the oldest sealed segments whose frames are all at most `applied` and older than `retention`. The
    /// chain still verifies: the header of the first segment that is left holds the head.
    pub fn retire(&self, applied: u64, retention: Span) -> Result<Removed, JournalError> {
        let shared = &self.shared;
        let _one_at_a_time = lock(&shared.maintenance);
        let mut removed = Removed::default();
        let (now, _) = shared.clock.now();
        loop {
            let oldest = lock(&shared.catalogue).removable(applied, retention, now);
            let Some(oldest) = oldest else { break };
            let path = segment::path(&shared.dir, oldest.first());
            fs::remove_file(&path).map_err(JournalError::io("remove", &path))?;
            removed.bytes += lock(&shared.catalogue).remove_oldest();
            removed.segments += 1;
        }
        if removed.segments > 0 {
            segment::sync_dir(&shared.dir)?;
        }
        Ok(removed)
    }

    /// Compresses the bodies of every sealed segment that was not compressed yet. Does nothing when the options say so.
    /// Needs room for the largest segment; what was done before a failure stays done.
    pub fn compress_sealed(&self) -> Result<Rewritten, JournalError> {
        if !self.shared.options.compress {
            return Ok(Rewritten::default());
        }
        self.rewrite_sealed(Change::Compress, |listed, _| !listed.header.compressed)
    }

    /// Removes the bodies of these frames for ever; the chain still verifies. Frames of the segment being written are
    /// left alone: they are not in the count, and the segment is sealed in time.
    pub fn forget(&self, sequences: &BTreeSet<u64>) -> Result<Rewritten, JournalError> {
        let holds = |listed: &Listed, last| sequences.range(listed.header.first()..=last).next().is_some();
        self.rewrite_sealed(Change::Forget(sequences), holds)
    }

    /// Verifies everything, see [`verify`], while no segment is removed or replaced.
    pub fn verify(&self) -> Result<Verified, JournalError> {
        let _one_at_a_time = lock(&self.shared.maintenance);
        verify(&self.shared.dir)
    }

    /// The synced frames after a sequence. Goes on at the last synced frame when more were appended.
    pub fn reader(&self, after: u64) -> Result<Reader, JournalError> {
        Reader::open_live(&self.shared.dir, after, self.shared.feeds.watermark())
    }

    /// Rewrites every sealed segment that is wanted; the predicate gets its last sequence too.
    fn rewrite_sealed(
        &self,
        change: Change<'_>,
        wanted: impl Fn(&Listed, u64) -> bool,
    ) -> Result<Rewritten, JournalError> {
        let shared = &self.shared;
        let _one_at_a_time = lock(&shared.maintenance);
        let mut rewritten = Rewritten::default();
        let sealed = lock(&shared.catalogue).sealed();
        for (listed, _) in sealed.into_iter().filter(|(listed, last)| wanted(listed, *last)) {
            let new = rewrite(&shared.dir, listed.header.first(), change, &shared.disk)?;
            lock(&shared.catalogue).replace(new.header, new.len);
            rewritten.segments += 1;
            rewritten.bytes_before += listed.len;
            rewritten.bytes_after += new.len;
            rewritten.forgotten += new.forgotten;
        }
        Ok(rewritten)
    }
}
