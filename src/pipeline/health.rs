//! What the process says about itself: every series for `/metrics`, and whether it is ready.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::api::Readiness;
use crate::catalogue::{Metric, Sample, SampleValue};
use crate::journal::{Full, Journal};
use crate::model::{Nanos, Sli, Span};
use crate::net::Connections;
use crate::otlp;
use crate::slo::Objective;

use super::fold::Status;
use super::lag::Lag;
use super::reload::Reloads;

/// Ingest is refused, retryably, when the engine is this many frames behind.
pub const MAX_LAG: u64 = 100_000;
/// A journal whose clock is further ahead than this makes records late: worth a word.
const CLOCK_AHEAD: Span = Span::minutes(1);
/// Upper bounds in seconds of what a disk and a network take.
const BOUNDS: &[f64] = &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Everything that is asked for `/metrics` and the probes.
pub struct Health {
    pub(super) journal: Arc<Journal>,
    pub(super) status: Arc<Status>,
    pub(super) counters: Arc<otlp::Counters>,
    pub(super) objectives: Vec<Objective>,
    /// Connections of senders, and of those who ask.
    pub(super) receiving: Arc<Connections>,
    pub(super) answering: Arc<Connections>,
    /// How many there may be of either.
    pub(super) limits: [usize; 2],
    /// Bytes that journal and store may take together.
    pub(super) disk: u64,
    /// What came of reading the configuration again.
    pub(super) reloads: Arc<Reloads>,
    pub(super) started: Nanos,
    pub(super) waits: Mutex<Lag>,
}

impl Health {
    /// Frames that are synced and not folded.
    pub fn lag(&self) -> u64 {
        self.journal.synced().saturating_sub(self.status.folded.load(Ordering::Acquire))
    }

    /// How long the oldest frame that is not folded has waited, and whether none is folded at all.
    pub(super) fn waits(&self) -> (Duration, bool) {
        let (synced, folded) = (self.journal.synced(), self.status.folded.load(Ordering::Acquire));
        let now = Instant::now();
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.look(synced, folded, now);
        (waits.waited(now), waits.is_stalled(now))
    }

    /// Whether ingest and judging work, and why not.
    pub fn readiness(&self) -> Readiness {
        let (lag_frames, (waited, stalled), stats) = (self.lag(), self.waits(), self.journal.stats());
        let [failed, caught_up, held] = [&self.status.failed, &self.status.caught_up, &self.status.held]
            .map(|status| status.load(Ordering::Acquire));
        let behind = lag_frames > MAX_LAG;
        // What holds, whether it stops ingest, whether it stops judging, and what to say. The first that holds is said.
        let table = [
            (stats.poisoned, true, true, "the journal refuses to write after a failed write; restart to recover"),
            (failed, false, true, "the fold stopped on an error; see the log"),
            (!caught_up, false, true, "the journal is being replayed"),
            (stats.full == Some(Full::Disk), true, false, "the disk is full: only its emergency reserve is left"),
            (stats.full == Some(Full::Budget), true, false, "the budget `disk` is used up by what cannot go yet"),
            (held, false, true, "the store refuses checkpoints, so nothing more is judged; see the log"),
            (behind, true, true, "the engine is too far behind"),
            (stalled, false, true, "frames wait and none is judged"),
            (stats.ahead > CLOCK_AHEAD, false, false, "the journal's clock is ahead of the wall clock"),
        ];
        let holding = || table.iter().filter(|(holds, ..)| *holds);
        Readiness {
            ingest: !holding().any(|(_, ingest, ..)| *ingest),
            judging: !holding().any(|(_, _, judging, _)| *judging),
            lag_frames,
            lag_seconds: waited.as_secs_f64(),
            reason: holding().next().map(|(.., reason)| (*reason).to_owned()),
        }
    }

    /// Every series, or `None` until the fold has caught up.
    pub fn samples(&self) -> Option<Vec<Sample>> {
        if !self.status.caught_up.load(Ordering::Acquire) {
            return None;
        }
        let mut samples: Vec<Sample> = self.status.samples.load().as_ref().clone();
        self.received(&mut samples);
        self.journal(&mut samples);
        for sli in Sli::ALL {
            // One series each: where several objectives ask for the same, the first.
            if let Some(objective) = self.objectives.iter().find(|it| it.sli_of_all() == Some(*sli)) {
                samples.push(gauge(Metric::ObjectiveRatio, [sli.as_str()], objective.target));
            }
        }
        let retired = self.status.retired.load(Ordering::Relaxed);
        samples.push(counter(Metric::PartitionsRetired, NONE, retired));
        for (listener, connections, limit) in
            [("otlp", &self.receiving, self.limits[0]), ("query", &self.answering, self.limits[1])]
        {
            samples.push(gauge(Metric::Connections, [listener], connections.open.load(Ordering::Relaxed) as f64));
            samples.push(gauge(Metric::ConnectionsLimit, [listener], limit as f64));
            for (metric, count) in [
                (Metric::ConnectionsAccepted, &connections.accepted),
                (Metric::ConnectionsRefused, &connections.refused),
                (Metric::ConnectionsTimedOut, &connections.timed_out),
            ] {
                samples.push(counter(metric, [listener], count.load(Ordering::Relaxed)));
            }
        }
        samples.extend(self.reloads.samples());
        samples.push(gauge(Metric::BuildInfo, [env!("CARGO_PKG_VERSION")], 1.0));
        samples.push(gauge(Metric::StartTime, NONE, self.started.as_seconds()));
        Some(samples)
    }

    /// What the receivers counted.
    fn received(&self, samples: &mut Vec<Sample>) {
        let snapshot = self.counters.snapshot();
        let mut records = std::collections::BTreeMap::new();
        for (signal, form, received) in &snapshot.received {
            samples.push(counter(Metric::ReceivedRequests, [signal.as_str(), transport(*form)], received.requests));
            let slot: &mut (u64, u64) = records.entry(*signal).or_default();
            *slot = (slot.0 + received.records, slot.1 + received.bytes);
        }
        for (signal, (count, bytes)) in records {
            samples.push(counter(Metric::ReceivedRecords, [signal.as_str()], count));
            samples.push(counter(Metric::ReceivedBytes, [signal.as_str()], bytes));
        }
        for (signal, reason, count) in &snapshot.rejected {
            samples.push(counter(Metric::RejectedRecords, [signal.as_str(), reason.as_str()], *count));
        }
        for (why, count) in &snapshot.refused {
            samples.push(counter(Metric::RefusedRequests, [why.as_str()], *count));
        }
        let bounds: Vec<Duration> = BOUNDS.iter().map(|bound| Duration::from_secs_f64(*bound)).collect();
        let acknowledged = &snapshot.acknowledged;
        let mut buckets: Vec<(f64, u64)> = BOUNDS.iter().copied().zip(acknowledged.at_most(&bounds)).collect();
        buckets.push((f64::INFINITY, acknowledged.count()));
        let value = SampleValue::Histogram { buckets, sum: acknowledged.sum.as_secs_f64() };
        samples.push(Sample::new(Metric::AckSeconds, NONE, value));
    }

    /// What the journal counted, and how far the fold is.
    fn journal(&self, samples: &mut Vec<Sample>) {
        let stats = self.journal.stats();
        samples.push(counter(Metric::JournalFrames, NONE, stats.synced));
        samples.push(gauge(Metric::JournalBytes, NONE, stats.disk_bytes as f64));
        samples.push(gauge(Metric::JournalQueueBytes, NONE, stats.queue_bytes as f64));
        samples.push(gauge(Metric::Poisoned, NONE, f64::from(u8::from(stats.poisoned))));
        if let Some(oldest) = stats.oldest {
            samples.push(gauge(Metric::JournalOldest, NONE, oldest.as_seconds()));
        }
        if let Some(free) = stats.free_bytes {
            samples.push(gauge(Metric::DiskFreeBytes, NONE, free as f64));
        }
        if let Some(seconds) = stats.seconds_to_full {
            samples.push(gauge(Metric::DiskFullSeconds, NONE, seconds));
        }
        let micros = &stats.sync_micros;
        let below = |bound: f64| micros.count_between(0, (bound * 1e6) as u64);
        let mut buckets: Vec<(f64, u64)> = BOUNDS.iter().map(|bound| (*bound, below(*bound))).collect();
        buckets.push((f64::INFINITY, micros.len()));
        let sum = micros.mean() * micros.len() as f64 / 1e6;
        samples.push(Sample::new(Metric::JournalSyncSeconds, NONE, SampleValue::Histogram { buckets, sum }));

        let lag = self.lag();
        samples.push(gauge(Metric::FoldLagFrames, NONE, lag as f64));
        samples.push(gauge(Metric::FoldLagSeconds, NONE, self.waits().0.as_secs_f64()));
        samples.push(gauge(Metric::JournalClockAhead, NONE, stats.ahead.as_seconds()));
        samples.push(gauge(Metric::AppliedFrame, NONE, self.status.applied.load(Ordering::Acquire) as f64));
    }
}

/// OTLP's own names of its transports.
fn transport(form: otlp::Form) -> &'static str {
    match form {
        otlp::Form::Grpc => "grpc",
        otlp::Form::Protobuf => "http/protobuf",
        otlp::Form::Json => "http/json",
    }
}

const NONE: [&str; 0] = [];

fn gauge<const N: usize>(metric: Metric, labels: [&str; N], value: f64) -> Sample {
    Sample::new(metric, labels, SampleValue::Gauge(value))
}

fn counter<const N: usize>(metric: Metric, labels: [&str; N], value: u64) -> Sample {
    Sample::new(metric, labels, SampleValue::Counter(value, None))
}
