//! Another configuration while it runs. What was written becomes a frame of the journal: actions that begin after it
//! are judged by it, those that have begun keep what they began with, and a replay sees the change where it was.

use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{Checked, Config};
use crate::journal::{AppendError, Entry, Journal};

use super::Written;
use super::configuration::Setting;

/// Takes another configuration.
#[derive(Debug, Clone)]
pub struct Reloader {
    journal: Arc<Journal>,
    in_force: Arc<Mutex<Written>>,
}

impl Reloader {
    pub(super) fn new(journal: Arc<Journal>, in_force: Written) -> Self {
        Self { journal, in_force: Arc::new(Mutex::new(in_force)) }
    }

    /// Puts envelopes, objectives, waiting times and learning of a checked configuration in force. Everything else
    /// needs a restart. Says whether anything is new.
    ///
    /// # Errors
    /// When the journal does not take it: what was in force stays.
    pub async fn reload(&self, checked: &Checked) -> Result<bool, AppendError> {
        let written = Written::of(checked);
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
