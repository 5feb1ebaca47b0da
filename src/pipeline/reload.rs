//! Another configuration while it runs. What was written becomes a frame of the journal: actions that begin after it
//! are judged by it, those that have begun keep what they began with, and a replay sees the change where it was.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::catalogue::{Metric, Sample, SampleValue};
use crate::config::{Checked, Config};
use crate::journal::{AppendError, Entry, Journal, wall};
use crate::model::Nanos;

use super::Written;
use super::configuration::Setting;

/// Takes another configuration.
#[derive(Debug, Clone)]
pub struct Reloader {
    journal: Arc<Journal>,
    in_force: Arc<Mutex<Written>>,
    told: Arc<Reloads>,
}

/// What came of reading the files again, since the process started.
#[derive(Debug)]
pub(super) struct Reloads {
    accepted: AtomicU64,
    refused: AtomicU64,
    /// What was read last was refused.
    stale: AtomicBool,
    /// When files were last accepted, in nanoseconds: the start counts.
    accepted_at: AtomicU64,
}

impl Reloader {
    pub(super) fn new(journal: Arc<Journal>, in_force: Written, told: Arc<Reloads>) -> Self {
        Self { journal, in_force: Arc::new(Mutex::new(in_force)), told }
    }

    /// Puts envelopes, objectives, waiting times and learning of a checked configuration in force. Everything else
    /// needs a restart. Says whether anything is new.
    ///
    /// # Errors
    /// When the journal does not take it: what was in force stays.
    pub async fn reload(&self, checked: &Checked) -> Result<bool, AppendError> {
        let taken = self.put_in_force(Written::of(checked)).await;
        match taken {
            Ok(_) => self.told.accept(wall()),
            Err(_) => self.told.refuse(),
        }
        taken
    }

    /// The files were read and have mistakes: what was in force stays, and the metrics say so.
    pub fn refuse(&self) {
        self.told.refuse();
    }

    async fn put_in_force(&self, written: Written) -> Result<bool, AppendError> {
        if *self.in_force.lock().unwrap_or_else(PoisonError::into_inner) == written {
            return Ok(false);
        }
        self.journal.append(Entry::config(written.to_bytes().into())).await?;
        *self.in_force.lock().unwrap_or_else(PoisonError::into_inner) = written;
        Ok(true)
    }
}

impl Written {
    /// What of a checked configuration the fold judges with.
    pub(super) fn of(checked: &Checked) -> Self {
        let Config { constants, learning, ref objectives, .. } = checked.config;
        let (envelopes, slos) = (checked.envelopes.clone(), checked.slo_files.clone());
        Self { constants, envelopes, learning, slos, objectives: Setting::of(objectives) }
    }
}

impl Reloads {
    /// A process that read its files when it started.
    pub fn since(started: Nanos) -> Self {
        let [accepted, refused, accepted_at] = [0, 0, started.0].map(AtomicU64::new);
        Self { accepted, refused, stale: AtomicBool::new(false), accepted_at }
    }

    fn accept(&self, now: Nanos) {
        self.accepted_at.store(now.0, Ordering::Relaxed);
        self.stale.store(false, Ordering::Relaxed);
        self.accepted.fetch_add(1, Ordering::Release);
    }

    fn refuse(&self) {
        self.stale.store(true, Ordering::Relaxed);
        self.refused.fetch_add(1, Ordering::Release);
    }

    /// Its series.
    pub fn samples(&self) -> [Sample; 4] {
        let count = |count: &AtomicU64| SampleValue::Counter(count.load(Ordering::Acquire), None);
        let reloads = [("ok", &self.accepted), ("refused", &self.refused)]
            .map(|(result, counted)| Sample::new(Metric::ConfigReloads, [result], count(counted)));
        let gauge = |metric, value| Sample::new(metric, [""; 0], SampleValue::Gauge(value));
        let successful = f64::from(u8::from(!self.stale.load(Ordering::Relaxed)));
        let at = Nanos(self.accepted_at.load(Ordering::Relaxed)).as_seconds();
        let [ok, refused] = reloads;
        [ok, refused, gauge(Metric::ConfigReloadSuccessful, successful), gauge(Metric::ConfigReloadTime, at)]
    }
}
