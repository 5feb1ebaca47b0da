//! `slo generate`: what the objectives come to in Prometheus.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::config;
use crate::rules::{Options, dashboards, prometheus_rules};

use super::{Failed, mistakes};

/// Write the Prometheus rule file of the objectives in force
#[derive(Debug, clap::Args)]
pub struct Generate {
    /// The configuration file; without it `wherefore.yaml` here, if there is one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to write; standard output if absent
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Divide every window by this, for trying rules out
    #[arg(long, default_value_t = 1, value_name = "N", hide = true)]
    window_scale: u32,
    /// Also write the Grafana dashboards into this directory
    #[arg(long, value_name = "DIR")]
    dashboards: Option<PathBuf>,
}

impl Generate {
    pub(super) fn run(self) -> Result<(), Failed> {
        let checked = config::check(self.config.as_deref(), true).map_err(|found| mistakes(&found))?;
        let objectives = checked.slos.objectives();
        let options = Options { external_url: checked.config.external_url, window_scale: self.window_scale };
        let rules = prometheus_rules(&objectives, &options)
            .map_err(|error| Failed::usage(format!("cannot make rules: {error}")))?;
        match &self.output {
            Some(path) => write_file(path, &rules)?,
            None => io::stdout().write_all(rules.as_bytes())?,
        }
        if let Some(folder) = &self.dashboards {
            std::fs::create_dir_all(folder)
                .map_err(|error| Failed::new(format!("cannot make `{}`: {error}", folder.display())))?;
            for (name, dashboard) in dashboards(&objectives, &options) {
                let text = serde_json::to_string_pretty(&dashboard).expect("a dashboard is plain data");
                write_file(&folder.join(name), &(text + "\n"))?;
            }
        }
        Ok(())
    }
}

fn write_file(path: &std::path::Path, text: &str) -> Result<(), Failed> {
    std::fs::write(path, text).map_err(|error| Failed::new(format!("cannot write `{}`: {error}", path.display())))
}
