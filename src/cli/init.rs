//! `init`: writes a ready pack of envelopes and objectives into a folder, for somebody to make their own.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Failed;

/// Write a ready pack: envelopes with unit tests, and objectives
///
/// Nothing is overwritten. Exit code 2 when a file is there already.
#[derive(Debug, clap::Args)]
pub struct Init {
    /// Which pack
    #[arg(long, value_name = "NAME", value_parser = names())]
    pack: String,
    /// The folder to write into
    #[arg(long, default_value = ".", value_name = "DIR")]
    into: PathBuf,
}

/// One pack, as it is in `packs/` of the sources.
struct Pack {
    name: &'static str,
    about: &'static str,
    readme: &'static str,
    envelope: &'static str,
    objectives: &'static str,
}

macro_rules! pack {
    ($name:literal, $about:literal) => {
        Pack {
            name: $name,
            about: $about,
            readme: include_str!(concat!("../../packs/", $name, "/README.md")),
            envelope: include_str!(concat!("../../packs/", $name, "/envelopes/", $name, ".yaml")),
            objectives: include_str!(concat!("../../packs/", $name, "/slos/", $name, ".yaml")),
        }
    };
}

const PACKS: &[Pack] = &[
    pack!("coding", "an agent that writes code"),
    pack!("cloud-operations", "an agent that runs clusters and clouds"),
    pack!("support", "an agent that helps customers"),
    pack!("rag", "an agent that answers from documents"),
];

fn names() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(
        PACKS.iter().map(|pack| clap::builder::PossibleValue::new(pack.name).help(pack.about)),
    )
}

impl Init {
    pub(super) fn run(self) -> Result<(), Failed> {
        // Only names of packs pass the parser.
        let Some(pack) = PACKS.iter().find(|pack| pack.name == self.pack) else {
            return Err(Failed::usage(format!("there is no pack `{}`", self.pack)));
        };
        let file = |folder: &str, ending: &str| self.into.join(folder).join(format!("{}.{ending}", pack.name));
        let files = [
            (file("envelopes", "yaml"), pack.envelope),
            (file("envelopes", "md"), pack.readme),
            (file("slos", "yaml"), pack.objectives),
        ];
        if let Some((taken, _)) = files.iter().find(|(path, _)| path.exists()) {
            return Err(Failed::usage(format!("`{}` is there already; nothing was written", taken.display())));
        }
        for (path, text) in &files {
            write(path, text)?;
        }
        let mut out = io::stdout();
        for (path, _) in &files {
            writeln!(out, "wrote {}", path.display())?;
        }
        writeln!(
            out,
            "\nMake it yours: name your agents under `agent`, and read what stands in\n{}.\n\
             `wherefore check` runs its unit tests, `wherefore serve` judges by it.\n\
             With `mode: shadow` at its top nothing counts or pages until you remove it.\n\
             Its objectives stand under `slos`, and take the place of the defaults:\n\
             `wherefore slo explain` shows what is in force.",
            files[1].0.display()
        )?;
        Ok(())
    }
}

/// Writes a file that is not there.
fn write(path: &Path, text: &str) -> Result<(), Failed> {
    let attempt = format!("cannot write `{}`", path.display());
    let failed = |error: io::Error| Failed::from_error(&attempt, &error);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}
