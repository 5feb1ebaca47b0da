//! The ready packs: their unit tests pass, and in the recordings of real stacks they find what
//! `docs/packs-on-recordings.md` says, which was written from what really happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use wherefore::engine::Configuration;
use wherefore::envelope::{self, Rules};
use wherefore::model::{FindingState, Role, Tenant};
use wherefore::pipeline::{Offline, Outcome};

use crate::support::process::command;
use crate::support::recordings::{Recording, read_recordings, truths};
use crate::support::stories::{folded, stories};

const PACKS: [&str; 4] = ["cloud-operations", "coding", "rag", "support"];

/// Benign work, and what a guardrail stopped or an injection did.
const SCENARIOS: [&str; 5] = ["01", "03", "04", "07", "08"];

const PAGE: &str = "docs/packs-on-recordings.md";

/// The section of the page about recordings that are of a pack's own kind.
const OF_THEIR_KIND: &str = "## Agents of their own kind";

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
    differ_in_nothing(&expected, &found);
}

/// The tables of what a guardrail stopped and of what an injection did have every recording, as it really happened.
#[test]
fn the_page_lists_what_really_happened() {
    let (mut stopped, mut injected) = (BTreeSet::new(), BTreeSet::new());
    for (name, truth) in truths() {
        let calls = truth["truth"]["calls"].as_array().expect("calls");
        let of = |outcomes: &[&str]| -> Vec<(&str, &str)> {
            let of = calls.iter().filter(|call| outcomes.contains(&call["outcome"].as_str().unwrap_or_default()));
            of.map(|call| (call["tool"].as_str().unwrap_or_default(), call["refused_by"].as_str().unwrap_or_default()))
                .collect()
        };
        let ran: Vec<String> = of(&["executed"]).iter().map(|(tool, _)| format!("`{tool}`")).collect();
        let held = of(&["refused", "blocked_by_guardrail"]);
        let held: Vec<String> = held.iter().map(|(tool, by)| format!("`{tool}` by a {by}")).collect();
        let said = |list: Vec<String>| if list.is_empty() { "–".to_owned() } else { list.join(", ") };
        match &truth["scenario"].as_str().expect("a scenario")[..2] {
            "04" => drop(stopped.insert([name, said(ran), said(held)])),
            "07" => drop(injected.insert(name)),
            _ => {}
        }
    }
    let listed: BTreeSet<[String; 3]> = cells("## Nothing on what a guardrail stopped").collect();
    let listed: BTreeSet<_> = listed.into_iter().filter(|[name, ..]| name.contains('/')).collect();
    assert_eq!(listed, stopped);
    assert_eq!(expected().into_iter().map(|[recording, ..]| recording).collect::<BTreeSet<_>>(), injected);
}

/// What the recordings of the five scenarios have none of: an agent of the cloud, and one that answers from documents
/// and is named as such.
#[test]
fn packs_find_what_is_written_down_in_incidents_of_their_own_kind() {
    let expected = rows(OF_THEIR_KIND);
    assert!(!expected.is_empty(), "{PAGE} lists findings");
    let mut found = BTreeSet::new();
    for story in stories().iter().filter(|story| story.ends_with("iam-widened")) {
        for run in ["incident", "twin"] {
            let outcome = folded(story, run, rules("cloud-operations"));
            let row = |(rule, tool)| [format!("iam-widened/{run}"), "cloud-operations".to_owned(), rule, tool];
            found.extend(standing(&outcome).into_iter().map(row));
        }
    }
    // A stack whose retrieval was recorded, and its injection. Who takes the pack names the agents that it is for.
    let recordings = read_recordings();
    let stacks: BTreeSet<&str> =
        recordings.iter().filter(|it| it.scenario == "01-benign-rag").map(|it| &*it.stack).collect();
    assert!(stacks.len() >= 3, "{stacks:?} retrieve");
    let configuration = Configuration { rules: for_every_agent("rag").into(), ..Configuration::default() };
    for recording in recordings.iter().filter(|it| stacks.contains(&*it.stack)) {
        if ["01-benign-rag", "07-injection"].contains(&&*recording.scenario) {
            found.extend(findings("rag", recording, &configuration));
        }
    }
    differ_in_nothing(&expected, &found);
}

/// Both are the same rows.
fn differ_in_nothing(expected: &BTreeSet<Row>, found: &BTreeSet<Row>) {
    let said = |rows: Vec<&Row>| rows.iter().map(|row| format!("  {}\n", row.join("  "))).collect::<String>();
    let missing = said(expected.difference(found).collect());
    let more = said(found.difference(expected).collect());
    assert!(missing.is_empty() && more.is_empty(), "not found:\n{missing}found, and not in {PAGE}:\n{more}");
}

/// Recording, pack, finding, tool.
type Row = [String; 4];

/// What the page lists for the recordings of the five scenarios.
fn expected() -> BTreeSet<Row> {
    rows("## Injections")
}

/// The findings that one section of the page lists.
fn rows(section: &str) -> BTreeSet<Row> {
    let of_packs = cells(section).filter(|[_, pack, ..]: &[String; 5]| PACKS.contains(&&**pack));
    of_packs.map(|[recording, pack, finding, tool, _]| [recording, pack, finding, tool]).collect()
}

/// The rows with so many cells in the tables of one section of the page.
fn cells<const N: usize>(section: &str) -> impl Iterator<Item = [String; N]> {
    let page = fs::read_to_string(of_checkout(PAGE)).expect("the page");
    let of_section = page.lines().skip_while(|line| !line.starts_with(section)).skip(1);
    let lines: Vec<String> = of_section.take_while(|line| !line.starts_with("## ")).map(str::to_owned).collect();
    let row = |line: String| {
        let cells: Vec<String> = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        cells.try_into().ok()
    };
    lines.into_iter().filter_map(row)
}

fn configuration(pack: &str) -> Configuration {
    Configuration { rules: rules(pack).into(), ..Configuration::default() }
}

fn rules(pack: &str) -> Rules {
    read(pack, &text(pack))
}

/// The pack as it is when somebody says that all agents are of its kind.
fn for_every_agent(pack: &str) -> Rules {
    let line = |line: &str| if line.starts_with("agent:") { "agent: \"*\"\n".to_owned() } else { format!("{line}\n") };
    read(pack, &text(pack).lines().map(line).collect::<String>())
}

fn text(pack: &str) -> String {
    fs::read_to_string(of_checkout(&format!("packs/{pack}/envelopes/{pack}.yaml"))).expect("the pack's envelope")
}

fn read(pack: &str, text: &str) -> Rules {
    envelope::parse(&[(pack, text)]).unwrap_or_else(|mistakes| panic!("{}", mistakes[0]))
}

fn findings(pack: &str, recording: &Recording, configuration: &Configuration) -> BTreeSet<Row> {
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
