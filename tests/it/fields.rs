//! Withheld is not absent: the fields of every recording against what its telemetry really carries.
//!
//! `truth.jsonl` says for each recording which fields its telemetry shows for some action; it was made by searching the
//! recordings for the scripted words. A field that is there must be present on some action; one that is not must be
//! present on none. Where capture was off and the convention would carry it, it is `withheld`, on every action.

use std::collections::BTreeMap;

use wherefore::catalogue::{Metric, Sample, SampleValue};
use wherefore::engine::{Configuration, Engine, Input};
use wherefore::model::{Action, Field, Known, Missing, Role, Tenant};
use wherefore::pipeline::{Offline, Outcome, evidence_of};

use crate::support::recordings::{Recording, recordings, truths};

/// The truth's name of each field that it tells of.
const FIELDS: [(Field, &str); 5] = [
    (Field::Intent, "intent"),
    (Field::Tool, "tool_name"),
    (Field::Parameters, "tool_parameters"),
    (Field::Output, "tool_output"),
    (Field::Context, "context_ids"),
];

/// What content capture is about.
const CONTENT: [Field; 3] = [Field::Intent, Field::Parameters, Field::Output];

/// Ends of scenarios in which content capture was off, as a whole or in part. It also is where it is opt-in and nobody
/// opted in: then nothing of [`CONTENT`] is carried.
const OFF: [&str; 5] = ["-nocontent", "-hidden", "-redacted", "-nocontent-json", "-nocontent-grpc"];

/// Stacks and recordings in which a retrieval is a record of its own. Elsewhere the knowledge base is searched by a
/// tool, and the ids of what it found stand in its output alone, which nothing says to be a list of documents.
const RETRIEVALS: &[&str] = &["langfuse-sdk/", "otel-openai-v2/", "langgraph-openinference/01-benign-rag"];

/// Cells in which the telemetry cannot tell: recording, field, and why.
const DIFFERENCES: &[(&str, Field, &str)] = &[];

fn settled(recording: &Recording) -> (Outcome, Engine) {
    let mut offline = Offline::new(Configuration::default());
    for (signal, body) in recording.requests() {
        offline.request(&Tenant::default(), Role::Unspecified, signal, &body).expect("a recording is OTLP");
    }
    offline.finish()
}

fn replay(recording: &Recording) -> Outcome {
    settled(recording).0
}

/// What is wrong with a field of a recording, if anything.
fn wrong(field: Field, carried: bool, off: bool, actions: &[&Action]) -> Option<String> {
    let known: Vec<&Known<()>> = actions.iter().map(|action| &action.fields[&field]).collect();
    let words = || known.iter().map(|known| known.as_str()).collect::<Vec<_>>().join(" ");
    let present = known.iter().any(|known| known.is_present());
    // Nobody says that there was a retrieval, so nobody can say that its ids are withheld.
    let told = off && field != Field::Context;
    let withheld = known.iter().all(|known| known.missing() == Some(Missing::Withheld));
    match (carried, present) {
        (true, false) => Some(format!("is carried, and none of: {}", words())),
        (false, true) => Some(format!("is not carried, and some of: {}", words())),
        (false, false) if told && !withheld => Some(format!("is withheld, and not all of: {}", words())),
        _ => None,
    }
}

#[test]
fn a_field_is_present_where_it_is_carried_and_withheld_where_capture_is_off() {
    let truths = truths();
    let mut found = Vec::new();
    for recording in recordings() {
        let name = recording.name();
        let carried = &truths[&name]["derivable"]["fields_present"];
        let outcome = replay(&recording);
        let actions: Vec<&Action> = outcome.actions.values().collect();
        let carried = |field: Field| {
            let (_, key) = FIELDS.iter().find(|(known, _)| *known == field).expect("a field of the table");
            carried[key].as_bool().unwrap_or_else(|| panic!("{name}: {key} is yes or no"))
        };
        let nothing = !CONTENT.iter().any(|field| carried(*field));
        let off = nothing || OFF.iter().any(|end| recording.scenario.ends_with(end));
        for (field, _) in FIELDS {
            let retrieved = RETRIEVALS.iter().any(|start| name.starts_with(start));
            if field == Field::Context && carried(field) && !retrieved {
                assert!(carried(Field::Output), "{name}: ids that stand neither in a retrieval nor in an output");
                continue;
            }
            if let Some(wrong) = wrong(field, carried(field), off, &actions).filter(|_| !actions.is_empty()) {
                found.push((name.clone(), field, wrong));
            }
        }
    }
    let known = |cell: &&(String, Field, String)| DIFFERENCES.iter().any(|it| (it.0, it.1) == (&*cell.0, cell.1));
    let unknown: Vec<_> = found.iter().filter(|cell| !known(cell)).collect();
    assert!(unknown.is_empty(), "{} cells: {unknown:#?}", unknown.len());
    for (name, field, reason) in DIFFERENCES {
        assert!(!reason.is_empty());
        assert!(found.iter().any(|cell| (&*cell.0, cell.1) == (*name, *field)), "{name} {field} is right by now");
    }
}

/// What each of the answers above would be for a made-up field, so that the test is seen to see.
#[test]
fn every_kind_of_mistake_is_seen() {
    let of = |known: Known<()>| {
        let mut action = replay(&recordings()[0]).actions.into_values().next().expect("an action");
        action.fields.insert(Field::Output, known);
        action
    };
    let (present, absent, withheld) = (of(Known::Value(())), of(Known::ABSENT), of(Known::Missing(Missing::Withheld)));
    let seen = |carried, off, action: &Action| wrong(Field::Output, carried, off, &[action]).is_some();
    assert!(seen(true, false, &absent) && seen(false, false, &present) && seen(false, true, &absent));
    assert!(!seen(true, true, &present) && !seen(false, false, &absent) && !seen(false, true, &withheld));
}

/// Counted fields by dialect and state.
fn counted(engine: &Engine) -> BTreeMap<(String, String), u64> {
    let fields = engine.samples().into_iter().filter(|sample| sample.metric == Metric::LineageFields);
    let entry = |sample: Sample| match (&sample.labels[..], &sample.value) {
        ([_, dialect, state], SampleValue::Counter(count, _)) => ((dialect.to_string(), state.to_string()), *count),
        _ => panic!("{sample:?}"),
    };
    fields.map(entry).collect()
}

#[test]
fn fields_are_counted_once_per_settled_action_by_the_dialect_that_told_of_it() {
    let mut compared = 0;
    for recording in recordings() {
        let (outcome, engine) = settled(&recording);
        let samples = engine.samples();
        let actions = samples.iter().filter(|sample| sample.metric == Metric::Actions).map(|sample| &sample.value);
        let actions: u64 =
            actions.map(|value| if let SampleValue::Counter(count, _) = value { *count } else { 0 }).sum();
        let mut got = counted(&engine);
        assert_eq!(got.values().sum::<u64>(), 8 * actions, "{}", recording.name());
        got.retain(|_, count| *count > 0);
        let mut want = BTreeMap::new();
        for action in outcome.actions.values() {
            for known in action.fields.values() {
                *want.entry((action.dialect().to_owned(), known.as_str().to_owned())).or_insert(0) += 1;
            }
        }
        // What was revised is told anew in its row, and not counted again.
        let first = outcome.actions.values().all(|action| action.revision == 1);
        if first && actions == outcome.actions.len() as u64 {
            assert_eq!(got, want, "{}", recording.name());
            compared += 1;
        }
    }
    assert!(compared > 150, "{compared} recordings are compared");
}

/// A counter that is born with 1 has no increase.
#[test]
fn the_series_of_a_dialect_are_there_before_its_first_action_settles() {
    let recording = recordings().into_iter().find(|it| it.name() == "genkit/01-benign").expect("a recording");
    let (signal, body) = recording.requests().remove(0);
    let mut engine = Engine::new(Configuration::default());
    let evidence = evidence_of(&Tenant::default(), Role::Unspecified, signal, &body);
    engine.step(evidence[0].end, Input::Evidence(&evidence));
    let series = counted(&engine);
    assert!(series.values().all(|count| *count == 0), "{series:?}");
    for state in Known::<()>::WORDS {
        assert!(series.contains_key(&("genkit".to_owned(), state.to_owned())), "{state}: {series:?}");
    }
}
