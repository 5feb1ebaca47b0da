//! The journal's own figures.

use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::model::{Nanos, Span};

use super::entry::Frame;
use super::error::AppendError;
use super::{Shared, lock};

/// Figures since the journal was opened, and its state now.
#[derive(Debug, Clone)]
pub struct Stats {
    /// Frames appended and synced.
    pub frames: u64,
    /// Bytes of these frames in the files.
    pub bytes: u64,
    /// Records in these frames.
    pub records: u64,
    /// Records that these frames say were refused.
    pub rejected: u64,
    /// Seconds of every sync, recorded in microseconds, from 1 to 60,000,000.
    pub sync_micros: Histogram<u64>,
    /// Frames written with every sync.
    pub batch_frames: Histogram<u64>,
    /// Frames stamped while the wall clock was behind the journal's.
    pub clamped: u64,
    /// How far it was behind, at most.
    pub clamped_max: Span,
    /// Entries not yet synced.
    pub queue_entries: usize,
    /// Bytes of their bodies.
    pub queue_bytes: usize,
    /// A write or sync failed; nothing is appended until the journal is opened again.
    pub poisoned: bool,
    /// Sequence of the oldest frame that is kept; one more than `synced` when there is none.
    pub first_sequence: u64,
    /// Sequence of the last synced frame.
    pub synced: u64,
    /// When the oldest segment was begun: no frame is older. None without frames.
    pub oldest: Option<Nanos>,
    /// Files.
    pub segments: usize,
    /// Bytes of the files.
    pub disk_bytes: u64,
    /// Bytes that may still be written to the filesystem; none when it does not tell.
    pub free_bytes: Option<u64>,
    /// Seconds until senders are refused for lack of space, at the recent rate and with nothing removed. None at rest.
    pub seconds_to_full: Option<f64>,
}

/// What the writer counts.
#[derive(Debug)]
pub(super) struct Counters {
    frames: u64,
    bytes: u64,
    records: u64,
    rejected: u64,
    clamped: u64,
    clamped_max: Span,
    sync_micros: Histogram<u64>,
    batch_frames: Histogram<u64>,
    rate: Rate,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            frames: 0,
            bytes: 0,
            records: 0,
            rejected: 0,
            clamped: 0,
            clamped_max: Span::default(),
            sync_micros: histogram(MAX_SYNC_MICROS),
            batch_frames: histogram(MAX_BATCH_FRAMES),
            rate: Rate::default(),
        }
    }
}

const MAX_SYNC_MICROS: u64 = 60_000_000;
const MAX_BATCH_FRAMES: u64 = 1 << 20;

fn histogram(max: u64) -> Histogram<u64> {
    Histogram::new_with_max(max, 2).expect("the bounds are constants that the library accepts")
}

impl Counters {
    /// A batch was synced. `bytes` is its length in the file.
    pub fn record(&mut self, frames: &[Arc<Frame>], bytes: u64, synced_in: Duration) {
        self.frames += frames.len() as u64;
        self.bytes += bytes;
        for frame in frames {
            self.records += u64::from(frame.accepted);
            self.rejected += frame.rejected.iter().map(|rejection| u64::from(rejection.count)).sum::<u64>();
            self.clamped += u64::from(frame.clamped > Span(0));
            self.clamped_max = self.clamped_max.max(frame.clamped);
        }
        self.sync_micros.saturating_record((synced_in.as_micros() as u64).max(1));
        self.batch_frames.saturating_record(frames.len() as u64);
        if let Some(last) = frames.last() {
            self.rate.record(bytes, last.now);
        }
    }
}

/// Bytes per second over about the last ten minutes: every byte counts less as it ages. Divided by the same decay
/// since the first byte, so that the first minutes are not too low.
#[derive(Debug, Default)]
struct Rate {
    started: Option<Nanos>,
    last: Nanos,
    weighted: f64,
}

/// The age at which a byte counts 1/e.
const RATE_SECONDS: f64 = 600.0;
/// One batch says little about a rate; no window is shorter.
const RATE_MIN_SECONDS: f64 = 10.0;

impl Rate {
    fn record(&mut self, bytes: u64, now: Nanos) {
        self.weighted = self.weighted * decay(now.since(self.last)) + bytes as f64;
        self.last = now;
        self.started.get_or_insert(now);
    }

    fn per_second(&self, now: Nanos) -> f64 {
        let Some(started) = self.started else {
            return 0.0;
        };
        let window = now.since(started).max(Span((RATE_MIN_SECONDS * 1e9) as u64));
        self.weighted * decay(now.since(self.last)) / (RATE_SECONDS * (1.0 - decay(window)))
    }
}

fn decay(age: Span) -> f64 {
    (-age.as_seconds() / RATE_SECONDS).exp()
}

/// Everything as of now.
pub(super) fn snapshot(shared: &Shared) -> Stats {
    let Shared { dir, options, disk, queue, feeds, catalogue, counters, .. } = shared;
    let synced = feeds.synced();
    let (load, closed) = queue.status();
    let (segments, disk_bytes, oldest) = {
        let catalogue = lock(catalogue);
        let (segments, disk_bytes) = catalogue.size();
        (segments, disk_bytes, catalogue.ends().map(|(oldest, _)| oldest.header))
    };
    let first_sequence = oldest.map_or(1, |header| header.first());
    let free_bytes = disk.free_bytes(dir).ok();
    let now = (options.clock)();
    let counters = lock(counters);
    let rate = counters.rate.per_second(now);
    Stats {
        frames: counters.frames,
        bytes: counters.bytes,
        records: counters.records,
        rejected: counters.rejected,
        sync_micros: counters.sync_micros.clone(),
        batch_frames: counters.batch_frames.clone(),
        clamped: counters.clamped,
        clamped_max: counters.clamped_max,
        queue_entries: load.entries,
        queue_bytes: load.bytes,
        poisoned: closed == Some(AppendError::Poisoned),
        first_sequence,
        synced,
        oldest: oldest.filter(|_| first_sequence <= synced).map(|header| header.created),
        segments,
        disk_bytes,
        free_bytes,
        seconds_to_full: free_bytes
            .filter(|_| rate >= 1.0)
            .map(|free| free.saturating_sub(options.reserve_bytes) as f64 / rate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_is_seen_early_and_forgotten_when_it_stops() {
        let mut rate = Rate::default();
        for second in 1..=60 {
            rate.record(1_000, Nanos(0) + Span::seconds(second));
        }
        let early = rate.per_second(Nanos(0) + Span::seconds(60));
        assert!((900.0..1_100.0).contains(&early), "{early}");
        let later = rate.per_second(Nanos(0) + Span::hours(3));
        assert!(later < 1.0, "{later}");
        assert_eq!(Rate::default().per_second(Nanos(5)), 0.0);
    }
}
