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
    /// Whether profiles are learnt. A former version learnt nothing and did not say so.
    #[serde(default)]
    pub learning: bool,
}

impl Written {
    /// The body of its frame.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain data")
    }

    /// Reads a frame's body.
    ///
    /// # Errors
    /// When another version wrote what this one cannot read.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// What a frame's body means.
    ///
    /// # Errors
    /// Why it cannot be read, in a sentence.
    pub fn meaning_of(bytes: &[u8]) -> Result<Configuration, String> {
        let written = Self::from_bytes(bytes).map_err(|error| error.to_string())?;
        written.meaning().map_err(|mistakes| mistakes.first().map(ToString::to_string).unwrap_or_default())
    }

    /// What it means.
    ///
    /// # Errors
    /// Every mistake of the envelopes, which were checked before they were written.
    pub fn meaning(&self) -> Result<Configuration, Vec<Mistake>> {
        let files: Vec<(&str, &str)> = self.envelopes.iter().map(|(name, text)| (&**name, &**text)).collect();
        Ok(Configuration {
            rules: Arc::new(envelope::parse(&files)?),
            constants: self.constants,
            learning: self.learning,
        })
    }
}
