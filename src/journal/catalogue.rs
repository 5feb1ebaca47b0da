//! The segments of a journal, as its writer knows them.

use std::path::Path;

use crate::model::{Nanos, Span};

use super::JournalError;
use super::segment::{self, Header, Segment};

/// Every segment, oldest first; the last one is being written.
#[derive(Debug, Default)]
pub(super) struct Catalogue(Vec<Listed>);

/// One segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listed {
    pub header: Header,
    /// Bytes of the file.
    pub len: u64,
}

impl Catalogue {
    /// Reads the headers of every segment in a directory.
    pub fn read(dir: &Path) -> Result<Self, JournalError> {
        let listed = segment::list(dir)?.into_iter().map(|first| {
            let segment = Segment::open(dir, first)?;
            Ok(Listed { header: segment.header, len: segment.len()? })
        });
        Ok(Self(listed.collect::<Result<_, JournalError>>()?))
    }

    /// The segments that are written no more, oldest first, each with its last sequence.
    pub fn sealed(&self) -> Vec<(Listed, u64)> {
        self.0.windows(2).map(|pair| (pair[0], pair[1].header.before.sequence)).collect()
    }

    /// The oldest and the newest segment.
    pub fn ends(&self) -> Option<(&Listed, &Listed)> {
        self.0.first().zip(self.0.last())
    }

    /// Segments, and bytes of their files.
    pub fn size(&self) -> (usize, u64) {
        (self.0.len(), self.0.iter().map(|listed| listed.len).sum())
    }

    /// The oldest sealed segment, if every frame of it is at most `applied` and older than `retention` at `now`.
    pub fn removable(&self, applied: u64, retention: Span, now: Nanos) -> Option<Header> {
        let [oldest, next, ..] = self.0.as_slice() else {
            return None;
        };
        let last = next.header.before;
        (last.sequence <= applied && last.now + retention < now).then_some(oldest.header)
    }

    /// A segment was begun.
    pub fn push(&mut self, header: Header, len: u64) {
        self.0.push(Listed { header, len });
    }

    /// The segment being written has grown.
    pub fn grown(&mut self, len: u64) {
        if let Some(last) = self.0.last_mut() {
            last.len = len;
        }
    }

    /// A sealed segment was replaced.
    pub fn replace(&mut self, header: Header, len: u64) {
        if let Some(listed) = self.0.iter_mut().find(|listed| listed.header.first() == header.first()) {
            *listed = Listed { header, len };
        }
    }

    /// The oldest segment was removed; returns its length.
    pub fn remove_oldest(&mut self) -> u64 {
        self.0.remove(0).len
    }
}
