//! What was received, rejected and refused. Handed in by the pipeline, read by the exposition.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::refused::Why;
use super::reply::Form;
use crate::model::Signal;
use crate::telemetry::{Counter, Gauge, Latency, LatencySnapshot};
use crate::wire::{Reason, Rejected};

/// A counter for every signal and form.
type PerForm = [[Counter; Form::ALL.len()]; Signal::ALL.len()];

/// Counters of the receiving side. Totals since the start of the process.
#[derive(Debug, Default)]
pub struct Counters {
    pub(super) requests: PerForm,
    pub(super) records: PerForm,
    pub(super) bytes: PerForm,
    /// Rejections are rare enough for a lock.
    rejected: Mutex<BTreeMap<(Signal, Reason), u64>>,
    refused: [Counter; Why::ALL.len()],
    pub(super) in_flight: Gauge,
    pub(super) acknowledged: Latency,
}

/// [`Counters`] at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Requests answered with success, records accepted in them, and their bytes, by signal and form. Every
    /// combination is present.
    pub received: Vec<(Signal, Form, Received)>,
    /// Records left out of otherwise accepted requests, by signal and reason. Only combinations that happened.
    pub rejected: Vec<(Signal, Reason, u64)>,
    /// Requests refused as a whole, by reason. Every reason is present.
    pub refused: Vec<(Why, u64)>,
    /// Requests that have not been answered yet.
    pub in_flight: u64,
    /// From the head of a request to its success.
    pub acknowledged: LatencySnapshot,
}

/// Totals of one signal in one form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Received {
    /// Requests answered with success.
    pub requests: u64,
    /// Records accepted; data points for metrics.
    pub records: u64,
    /// Bytes of the messages in those requests, decompressed.
    pub bytes: u64,
}

impl Counters {
    pub(super) fn received(&self, signal: Signal, form: Form, records: u32, bytes: usize) {
        self.requests[signal as usize][form as usize].add(1);
        self.records[signal as usize][form as usize].add(records.into());
        self.bytes[signal as usize][form as usize].add(bytes as u64);
    }

    pub(super) fn rejected(&self, signal: Signal, rejected: &Rejected) {
        if rejected.count == 0 {
            return;
        }
        let mut counts = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        for (reason, count) in &rejected.reasons {
            *counts.entry((signal, *reason)).or_default() += u64::from(*count);
        }
    }

    pub(super) fn refused(&self, why: Why) {
        self.refused[why as usize].add(1);
    }

    /// All of it.
    pub fn snapshot(&self) -> Snapshot {
        let forms = |signal| Form::ALL.map(|form| (signal, form, self.of(signal, form)));
        let rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        Snapshot {
            received: Signal::ALL.into_iter().flat_map(forms).collect(),
            rejected: rejected.iter().map(|((signal, reason), count)| (*signal, *reason, *count)).collect(),
            refused: Why::ALL.map(|why| (why, self.refused[why as usize].get())).into(),
            in_flight: self.in_flight.get(),
            acknowledged: self.acknowledged.snapshot(),
        }
    }

    fn of(&self, signal: Signal, form: Form) -> Received {
        let total = |counters: &PerForm| counters[signal as usize][form as usize].get();
        Received { requests: total(&self.requests), records: total(&self.records), bytes: total(&self.bytes) }
    }
}
