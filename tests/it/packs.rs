//! The ready packs: their unit tests pass, and in the recordings of real stacks they find what
//! `docs/packs-on-recordings.md` says, which was written from what really happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use wherefore::engine::Configuration;
use wherefore::envelope;
use wherefore::model::{FindingState, Role, Tenant};
use wherefore::pipeline::{Offline, Outcome};

use crate::support::process::command;
use crate::support::recordings::{Recording, read_recordings};

const PACKS: [&str; 4] = ["cloud-operations", "coding", "rag", "support"];

/// Benign work, and what a guardrail stopped or an injection did.
const SCENARIOS: [&str; 5] = ["01", "03", "04", "07", "08"];

const PAGE: &str = "docs/packs-on-recordings.md";

#[test]
fn every_pack_passes_its_own_tests() {
    for pack in PACKS {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("wherefore.yaml");
        let text = format!("envelopes: {}\n", of_checkout(&format!("packs/{pack}/envelopes")).display());
        fs::write(&config, text).expect("the file is written");
        let output = command(&["check", "--config", &config.display().to_string()]);
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(output.status.success(), "{pack}: {said}");
        assert!(said.contains(&format!("{pack}.yaml")), "{pack} has tests: {said}");
    }
}

#[test]
fn packs_find_in_the_recordings_what_is_written_down() {
    let expected = expected();
    assert!(expected.len() > 15, "{PAGE} lists findings");
    let recordings = read_recordings();
    let recordings: Vec<_> = recordings.iter().filter(|it| SCENARIOS.contains(&&it.scenario[..2])).collect();
    assert!(recordings.len() > 80, "{} recordings", recordings.len());
    let mut found = BTreeSet::new();
    for pack in PACKS {
        let configuration = configuration(pack);
        for recording in &recordings {
            found.extend(findings(pack, recording, &configuration));
        }
    }
    let said = |rows: Vec<&[String; 4]>| rows.iter().map(|row| format!("  {}\n", row.join("  "))).collect::<String>();
    let missing = said(expected.difference(&found).collect());
    let more = said(found.difference(&expected).collect());
    assert!(missing.is_empty() && more.is_empty(), "not found:\n{missing}found, and not in {PAGE}:\n{more}");
}

/// Recording, pack, finding, tool: the rows of the page's last table.
fn expected() -> BTreeSet<[String; 4]> {
    let page = fs::read_to_string(of_checkout(PAGE)).expect("the page");
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [recording, pack, finding, tool, _] = cells[..] else { return None };
        finding.starts_with("envelope.").then(|| [recording, pack, finding, tool].map(str::to_owned))
    };
    page.lines().filter_map(row).collect()
}

fn configuration(pack: &str) -> Configuration {
    let file = of_checkout(&format!("packs/{pack}/envelopes/{pack}.yaml"));
    let text = fs::read_to_string(file).expect("the pack's envelope");
    let rules = envelope::parse(&[(pack, &text)]).unwrap_or_else(|mistakes| panic!("{}", mistakes[0]));
    Configuration { rules: rules.into(), ..Configuration::default() }
}

fn findings(pack: &str, recording: &Recording, configuration: &Configuration) -> BTreeSet<[String; 4]> {
    let mut fold = Offline::new(configuration.clone());
    for (signal, body) in recording.requests() {
        fold.request(&Tenant::default(), Role::Agent, signal, &body).expect("a whole request");
    }
    let (outcome, _) = fold.finish();
    let row = |(rule, tool): (String, String)| [recording.name(), pack.to_owned(), rule, tool];
    standing(&outcome).into_iter().map(row).collect()
}

/// Findings that were told and not taken back: rule and tool. Not those about an incident: nobody contains a
/// recording.
fn standing(outcome: &Outcome) -> Vec<(String, String)> {
    let last: BTreeMap<_, _> = outcome.findings.iter().map(|event| (event.finding.id, event)).collect();
    let open = last.values().filter(|event| event.finding.state == FindingState::Open);
    let open = open.filter(|event| !event.finding.rule.starts_with("containment."));
    let tool = |action| outcome.actions.get(action).map_or("unknown", |action| action.tool_label());
    open.map(|event| (event.finding.rule.to_string(), tool(&event.action).to_owned())).collect()
}

fn of_checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
