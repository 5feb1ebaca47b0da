//! Incidents of the field and their benign twins: what is said of each call, against what the story says.
//!
//! ```text
//! tests/fixtures/incidents/
//!   STORIES.md             the stories, and record.py with plays/, which plays them
//!   <story>/<run>.jsonl.zst   what was exported, in arrival order; the sender's role stands in each line
//!   <story>/envelope.yaml     what the agent's owners declared
//!   <story>/expected.yaml     what has to be said, written from the story alone
//! ```
//!
//! Producers: pydantic-ai 2.68.0, langgraph 1.2.22 with openinference-instrumentation-langchain 0.1.80,
//! opentelemetry-sdk 1.45.2. In a twin nothing is bad and nothing is found. What is not met yet stands in [`PENDING`];
//! a line of it that is met fails the test, so that the table only shrinks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;
use wherefore::envelope;
use wherefore::model::{Action, Finding, FindingId, FindingState, State, Value};
use wherefore::pipeline::Outcome;

use crate::support::stories::{folded, stories};

/// What is not met yet: recording, and what has to be so.
const PENDING: &[(&str, &str)] = &[];

#[test]
fn incidents_are_seen_and_their_twins_are_not() {
    let mut pending: BTreeSet<(String, String)> =
        PENDING.iter().map(|(recording, what)| ((*recording).to_owned(), (*what).to_owned())).collect();
    let mut wrong = Vec::new();
    for story in stories() {
        for (run, expected) in expected(&story) {
            let recording = format!("{}/{run}", name(&story));
            for Line { what, found } in compare(&expected, &Seen::of(&story, &run), run.starts_with("twin")) {
                let known = pending.remove(&(recording.clone(), what.clone()));
                match found {
                    Some(found) if !known => wrong.push([recording.clone(), what, found]),
                    None if known => wrong.push([recording.clone(), what, "is met: no longer pending".to_owned()]),
                    _ => {}
                }
            }
        }
    }
    let unasked =
        pending.into_iter().map(|(recording, what)| [recording, what, "pending, and not expected".to_owned()]);
    wrong.extend(unasked);
    assert!(wrong.is_empty(), "{} lines\n{}", wrong.len(), table(&wrong));
}

#[test]
fn the_stories_are_whole() {
    let stories = stories();
    assert!(stories.len() >= 7, "{stories:?}");
    for story in stories {
        let expected = expected(&story);
        let runs: BTreeSet<String> = expected.keys().cloned().collect();
        assert_eq!(runs, recorded(&story), "{}: recordings and what is expected of them", name(&story));
        assert!(!expected["incident"].findings.is_empty(), "{}: an incident is found", name(&story));
        let twin = &expected["twin"];
        let bad = twin.calls.iter().flat_map(|call| call.verdicts.values()).any(|verdict| verdict.starts_with("bad"));
        assert!(!bad && twin.findings.is_empty(), "{}: its twin is benign", name(&story));
    }
}

// --- what is expected ---

/// What has to be said of a recording.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    calls: Vec<ExpectedCall>,
    #[serde(default)]
    findings: Vec<ExpectedFinding>,
}

/// `call`: `tool#1-3,5`, places among the calls of the tool. Verdicts: SLI to value and, where it is fixed, reason.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedCall {
    call: String,
    state: String,
    verdicts: BTreeMap<String, String>,
}

/// One finding or more of them; without `call`, whichever action it is about. `rule` may end with `*`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedFinding {
    rule: String,
    call: Option<String>,
    severity: Option<String>,
    class: Option<String>,
}

impl ExpectedCall {
    /// `tool#1`, `tool#2`, ….
    fn places(&self) -> Vec<String> {
        let (tool, places) = self.call.split_once('#').expect("tool#places");
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            first.parse::<usize>().expect("a place")..=last.parse().expect("a place")
        };
        places.split(',').flat_map(range).map(|place| format!("{tool}#{place}")).collect()
    }
}

impl ExpectedFinding {
    fn line(&self) -> String {
        let said = [&self.call, &self.severity, &self.class].into_iter().flatten().map(String::as_str);
        format!("finding {}: {}", self.rule, said.collect::<Vec<_>>().join(", "))
    }

    /// Whether a finding is meant, whatever its severity and class.
    fn names(&self, (call, finding): &(String, Finding)) -> bool {
        let rule = match self.rule.strip_suffix('*') {
            Some(start) => finding.rule.starts_with(start),
            None => *finding.rule == *self.rule,
        };
        rule && self.call.as_ref().is_none_or(|named| named == call)
    }

    fn is(&self, found: &(String, Finding)) -> bool {
        let (severity, class) = (found.1.severity.as_str(), found.1.class.as_str());
        let fits = |want: &Option<String>, is: &str| want.as_ref().is_none_or(|want| want == is);
        self.names(found) && fits(&self.severity, severity) && fits(&self.class, class)
    }
}

// --- what is seen ---

/// What a fold came to.
struct Seen {
    /// Why the envelope cannot be read; judged without it then.
    mistakes: Option<String>,
    /// `tool#place`, in time order.
    calls: BTreeMap<String, Action>,
    /// Those that stand, each with the call it is about.
    findings: Vec<(String, Finding)>,
}

impl Seen {
    fn of(story: &Path, run: &str) -> Self {
        let text = fs::read_to_string(story.join("envelope.yaml")).expect("an envelope");
        let rules = envelope::parse(&[("envelope.yaml", &text)]);
        let first_line = |text: String| text.lines().next().unwrap_or_default().to_owned();
        let mistakes = rules.as_ref().err().map(|mistakes| first_line(mistakes[0].to_string()));
        let outcome = folded(story, run, rules.unwrap_or_default());
        let calls = in_order(&outcome);
        let findings = standing(&outcome, &calls);
        Self { mistakes, calls, findings }
    }
}

/// Each action by its tool and its place among the calls of the tool.
fn in_order(outcome: &Outcome) -> BTreeMap<String, Action> {
    let mut actions: Vec<&Action> = outcome.actions.values().collect();
    actions.sort_by_key(|action| (action.start, action.id));
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let named = actions.into_iter().map(|action| {
        let place = places.entry(action.tool_label()).or_default();
        *place += 1;
        (format!("{}#{place}", action.tool_label()), action.clone())
    });
    named.collect()
}

/// The findings that were told and not taken back.
fn standing(outcome: &Outcome, calls: &BTreeMap<String, Action>) -> Vec<(String, Finding)> {
    let mut last: BTreeMap<FindingId, (String, Finding)> = BTreeMap::new();
    for event in &outcome.findings {
        let call = calls.iter().find(|(_, action)| action.id == event.action).map(|(call, _)| call.clone());
        last.insert(event.finding.id, (call.unwrap_or_default(), event.finding.clone()));
    }
    last.into_values().filter(|(_, finding)| finding.state == FindingState::Open).collect()
}

// --- the comparison ---

/// One thing that has to be so, and what is instead.
struct Line {
    what: String,
    found: Option<String>,
}

fn line(what: impl Into<String>, holds: bool, found: impl FnOnce() -> String) -> Line {
    Line { what: what.into(), found: (!holds).then(found) }
}

fn compare(expected: &Expected, seen: &Seen, benign: bool) -> Vec<Line> {
    let readable = line("its envelope is read", seen.mistakes.is_none(), || seen.mistakes.clone().unwrap_or_default());
    let mut lines = vec![readable];
    let mut others: BTreeSet<&String> = seen.calls.keys().collect();
    for call in &expected.calls {
        let listed = call.places();
        others.retain(|call| !listed.contains(call));
        lines.extend(compare_call(call, seen));
    }
    lines.push(line("no other calls", others.is_empty(), || format!("{others:?}")));
    lines.extend(compare_findings(&expected.findings, &seen.findings));
    if benign {
        let bad = |(call, action): (&String, &Action)| {
            let bad = action.verdicts.iter().filter(|verdict| verdict.value == Value::Bad);
            bad.map(|verdict| format!("{call} {}: {}", verdict.sli, verdict.reason)).collect::<Vec<_>>()
        };
        let bad: Vec<String> = seen.calls.iter().flat_map(bad).collect();
        lines.push(line("nothing is bad", bad.is_empty(), || bad.join(", ")));
    }
    lines
}

/// One line for each thing that has to be so of all the places together; what is instead at the first where it is not.
fn compare_call(want: &ExpectedCall, seen: &Seen) -> Vec<Line> {
    let places = want.places();
    let of_all = |what: &str, holds: &dyn Fn(&str) -> bool, is: &dyn Fn(&Action) -> String| {
        let is = |place: &String| seen.calls.get(place).map_or("no such call".to_owned(), is);
        let wrong = places.iter().map(|place| (place, is(place))).find(|(_, is)| !holds(is));
        let found = wrong.map(|(place, is)| if places.len() > 1 { format!("{is} ({place})") } else { is });
        Line { what: format!("{} {what}", want.call), found }
    };
    let mut lines = vec![of_all(&format!("is {}", want.state), &|is| is == want.state, &|action| state(&action.state))];
    for (sli, want) in &want.verdicts {
        let is = |action: &Action| {
            let verdict = action.verdicts.iter().find(|verdict| verdict.sli.as_str() == sli);
            verdict.map_or("no verdict".to_owned(), |verdict| format!("{} {}", verdict.value, verdict.reason))
        };
        let holds = |is: &str| is == want || !want.contains(' ') && is.split(' ').next() == Some(want);
        lines.push(of_all(&format!("{sli}: {want}"), &holds, &is));
    }
    lines
}

fn compare_findings(expected: &[ExpectedFinding], found: &[(String, Finding)]) -> Vec<Line> {
    let said = |(call, it): &(String, Finding)| format!("{} on {call}: {}, {}", it.rule, it.severity, it.class);
    let list = |found: Vec<&(String, Finding)>| found.into_iter().map(said).collect::<Vec<_>>().join("; ");
    let of = |want: &ExpectedFinding| {
        let meant: Vec<_> = found.iter().filter(|it| want.names(it)).collect();
        let holds = !meant.is_empty() && meant.iter().all(|it| want.is(it));
        line(want.line(), holds, || if meant.is_empty() { "not found".to_owned() } else { list(meant) })
    };
    let others: Vec<_> = found.iter().filter(|it| !expected.iter().any(|want| want.names(it))).collect();
    let no_others = line("no other findings", others.is_empty(), || list(others));
    expected.iter().map(of).chain([no_others]).collect()
}

fn state(state: &State) -> String {
    match state {
        State::Refused(by) => format!("refused by {by}"),
        state => state.as_str().to_owned(),
    }
}

/// As a person reads it: recording, what has to be so, what is.
fn table(rows: &[[String; 3]]) -> String {
    let wide = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let (first, second) = (wide(0), wide(1));
    let row = |[recording, what, is]: &[String; 3]| format!("{recording:first$}  {what:second$}  {is}\n");
    rows.iter().map(row).collect()
}

// --- the files ---

fn name(story: &Path) -> &str {
    story.file_name().and_then(|name| name.to_str()).expect("a plain name")
}

fn expected(story: &Path) -> BTreeMap<String, Expected> {
    let path = story.join("expected.yaml");
    let text = fs::read_to_string(&path).expect("what is expected");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn recorded(story: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(story).expect("a story").map(|entry| entry.expect("an entry").file_name());
    let run = |name: std::ffi::OsString| name.to_str()?.strip_suffix(".jsonl.zst").map(str::to_owned);
    files.filter_map(run).collect()
}
