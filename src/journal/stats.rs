//! The journal's own figures.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::model::{Nanos, Span};

use super::entry::Frame;
use super::error::AppendError;
use super::{Left, Shared, lock};

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
    /// Why senders are refused for lack of space, if they are.
    pub full: Option<Full>,
    /// Seconds until senders are refused because the filesystem is full, at the recent rate and with nothing removed;
    /// 0 while they are refused. None when the filesystem does not tell.
    pub seconds_to_full: Option<f64>,
    /// How far the journal's clock is ahead of the wall clock.
    pub ahead: Span,
}

/// What has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The filesystem has its emergency reserve left.
    Disk,
    /// The files have reached their own bound ([`super::Journal::set_room`]).
    Budget,
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
/// At rest the time until the disk is full is long, and known: a series that disappears is an alert that cannot fire.
const RATE_AT_REST: f64 = 1.0;
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
    let Shared { queue, feeds, catalogue, counters, clock, .. } = shared;
    let synced = feeds.synced();
    let (load, closed) = queue.status();
    let (segments, disk_bytes, oldest) = {
        let catalogue = lock(catalogue);
        let (segments, disk_bytes) = catalogue.size();
        (segments, disk_bytes, catalogue.ends().map(|(oldest, _)| oldest.header))
    };
    let first_sequence = oldest.map_or(1, |header| header.first());
    let left = shared.left();
    let full = full(left, shared.wanted.load(Ordering::Acquire));
    let (now, ahead) = clock.now();
    let counters = lock(counters);
    let room = if full.is_some() { 0 } else { left.on_disk };
    let seconds = room as f64 / counters.rate.per_second(now).max(RATE_AT_REST);
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
        free_bytes: left.free,
        full,
        seconds_to_full: left.free.map(|_| seconds),
        ahead,
    }
}

/// A last byte of room is none for whoever was refused more.
fn full(left: Left, wanted: u64) -> Option<Full> {
    match left {
        Left { on_disk, .. } if on_disk < wanted.max(1) => Some(Full::Disk),
        Left { in_budget, .. } if in_budget < wanted.max(1) => Some(Full::Budget),
        _ => None,
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
