//! Hands synced frames to followers in memory. The writer never waits: a frame that does not fit is left out, and
//! the follower, which knows the last synced sequence, reads it from the files.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Instant;

use super::entry::Frame;
use super::lock;

/// What a frame costs in memory beside its body, roughly.
const FRAME_OVERHEAD: usize = 256;

/// Every feed of a journal, and its watermark.
#[derive(Debug)]
pub(super) struct Feeds {
    feeds: Mutex<Vec<Weak<Feed>>>,
    synced: Arc<AtomicU64>,
}

impl Feeds {
    /// No feed yet; everything up to a sequence is synced.
    pub fn new(synced: u64) -> Self {
        Self { feeds: Mutex::default(), synced: Arc::new(AtomicU64::new(synced)) }
    }

    /// The last synced sequence.
    pub fn synced(&self) -> u64 {
        self.synced.load(Ordering::Acquire)
    }

    /// The last synced sequence, to be watched.
    pub fn watermark(&self) -> Arc<AtomicU64> {
        self.synced.clone()
    }

    /// A new feed of what is synced from here on.
    pub fn subscribe(&self, capacity_bytes: usize) -> Arc<Feed> {
        // Publishing needs the same lock, so no frame falls between the watermark and the feed.
        let mut feeds = lock(&self.feeds);
        let feed = Arc::new(Feed::new(self.synced(), capacity_bytes));
        feeds.push(Arc::downgrade(&feed));
        feed
    }

    /// Announces frames that have just been synced, in order.
    pub fn publish(&self, frames: &[Arc<Frame>]) {
        let Some(last) = frames.last() else { return };
        let mut feeds = lock(&self.feeds);
        self.synced.store(last.sequence, Ordering::Release);
        feeds.retain(|feed| feed.upgrade().inspect(|feed| feed.offer(frames, last.sequence)).is_some());
    }

    /// Says that nothing more will come.
    pub fn close(&self) {
        for feed in lock(&self.feeds).iter().filter_map(Weak::upgrade) {
            feed.close();
        }
    }
}

/// The frames that one follower has not taken yet, as far as they fit.
#[derive(Debug)]
pub(super) struct Feed {
    capacity_bytes: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// In order, not necessarily without gaps.
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
    synced: u64,
    closed: bool,
}

/// What a feed has for a follower.
#[derive(Debug)]
pub(super) enum Offer {
    /// The frame that was asked for.
    Frame(Arc<Frame>),
    /// It is synced, but was left out.
    OnDisk,
    /// It is not synced yet; time is up.
    NotYet,
    /// It will never come.
    Closed,
}

impl Feed {
    fn new(synced: u64, capacity_bytes: usize) -> Self {
        let state = State { frames: VecDeque::new(), bytes: 0, synced, closed: false };
        Self { capacity_bytes, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn offer(&self, frames: &[Arc<Frame>], synced: u64) {
        let mut state = lock(&self.state);
        for frame in frames {
            if state.bytes + weight(frame) <= self.capacity_bytes {
                state.bytes += weight(frame);
                state.frames.push_back(frame.clone());
            }
        }
        state.synced = synced;
        self.changed.notify_all();
    }

    fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_all();
    }

    /// The frame with a sequence, or why not. Waits for its sync until the deadline. Frames before it are let go.
    pub fn take(&self, sequence: u64, deadline: Instant) -> Offer {
        let mut state = lock(&self.state);
        loop {
            if let Some(frame) = state.pop(sequence) {
                return Offer::Frame(frame);
            }
            if state.synced >= sequence {
                return Offer::OnDisk;
            }
            if state.closed {
                return Offer::Closed;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Offer::NotYet;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl State {
    fn pop(&mut self, sequence: u64) -> Option<Arc<Frame>> {
        while self.frames.front()?.sequence <= sequence {
            let frame = self.frames.pop_front()?;
            self.bytes -= weight(&frame);
            if frame.sequence == sequence {
                return Some(frame);
            }
        }
        None
    }
}

fn weight(frame: &Frame) -> usize {
    frame.body.len() + FRAME_OVERHEAD
}
