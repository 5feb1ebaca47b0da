//! `check`: everything that can be known to be wrong before a port is opened.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::config;
use crate::envelope::{Case, Expect, Expected, Rules};
use crate::judge::{self, Around, Context, Learnt};
use crate::model::{Finding, Verdict};

use super::{Failed, mistakes};

/// Check configuration, envelopes, objectives and tokens without starting, and run the unit tests of the envelopes
///
/// Exit code 0: no mistakes, and every test passed. 1: a test failed. 2: mistakes. Each of them is listed with file,
/// line and column.
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
        let mut out = io::stdout();
        for warning in &checked.slos.warnings {
            writeln!(io::stderr(), "warning: {warning}")?;
        }
        writeln!(out, "{checked}")?;
        let tested = Tested::of(&checked.rules);
        for (file, (passed, all)) in &tested.files {
            writeln!(out, "{file}: {passed} of {all} tests passed")?;
        }
        match tested.failures.len() {
            0 => Ok(()),
            1 => Err(Failed::new(format!("1 test failed\n{}", tested.failures[0]))),
            many => Err(Failed::new(format!("{many} tests failed\n{}", tested.failures.join("\n")))),
        }
    }
}

/// What came of all tests.
#[derive(Debug, Default)]
struct Tested {
    /// By file: how many passed, of how many.
    files: BTreeMap<String, (usize, usize)>,
    /// One paragraph each.
    failures: Vec<String>,
}

impl Tested {
    fn of(rules: &Rules) -> Self {
        let mut tested = Self::default();
        for case in rules.cases() {
            let failed = failure(case, &rules.only(case.envelope()));
            let (passed, all) = tested.files.entry(case.at().0.to_owned()).or_default();
            *all += 1;
            *passed += usize::from(failed.is_none());
            tested.failures.extend(failed);
        }
        tested
    }
}

/// Everything that came otherwise than a test expects it.
fn failure(case: &Case, rules: &Rules) -> Option<String> {
    let around = Around::of_first(rules, case.action());
    let context = Context::new(rules, case.turn(), &Learnt::Off, &around);
    let (verdicts, findings) = judge::judge(&context, case.action());
    let wrong: Vec<String> =
        case.expected().iter().filter_map(|expected| difference(case, expected, &verdicts, &findings)).collect();
    (!wrong.is_empty()).then(|| wrong.join("\n"))
}

fn difference(case: &Case, expected: &Expected, verdicts: &[Verdict], findings: &[Finding]) -> Option<String> {
    let ((file, _), name) = (case.at(), case.name());
    let (wanted, got, because) = match &expected.what {
        Expect::Verdict { sli, value, reason } => {
            let verdict = verdicts.iter().find(|verdict| verdict.sli == *sli);
            let is_value = verdict.map(|verdict| verdict.value) == *value;
            let is_reason = reason.as_ref().is_none_or(|reason| verdict.is_some_and(|it| it.reason == *reason));
            if is_value && is_reason {
                return None;
            }
            let word = value.map_or("none", |value| value.as_str());
            let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            let got = verdict.map_or("none".to_owned(), |it| format!("{} ({})", it.value, it.reason));
            (format!("{sli} {word}{reason}"), got, verdict.map(|verdict| verdict.because.to_string()))
        }
        Expect::Findings(rules) => {
            let mut got: Vec<&str> = findings.iter().map(|finding| &*finding.rule).collect();
            got.sort_unstable();
            if got.iter().eq(rules.iter().map(|rule| &**rule).collect::<Vec<_>>().iter()) {
                return None;
            }
            let because: Vec<&str> = findings.iter().map(|finding| &*finding.message).collect();
            let list = |names: Vec<&str>| format!("[{}]", names.join(", "));
            let wanted = list(rules.iter().map(|rule| &**rule).collect());
            (format!("findings {wanted}"), list(got), (!because.is_empty()).then(|| because.join("; ")))
        }
    };
    let place = expected.place;
    let mut said = format!("{file}:{}:{}: test `{name}`: expected {wanted}, got {got}", place.line, place.column);
    if let Some(because) = because {
        // Writing to a string cannot fail.
        let _ = write!(said, "\n    {because}");
    }
    Some(said)
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
