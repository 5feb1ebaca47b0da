//! The journal: append-only segments of frames, one writer, group commit, a hash chain.
//!
//! Everything that must survive goes through here, in one order: what senders were told is accepted, the
//! configuration, restarts and ticks. A reply to a sender waits for [`Journal::append`], which answers after the
//! sync. The fold reads the same frames back through a [`Follower`]; recovery is reading again after a checkpoint.
//!
//! ```text
//! journal/
//!   lock                        held while a process writes here
//!   00000000000000000001.wfj    named by its first sequence
//!   00000000000000004711.wfj    the last one is written, the others are sealed
//! ```
//!
//! The layout of a segment is told in `segment.rs`, of a frame in `frame.rs`, the chain in `chain.rs`. A segment
//! needs no other: its header holds the chain's head at its start. Numbers are little-endian.
//!
//! Not here: what a body means, when to append a restart or tick frame, how long to keep frames. The driver knows.
//! What the chain cannot show: frames cut off at the very end, unless somebody remembers a later head.

mod catalogue;
mod chain;
mod clock;
mod disk;
mod entry;
mod error;
mod feed;
mod follower;
mod frame;
mod maintain;
mod queue;
mod reader;
mod recovery;
mod rewrite;
mod segment;
mod stats;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::model::{Nanos, Span};

pub use clock::wall;
pub use entry::{Entry, Frame, Kind, Position, Rejection};
pub use error::{AppendError, Broken, Fault, JournalError};
pub use follower::Follower;
pub use frame::MAX_BODY_LEN;
pub use maintain::Removed;
pub use reader::Reader;
pub use recovery::Recovery;
pub use rewrite::Rewritten;
pub use stats::{Full, Stats};
pub use verify::{Verified, verify};

use catalogue::Catalogue;
use clock::Clock;
use disk::Disk;
use feed::Feeds;
use queue::Queue;
use recovery::Recovered;
use stats::Counters;
use writer::Writer;

/// How a journal is written. Every bound is a refusal when reached, never a wait.
#[derive(Debug, Clone)]
pub struct Options {
    /// A segment is sealed by the first append after it has reached this many bytes.
    pub segment_bytes: u64,
    /// A segment is also sealed by the first append after it has reached this age, so that retention, which removes
    /// whole segments, keeps its word on a quiet journal.
    pub segment_age: Span,
    /// Bodies waiting for a sync, in bytes; those being synced count.
    pub queue_bytes: usize,
    /// Entries waiting for a sync; those being synced count.
    pub queue_entries: usize,
    /// Bodies written with one sync, in bytes. A larger entry is a batch of its own.
    pub batch_bytes: usize,
    /// Free bytes of the filesystem that senders cannot use: what is left for the journal's own frames and for the
    /// store, so that a full disk can be seen, judged and survived.
    pub reserve_bytes: u64,
    /// Whether [`Journal::compress_sealed`] does anything.
    pub compress: bool,
    /// The wall clock. Handed in so that tests can set it.
    pub clock: fn() -> Nanos,
    /// A clock that nobody sets. Handed in so that tests can hold it.
    pub monotonic: fn() -> Span,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            // Recovery reads one segment: 256 MiB are read and hashed in well under a second.
            segment_bytes: 256 << 20,
            // A twelfth of the default retention of three days.
            segment_age: Span::hours(6),
            // Room for the next batch to fill while one syncs, even when a sync takes a second.
            queue_bytes: 64 << 20,
            queue_entries: 16_384,
            // Past some MiB a larger write no longer makes the disk faster, it only makes the senders wait.
            batch_bytes: 4 << 20,
            reserve_bytes: 256 << 20,
            compress: true,
            clock: clock::wall,
            monotonic: clock::monotonic,
        }
    }
}

/// The one writer of a journal directory. Cheap to share by reference; dropping it writes what was queued.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
    /// Locked for as long as this is open.
    _lock: File,
}

/// The promise of an appended entry: a future of its position, ready after the sync.
#[derive(Debug)]
#[must_use = "the entry is durable only when this says so"]
pub struct Receipt(oneshot::Receiver<Result<Position, AppendError>>);

/// What the writer's thread and the callers' threads both see.
#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    options: Options,
    disk: Disk,
    queue: Queue,
    feeds: Feeds,
    catalogue: Mutex<Catalogue>,
    counters: Mutex<Counters>,
    clock: Clock,
    /// Bytes that the files may take; senders are refused beyond.
    room: AtomicU64,
    /// Bytes for which there was no room when senders were refused last; 0 once something of theirs was written.
    wanted: AtomicU64,
    /// Held while sealed segments are removed or replaced.
    maintenance: Mutex<()>,
}

impl Journal {
    /// Opens or creates the journal in `dir`, repairs its tail and starts the writer.
    ///
    /// Fails when another process has it open, when a file cannot be read or written, and when a record that was
    /// once synced is damaged: [`JournalError::Broken`] names it, and nothing is cut.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Recovery), JournalError> {
        Self::open_on(dir, options, Disk::default())
    }

    fn open_on(dir: &Path, options: Options, disk: Disk) -> Result<(Self, Recovery), JournalError> {
        let lock = segment::lock(dir)?;
        let Recovered { recovery, tail, catalogue } = recovery::recover(dir, &options, &disk)?;
        let shared = Arc::new(Shared::new(dir, options, disk, catalogue, &recovery));
        let writer = Writer::new(shared.clone(), tail)
            .and_then(Writer::start)
            .map_err(JournalError::io("start the writer of", dir))?;
        let journal = Self { shared, writer: Some(writer), _lock: lock };
        Ok((journal, recovery))
    }

    /// Appends an entry and waits until it is synced. Once polled, the entry is in the queue; dropping the future
    /// does not take it back.
    pub async fn append(&self, entry: Entry) -> Result<Position, AppendError> {
        self.try_append(entry)?.await
    }

    /// Puts an entry into the queue of the writer, or refuses at once. Hashes the body on the calling thread.
    pub fn try_append(&self, entry: Entry) -> Result<Receipt, AppendError> {
        let (reply, receipt) = oneshot::channel();
        self.shared.queue.push(queue::Waiting::new(entry, reply)?)?;
        Ok(Receipt(receipt))
    }

    /// The last sequence that is synced; 0 for an empty journal.
    pub fn synced(&self) -> u64 {
        self.shared.feeds.synced()
    }

    /// The time that a frame would be stamped with now.
    pub fn clock(&self) -> Nanos {
        self.shared.clock.now().0
    }

    /// From now on senders are refused when the files would take more bytes than this. The journal's own frames are
    /// not: without them nothing could be judged, and nothing would become free.
    pub fn set_room(&self, bytes: u64) {
        self.shared.room.store(bytes, Ordering::Release);
    }

    /// Every synced frame after the given sequence, once and in order, now and as they come. Up to `capacity_bytes`
    /// are kept in memory for a follower that is late; beyond that it reads the files. The writer never waits for it.
    pub fn subscribe(&self, after: u64, capacity_bytes: usize) -> Follower {
        let feed = self.shared.feeds.subscribe(capacity_bytes);
        Follower::new(&self.shared.dir, after, feed)
    }

    /// The journal's own figures as of now.
    pub fn stats(&self) -> Stats {
        stats::snapshot(&self.shared)
    }

    /// Writes what is queued and stops. The same as dropping, with a name.
    pub fn close(self) {}
}

impl Shared {
    fn new(dir: &Path, options: Options, disk: Disk, catalogue: Catalogue, found: &Recovery) -> Self {
        Self {
            dir: dir.to_path_buf(),
            queue: Queue::new(options.queue_bytes, options.queue_entries),
            feeds: Feeds::new(found.last_sequence),
            clock: Clock::new(options.clock, options.monotonic, found.last_now),
            room: AtomicU64::new(u64::MAX),
            wanted: AtomicU64::new(0),
            catalogue: Mutex::new(catalogue),
            counters: Mutex::default(),
            maintenance: Mutex::default(),
            options,
            disk,
        }
    }

    /// Bytes that senders may still fill: of the filesystem, without the reserve, and of the files' own bound.
    fn left(&self) -> Left {
        let free = self.disk.free_bytes(&self.dir).ok();
        let (_, held) = lock(&self.catalogue).size();
        Left {
            free,
            // A filesystem that does not tell is used until a write fails.
            on_disk: free.map_or(u64::MAX, |free| free.saturating_sub(self.options.reserve_bytes)),
            in_budget: self.room.load(Ordering::Acquire).saturating_sub(held),
        }
    }
}

/// Room for senders.
#[derive(Debug, Clone, Copy)]
struct Left {
    /// Bytes that may still be written to the filesystem, the reserve included; none when it does not tell.
    free: Option<u64>,
    on_disk: u64,
    in_budget: u64,
}

impl Left {
    fn bytes(self) -> u64 {
        self.on_disk.min(self.in_budget)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.queue.close(AppendError::Closed);
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has already refused everything; there is nothing to add here.
            let _ = writer.join();
        }
    }
}

impl Receipt {
    /// Waits on a thread that is not part of an async runtime; panics on one that is.
    pub fn wait(self) -> Result<Position, AppendError> {
        self.0.blocking_recv().unwrap_or(Err(AppendError::Poisoned))
    }
}

impl Future for Receipt {
    type Output = Result<Position, AppendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // A reply that never comes means that the writer is gone.
        Pin::new(&mut self.0).poll(cx).map(|reply| reply.unwrap_or(Err(AppendError::Poisoned)))
    }
}

/// Locks whatever a panicking thread left behind: every critical section here leaves its data whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
