//! What waits for the writer: bounded in bytes and entries. Nobody waits for room; a full queue refuses.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::model::Hash;

use super::chain::body_hash;
use super::entry::{Entry, Position};
use super::error::AppendError;
use super::frame::{MAX_BODY_LEN, MAX_HEADER_LEN};
use super::lock;

/// Where the outcome of an append goes. The receiver may be gone.
pub(super) type Reply = oneshot::Sender<Result<Position, AppendError>>;

/// What a rejection reason costs in a header beside its text, and all the fixed fields together, at most.
const PER_REASON: usize = 16;
const FIXED_FIELDS: usize = 512;

/// An entry with what can be computed before its place is known, on the caller's thread.
#[derive(Debug)]
pub(super) struct Waiting {
    pub entry: Entry,
    pub body_hash: Hash,
    pub body_crc: u32,
    pub reply: Reply,
}

impl Waiting {
    /// Hashes the body. Refuses what no frame can hold.
    pub fn new(entry: Entry, reply: Reply) -> Result<Self, AppendError> {
        let header = header_bound(&entry);
        if entry.body.len() > MAX_BODY_LEN || header > MAX_HEADER_LEN {
            return Err(AppendError::TooLarge(entry.body.len().saturating_add(header)));
        }
        let (body_hash, body_crc) = (body_hash(&entry.body), crc32c::crc32c(&entry.body));
        Ok(Self { entry, body_hash, body_crc, reply })
    }

    /// Bytes that count against the queue.
    pub fn weight(&self) -> usize {
        self.entry.body.len()
    }
}

/// No header of this entry is longer.
fn header_bound(entry: &Entry) -> usize {
    let reasons = entry.rejected.iter().map(|rejection| rejection.reason.len() + PER_REASON);
    FIXED_FIELDS + entry.tenant.as_str().len() + reasons.sum::<usize>()
}

/// The queue between callers and writer.
#[derive(Debug)]
pub(super) struct Queue {
    max_bytes: usize,
    max_entries: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// Of everything not yet settled: waiting, or with the writer.
    load: Load,
    /// Why nothing more is taken.
    closed: Option<AppendError>,
}

/// How much is in the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub entries: usize,
    pub bytes: usize,
}

impl Queue {
    /// An empty queue with these bounds.
    pub fn new(max_bytes: usize, max_entries: usize) -> Self {
        Self { max_bytes, max_entries, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Puts an entry at the end, or refuses it.
    pub fn push(&self, waiting: Waiting) -> Result<(), AppendError> {
        let weight = waiting.weight();
        if weight > self.max_bytes {
            return Err(AppendError::TooLarge(weight));
        }
        let mut state = lock(&self.state);
        if let Some(reason) = state.closed {
            return Err(reason);
        }
        if state.load.entries >= self.max_entries || state.load.bytes + weight > self.max_bytes {
            return Err(AppendError::Full);
        }
        state.load.entries += 1;
        state.load.bytes += weight;
        state.waiting.push_back(waiting);
        self.changed.notify_one();
        Ok(())
    }

    /// Takes everything that waits, up to so many bytes and at least one entry. Waits for the first; `None` when the
    /// queue is closed and empty.
    pub fn take(&self, max_bytes: usize) -> Option<Vec<Waiting>> {
        let mut state = lock(&self.state);
        while state.waiting.is_empty() {
            if state.closed.is_some() {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let count = batch_len(&state.waiting, max_bytes);
        Some(state.waiting.drain(..count).collect())
    }

    /// Makes room: so much of what was taken is settled.
    pub fn settle(&self, load: Load) {
        let mut state = lock(&self.state);
        state.load.entries -= load.entries;
        state.load.bytes -= load.bytes;
    }

    /// Refuses from now on, for the first reason given. What waits is still taken.
    pub fn close(&self, reason: AppendError) {
        lock(&self.state).closed.get_or_insert(reason);
        self.changed.notify_all();
    }

    /// Drops what waits: its callers learn that nobody will answer.
    pub fn abandon(&self) {
        lock(&self.state).waiting.clear();
    }

    /// How much is in the queue, and why it is closed.
    pub fn status(&self) -> (Load, Option<AppendError>) {
        let state = lock(&self.state);
        (state.load, state.closed)
    }
}

fn batch_len(waiting: &VecDeque<Waiting>, max_bytes: usize) -> usize {
    let mut bytes = 0;
    let fits = |next: &&Waiting| {
        bytes += next.weight();
        bytes <= max_bytes
    };
    waiting.iter().take_while(fits).count().max(1)
}
