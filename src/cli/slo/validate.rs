//! `slo validate`: every mistake of files of objectives, together.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::config::{Mistake, Slos, Texts};
use crate::slo::Objective;

use super::Failed;

/// Tell every mistake of files of objectives
///
/// OpenSLO (openslo/v1) and Sloth's format (prometheus/v1, sloth.slok.dev/v1). The files are read together, so that one
/// may refer to another. Exit code 1 when there is a mistake.
#[derive(Debug, clap::Args)]
pub struct Validate {
    /// Files of objectives
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Validate {
    pub(super) fn run(self) -> Result<(), Failed> {
        let mut out = io::stdout();
        // A file that cannot be read hides nothing of the others.
        let (texts, mut mistakes): (Vec<_>, Vec<_>) = self.files.into_iter().map(read).partition(Result::is_ok);
        let texts: Vec<(String, String)> = texts.into_iter().flatten().flatten().collect();
        let mut mistakes: Vec<Mistake> = mistakes.drain(..).filter_map(Result::err).flatten().collect();
        let borrowed: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (&**name, &**text)).collect();
        match Slos::read(&borrowed, &Objective::DEFAULTS) {
            Ok(slos) => {
                for warning in &slos.warnings {
                    writeln!(io::stderr(), "warning: {warning}")?;
                }
                if mistakes.is_empty() {
                    let (files, objectives) = (texts.len(), slos.stated.iter().filter(|it| it.is_written()).count());
                    writeln!(out, "no mistakes; files: {files}, objectives: {objectives}")?;
                }
            }
            Err(more) => mistakes.extend(more),
        }
        if mistakes.is_empty() { Ok(()) } else { Err(Failed { code: 1, ..super::mistakes(&mistakes) }) }
    }
}

fn read(path: PathBuf) -> Result<Vec<(String, String)>, Vec<Mistake>> {
    Texts::Files(vec![path]).read()
}
