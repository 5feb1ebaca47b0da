//! `check`: everything that can be known to be wrong before a port is opened.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::config;

use super::{Failed, mistakes};

/// Check configuration, envelopes and tokens without starting
///
/// Exit code 0: no mistakes. 2: mistakes, all of them listed with file, line and column.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// The configuration file; without it `wherefore.yaml` here, if there is one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Allow listeners beyond loopback although nobody needs a token
    #[arg(long)]
    insecure: bool,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failed> {
        let checked = config::check(self.config.as_deref(), self.insecure).map_err(|found| mistakes(&found))?;
        writeln!(io::stdout(), "{checked}")?;
        Ok(())
    }
}
