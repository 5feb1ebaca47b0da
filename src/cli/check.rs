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

#[cfg(test)]
mod tests {
    /// The page that people are sent to and the map of the module show the same keys.
    #[test]
    fn every_key_is_documented_where_people_look() {
        let page = include_str!("../../docs/configuration.md");
        let (_, page) = page.split_once("```yaml\n").expect("a block");
        let (page, _) = page.split_once("```\n").expect("its end");
        let module = include_str!("../config/mod.rs").lines().skip_while(|line| *line != "//! ```yaml").skip(1);
        let module = module.take_while(|line| *line != "//! ```");
        let module: String =
            module.map(|line| format!("{}\n", line.strip_prefix("//! ").unwrap_or_default())).collect();
        assert_eq!(page, module, "copy the block of `src/config/mod.rs` to `docs/configuration.md`");
    }
}
