//! `verify`: the journal's hash chain, from its first segment to its last.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::journal::{self, JournalError};

use super::Failed;

/// Verify the journal's hash chain and name the first bad record
///
/// Exit code 0: the chain holds. 1: a record is not what was written. 2: there is no journal, or it cannot be read.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// The data directory
    #[arg(long, default_value = "wherefore-data", value_name = "DIR")]
    data: PathBuf,
}

impl Verify {
    pub(super) fn run(self) -> Result<(), Failed> {
        let dir = self.data.join("journal");
        if !dir.is_dir() {
            let data = self.data.display();
            return Err(Failed::usage(format!("no journal in `{data}`\n`--data` names the server's data directory")));
        }
        let verified = journal::verify(&dir).map_err(|error| match error {
            JournalError::Broken(broken) => Failed::from_error("the journal is not whole", &broken),
            unread => Failed::usage(Failed::of(&unread).message),
        })?;
        let mut out = io::stdout();
        writeln!(out, "the chain holds: frames {} to {}", verified.first_sequence, verified.last_sequence)?;
        writeln!(out, "segments   {}", verified.segments)?;
        writeln!(out, "frames     {} ({} forgotten on purpose)", verified.frames, verified.forgotten)?;
        writeln!(out, "head       {}", verified.head)?;
        if verified.bytes_unfinished > 0 {
            writeln!(
                out,
                "unfinished {} bytes at the end: a write that nobody was told had succeeded",
                verified.bytes_unfinished
            )?;
        }
        Ok(())
    }
}
