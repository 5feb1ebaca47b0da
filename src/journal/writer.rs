//! The writer: one thread that takes everything that waits, writes it, syncs once, and answers everybody.
//!
//! While it syncs, the queue fills with the next batch; that is the whole group commit. Sequence, time and chain
//! move on only after the sync. A write that found the disk full is cut away and refused, and the journal goes on. Any
//! other failure leaves unknown bytes behind: the journal refuses everything until it is opened again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use prost::Message;

use crate::proto::records::FrameHeader;

use super::chain::{Chain, Salts, commitment};
use super::disk;
use super::entry::{Frame, Position};
use super::error::{AppendError, is_no_space};
use super::frame::Encoded;
use super::queue::{Load, Reply, Waiting};
use super::recovery::{Tail, new_segment};
use super::segment::{self, HEADER_LEN};
use super::{JournalError, Shared, lock};

/// The end of the journal, and what it takes to move it.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    tail: Tail,
    salts: Salts,
}

/// What a caller is told.
pub(super) type Answer = (Reply, Result<Position, AppendError>);

/// Entries that are written and synced together.
struct Batch {
    frames: Vec<Arc<Frame>>,
    encoded: Vec<Encoded>,
    replies: Vec<Reply>,
    /// The chain after the last of them.
    end: Chain,
}

impl Writer {
    /// A writer that goes on at the tail.
    pub fn new(shared: Arc<Shared>, tail: Tail) -> io::Result<Self> {
        let salts = Salts::new(disk::random()?);
        Ok(Self { shared, tail, salts })
    }

    /// Starts the thread. It ends when the queue is closed and empty.
    pub fn start(self) -> io::Result<JoinHandle<()>> {
        thread::Builder::new().name("journal".into()).spawn(move || self.run())
    }

    fn run(mut self) {
        while let Some(waiting) = self.shared.queue.take(self.shared.options.batch_bytes) {
            let load = Load { entries: waiting.len(), bytes: waiting.iter().map(Waiting::weight).sum() };
            let answers = self.settle(waiting);
            // Who is answered finds room again.
            self.shared.queue.settle(load);
            for (reply, answer) in answers {
                // A sender that went away does not need to know.
                let _ = reply.send(answer);
            }
        }
    }

    /// Appends what may be appended, and says what to answer.
    pub fn settle(&mut self, waiting: Vec<Waiting>) -> Vec<Answer> {
        let (waiting, mut answers) = self.refuse_without_space(waiting);
        if waiting.is_empty() {
            return answers;
        }
        if let Err(error) = self.usable().and_then(|()| self.rotate_if_due()) {
            answers.extend(waiting.into_iter().map(|waiting| (waiting.reply, Err(error))));
            return answers;
        }
        let batch = self.seal(waiting);
        let committed = self.commit(&batch);
        let positions = batch.frames.iter().map(|frame| committed.map(|()| frame.position()));
        answers.extend(batch.replies.into_iter().zip(positions));
        answers
    }

    /// Whether no write has failed yet.
    fn usable(&self) -> Result<(), AppendError> {
        match self.shared.queue.status() {
            (_, Some(AppendError::Poisoned)) => Err(AppendError::Poisoned),
            _ => Ok(()),
        }
    }

    /// Keeps senders out of the emergency reserve, and inside the budget.
    fn refuse_without_space(&self, waiting: Vec<Waiting>) -> (Vec<Waiting>, Vec<Answer>) {
        let bytes = waiting.iter().map(Waiting::weight).sum::<usize>() as u64;
        if bytes <= self.shared.left().bytes() || !waiting.iter().any(|waiting| waiting.entry.kind.is_received()) {
            return (waiting, Vec::new());
        }
        self.shared.wanted.store(bytes, Ordering::Release);
        let (received, own): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|waiting| waiting.entry.kind.is_received());
        let refused = received.into_iter().map(|waiting| (waiting.reply, Err(AppendError::NoSpace)));
        (own, refused.collect())
    }

    /// Seals the segment and begins the next one when it is large or old enough.
    fn rotate_if_due(&mut self) -> Result<(), AppendError> {
        let Shared { options, .. } = &*self.shared;
        let (now, _) = self.shared.clock.now();
        let age = now.since(self.tail.segment.header.created);
        if self.tail.len == HEADER_LEN as u64 || (self.tail.len < options.segment_bytes && age < options.segment_age) {
            return Ok(());
        }
        let segment = match new_segment(&self.shared.dir, self.tail.chain, now) {
            Err(error) if error.is_no_space() => return Err(AppendError::NoSpace),
            made => made.map_err(|error| self.poison(&error))?,
        };
        segment::sync_dir(&self.shared.dir).map_err(|error| self.poison(&error))?;
        lock(&self.shared.catalogue).push(segment.header, HEADER_LEN as u64);
        self.tail = Tail { segment, len: HEADER_LEN as u64, chain: self.tail.chain };
        Ok(())
    }

    /// Gives every entry its place in the journal and lays out its bytes.
    fn seal(&mut self, waiting: Vec<Waiting>) -> Batch {
        let first = self.tail.chain.sequence + 1;
        let mut batch = Batch { frames: Vec::new(), encoded: Vec::new(), replies: Vec::new(), end: self.tail.chain };
        for Waiting { entry, body_hash, body_crc, reply } in waiting {
            let (now, clamped) = self.shared.clock.stamp();
            let position = Position { sequence: batch.end.sequence + 1, now };
            let frame = Frame::new(entry, position, clamped);
            let (facts, salt) = (frame.facts(first), self.salts.draw());
            let (sealed, commitment) = (facts.encode_to_vec(), commitment(&salt, &body_hash));
            batch.end.extend(&facts, &sealed, &commitment);
            let header = FrameHeader {
                facts: sealed.into(),
                commitment: commitment.0.to_vec().into(),
                head: batch.end.head.0.to_vec().into(),
                salt: salt.to_vec().into(),
                ..FrameHeader::default()
            };
            let marker = &self.tail.segment.header.marker;
            batch.encoded.push(Encoded::new(marker, &header, frame.body.clone(), body_crc));
            batch.frames.push(Arc::new(frame));
            batch.replies.push(reply);
        }
        batch
    }

    /// Writes and syncs a batch, and only then lets the journal move on.
    fn commit(&mut self, batch: &Batch) -> Result<(), AppendError> {
        let (disk, file) = (&self.shared.disk, &self.tail.segment.file);
        let mut slices: Vec<_> = batch.encoded.iter().flat_map(Encoded::slices).collect();
        disk.write(file, self.tail.len, &mut slices).map_err(|error| self.after_failed_write(error))?;
        let started = Instant::now();
        disk.sync(file).map_err(|source| self.poison(&self.io("sync", source)))?;
        let synced_in = started.elapsed();
        let bytes = batch.encoded.iter().map(Encoded::len).sum::<u64>();
        self.tail.len += bytes;
        self.tail.chain = batch.end;
        lock(&self.shared.catalogue).grown(self.tail.len);
        lock(&self.shared.counters).record(&batch.frames, bytes, synced_in);
        if batch.frames.iter().any(|frame| frame.kind.is_received()) {
            self.shared.wanted.store(0, Ordering::Release);
        }
        self.shared.feeds.publish(&batch.frames);
        Ok(())
    }

    /// A full disk is no reason to stop if what was written of the batch can be taken back.
    fn after_failed_write(&self, source: io::Error) -> AppendError {
        if !is_no_space(&source) {
            return self.poison(&self.io("write", source));
        }
        match self.shared.disk.cut(&self.tail.segment.file, self.tail.len) {
            Ok(()) => {
                // The filesystem says that there is room, and there is none: not until there is more.
                self.shared.wanted.store(self.shared.left().bytes().saturating_add(1), Ordering::Release);
                AppendError::NoSpace
            }
            Err(source) => self.poison(&self.io("cut", source)),
        }
    }

    fn io(&self, attempt: &'static str, source: io::Error) -> JournalError {
        JournalError::io(attempt, &self.tail.segment.path)(source)
    }

    fn poison(&self, error: &JournalError) -> AppendError {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(%error, cause, "journal stopped, restart to recover");
        self.shared.queue.close(AppendError::Poisoned);
        AppendError::Poisoned
    }
}

/// However the thread ends, nobody waits for it.
impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.queue.close(AppendError::Poisoned);
        self.shared.queue.abandon();
        self.shared.feeds.close();
    }
}
