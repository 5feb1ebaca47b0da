//! Everything that can be known to be wrong before a port is opened: the configuration, the envelopes, the objectives
//! and the token file, with all mistakes together.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{Config, Mistake, Slos, Texts};
use crate::envelope::{self, Rules};
use crate::net::{Tokens, check_exposure};
use crate::rules::{Options, prometheus_rules};
use crate::telemetry::check_not_own_listener;

/// A configuration and what it names, read and without mistakes.
#[derive(Debug)]
pub struct Checked {
    /// The settings.
    pub config: Config,
    /// The envelope files as they are: name and text. The journal keeps them, so that a replay needs no file.
    pub envelopes: Vec<(String, String)>,
    /// What the envelopes mean.
    pub rules: Rules,
    /// The files of objectives as they are: name and text.
    pub slo_files: Vec<(String, String)>,
    /// What they and the settings mean: every objective in force.
    pub slos: Slos,
    /// Who may send.
    pub tokens: Tokens,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (envelopes, rules) = self.rules.len();
        match &self.config.file {
            Some(file) => write!(f, "{}", file.display())?,
            None => f.write_str("defaults")?,
        }
        let objectives = self.slos.stated.len();
        write!(f, ": no mistakes; envelopes: {envelopes}, rules: {rules}, objectives: {objectives}")
    }
}

/// Reads and checks everything. `insecure` is the operator's word from the command line.
///
/// # Errors
/// Every mistake of every file. A program that was asked to check ends with exit code 2 then.
pub fn check(path: Option<&Path>, insecure: bool) -> Result<Checked, Vec<Mistake>> {
    // What the file names is looked at although some of the file is wrong: who corrects one mistake knows all others.
    let (config, mut mistakes) = Config::read(path);
    let Some(mut config) = config else { return Err(mistakes) };
    config.listen.insecure |= insecure;
    let envelopes = note(&mut mistakes, config.envelopes.read());
    let rules = envelopes.as_deref().and_then(|files| note(&mut mistakes, envelope::parse(&borrowed(files))));
    let slo_files = note(&mut mistakes, config.slos.read());
    let slos = slo_files.as_deref();
    let slos = slos.and_then(|files| note(&mut mistakes, Slos::read(&borrowed(files), &config.objectives)));
    let tokens = note(&mut mistakes, tokens(&config));
    note(&mut mistakes, together(&config));
    match (envelopes, rules, slo_files, slos, tokens) {
        (Some(envelopes), Some(rules), Some(slo_files), Some(slos), Some(tokens)) if mistakes.is_empty() => {
            Ok(Checked { config, envelopes, rules, slo_files, slos, tokens })
        }
        _ => Err(mistakes),
    }
}

fn note<T>(mistakes: &mut Vec<Mistake>, read: Result<T, Vec<Mistake>>) -> Option<T> {
    read.map_err(|more| mistakes.extend(more)).ok()
}

fn borrowed(files: &[(String, String)]) -> Vec<(&str, &str)> {
    files.iter().map(|(name, text)| (&**name, &**text)).collect()
}

fn tokens(config: &Config) -> Result<Tokens, Vec<Mistake>> {
    let Some(path) = &config.tokens else { return Ok(Tokens::not_required()) };
    Tokens::load(path).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        vec![Mistake::of_file(&path.display().to_string(), format!("{error}{cause}"))]
    })
}

/// Settings that are right alone and wrong together.
fn together(config: &Config) -> Result<(), Vec<Mistake>> {
    let name = config.file.as_deref().unwrap_or(Path::new(super::FILE)).display().to_string();
    let listeners = config.listen.all();
    let mut mistakes = Vec::new();
    let mut say = |wrong: &dyn fmt::Display| mistakes.push(Mistake::of_file(&name, wrong));
    if let Err(exposed) = check_exposure(&listeners, config.tokens.is_some(), config.listen.insecure) {
        say(&exposed);
    }
    if let Some(Err(own)) =
        config.telemetry.traces.as_ref().map(|traces| check_not_own_listener(&traces.endpoint, &listeners))
    {
        say(&own);
    }
    let options = Options { external_url: config.external_url.clone(), ..Options::default() };
    if let Err(unreachable) = prometheus_rules(&config.objectives, &options) {
        say(&unreachable);
    }
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
}

impl Texts {
    /// Name and text of each file, sorted by name.
    ///
    /// # Errors
    /// Every file that cannot be read, or the folder.
    pub fn read(&self) -> Result<Vec<(String, String)>, Vec<Mistake>> {
        let (mut files, mut mistakes) = (Vec::new(), Vec::new());
        for path in self.paths().map_err(|mistake| vec![mistake])? {
            let name = path.display().to_string();
            match std::fs::read_to_string(&path) {
                Ok(text) => files.push((name, text)),
                Err(error) => mistakes.push(unreadable(&name, "file", &error)),
            }
        }
        if mistakes.is_empty() { Ok(files) } else { Err(mistakes) }
    }

    fn paths(&self) -> Result<Vec<PathBuf>, Mistake> {
        let (path, named) = match self {
            Self::Files(files) => return Ok(files.clone()),
            Self::Folder { path, named } => (path, named),
        };
        if !named && !path.exists() {
            return Ok(Vec::new());
        }
        let name = path.display().to_string();
        let entries = std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let entries = entries.map_err(|error| unreadable(&name, "folder", &error))?;
        let is_yaml = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).filter(is_yaml).collect();
        paths.sort();
        Ok(paths)
    }
}

fn unreadable(name: &str, what: &str, error: &std::io::Error) -> Mistake {
    Mistake::of_file(name, format!("cannot read the {what}: {error}"))
}
