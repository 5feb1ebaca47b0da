//! Reads every synced frame once and in order, from memory when it can and from the files when it must.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::JournalError;
use super::entry::Frame;
use super::feed::{Feed, Offer};
use super::reader::Reader;

/// The fold's end of the journal. Holds its place over errors: the same frame is tried again.
#[derive(Debug)]
pub struct Follower {
    feed: Arc<Feed>,
    reader: Reader,
    next: u64,
    closed: bool,
}

impl Follower {
    pub(super) fn new(dir: &Path, after: u64, feed: Arc<Feed>) -> Self {
        Self { feed, reader: Reader::lazy(dir, after), next: after + 1, closed: false }
    }

    /// The next frame. `None`: none was synced within the timeout, or none will be ([`Self::is_closed`]).
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Arc<Frame>>, JournalError> {
        let frame = match self.feed.take(self.next, Instant::now() + timeout) {
            Offer::Frame(frame) => frame,
            Offer::OnDisk => Arc::new(self.reader.read_at(self.next)?),
            Offer::NotYet => return Ok(None),
            Offer::Closed => {
                self.closed = true;
                return Ok(None);
            }
        };
        self.next += 1;
        Ok(Some(frame))
    }

    /// The sequence of the frame that comes next.
    pub fn next_sequence(&self) -> u64 {
        self.next
    }

    /// Whether the journal was closed, or stopped after a failed write, and every synced frame was read.
    pub fn is_closed(&self) -> bool {
        self.closed
    }
}
