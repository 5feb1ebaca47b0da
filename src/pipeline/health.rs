//! What the process says about itself: every series for `/metrics`, and whether it is ready.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::api::Readiness;
use crate::catalogue::{Metric, Sample, SampleValue};
use crate::journal::Journal;
use crate::model::Nanos;
use crate::net::Connections;
use crate::otlp;
use crate::slo::Objective;

use super::fold::Status;

/// Ingest is refused, retryably, when the engine is this many frames behind.
pub const MAX_LAG: u64 = 100_000;
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
    /// Bytes that journal and store may take together.
    pub(super) disk: u64,
    pub(super) started: Nanos,
}

impl Health {
    /// Frames that are synced and not folded.
    pub fn lag(&self) -> u64 {
        self.journal.synced().saturating_sub(self.status.folded.load(Ordering::Acquire))
    }

    /// Whether ingest and judging work, and why not.
    pub fn readiness(&self) -> Readiness {
        let lag_frames = self.lag();
        let poisoned = self.journal.stats().poisoned;
        let failed = self.status.failed.load(Ordering::Acquire);
        let caught_up = self.status.caught_up.load(Ordering::Acquire);
        let behind = lag_frames > MAX_LAG;
        let reasons = [
            (poisoned, "the journal refuses to write after a failed write; restart to recover"),
            (failed, "the fold stopped on an error; see the log"),
            (!caught_up, "the journal is being replayed"),
            (behind, "the engine is too far behind"),
        ];
        let reason = reasons.iter().find(|(holds, _)| *holds).map(|(_, reason)| (*reason).to_owned());
        Readiness { ingest: !poisoned && !behind, judging: caught_up && !failed && !behind, lag_frames, reason }
    }

    /// Every series, or `None` until the fold has caught up.
    pub fn samples(&self) -> Option<Vec<Sample>> {
        if !self.status.caught_up.load(Ordering::Acquire) {
            return None;
        }
        let mut samples: Vec<Sample> = self.status.samples.load().as_ref().clone();
        self.received(&mut samples);
        self.journal(&mut samples);
        for objective in &self.objectives {
            samples.push(gauge(Metric::ObjectiveRatio, [objective.sli.as_str()], objective.target));
        }
        let retired = self.status.retired.load(Ordering::Relaxed);
        samples.push(counter(Metric::PartitionsRetired, NONE, retired));
        for (listener, connections) in [("otlp", &self.receiving), ("query", &self.answering)] {
            samples.push(gauge(Metric::Connections, [listener], connections.open.load(Ordering::Relaxed) as f64));
            let accepted = connections.accepted.load(Ordering::Relaxed);
            samples.push(counter(Metric::ConnectionsAccepted, [listener], accepted));
        }
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
        let behind = match lag {
            0 => 0.0,
            _ => wall().since(Nanos(self.status.folded_now.load(Ordering::Acquire))).as_seconds(),
        };
        samples.push(gauge(Metric::FoldLagSeconds, NONE, behind));
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

/// The wall clock.
pub fn wall() -> Nanos {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
