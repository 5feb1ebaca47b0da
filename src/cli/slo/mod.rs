//! `slo`: objectives, from the files they are written in to what they come to.

mod explain;
mod generate;
mod validate;

use super::{Failed, mistakes};

/// Work with service level objectives
#[derive(Debug, clap::Subcommand)]
pub enum Slo {
    /// Write the Prometheus rule file of the objectives in force
    Generate(generate::Generate),
    /// Tell every mistake of files of objectives
    Validate(validate::Validate),
    /// Say in words which objectives are in force, and who said so
    Explain(explain::Explain),
}

impl Slo {
    pub(super) fn run(self) -> Result<(), Failed> {
        match self {
            Self::Generate(generate) => generate.run(),
            Self::Validate(validate) => validate.run(),
            Self::Explain(explain) => explain.run(),
        }
    }
}
