//! The configuration as a journal frame: what an operator wrote, whole, so that a replay judges with what was in
//! force and needs no file.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::config::Mistake;
use crate::engine::Configuration;
use crate::envelope;
use crate::model::Constants;

/// The text of a configuration: envelope files and the lengths of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// How long to wait for what.
    pub constants: Constants,
    /// Envelope files: name and text.
    pub envelopes: Vec<(String, String)>,
}

impl Written {
    /// The body of its frame.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain data")
    }

    /// Reads a frame's body. `None` when another version wrote what this one cannot read.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// What it means.
    ///
    /// # Errors
    /// Every mistake of the envelopes, which were checked before they were written.
    pub fn meaning(&self) -> Result<Configuration, Vec<Mistake>> {
        let files: Vec<(&str, &str)> = self.envelopes.iter().map(|(name, text)| (&**name, &**text)).collect();
        Ok(Configuration { rules: Arc::new(envelope::parse(&files)?), constants: self.constants })
    }
}
