//! The demo's totals are those of `demo/STORY.md`, counted there by hand from what the story is.

use std::collections::BTreeMap;

use bytes::Bytes;
use wherefore::catalogue::Metric;
use wherefore::cli::demo::{Timed, constants, envelopes, play, requests, tokens};
use wherefore::engine::{Configuration, Engine, Input};
use wherefore::envelope;
use wherefore::model::{
    Action, By, Execution, Field, FindingState, Known, Missing, Nanos, Severity, Signal, Sli, Span, State, Tenant,
    Value,
};
use wherefore::net::Tokens;
use wherefore::pipeline::{Offline, Outcome, evidence_of};
use wherefore::wire::json::to_protobuf;

use crate::receive_server::Setup;

const START: Nanos = Nanos(1_800_000_000_000_000_000);
const TENANT: &str = Tenant::DEFAULT;

/// Agent, SLI, then good, bad and unknown: the table of the story.
pub const TOTALS: &[(&str, Sli, [u64; 3])] = &[
    ("ops-agent", Sli::IntentAlignment, [3, 1, 1]),
    ("ops-agent", Sli::OutcomeValidation, [2, 1, 2]),
    ("ops-agent", Sli::DeniedActions, [5, 2, 0]),
    ("ops-agent", Sli::ContainmentWithin, [1, 0, 0]),
    ("ops-agent", Sli::Envelope, [4, 1, 0]),
    ("ops-agent", Sli::LineageComplete, [5, 3, 0]),
    ("support-agent", Sli::IntentAlignment, [34, 0, 2]),
    ("support-agent", Sli::OutcomeValidation, [32, 0, 4]),
    ("support-agent", Sli::DeniedActions, [36, 0, 0]),
    ("support-agent", Sli::Envelope, [36, 0, 0]),
    ("support-agent", Sli::ApprovalReviewed, [0, 10, 0]),
    ("support-agent", Sli::LineageComplete, [36, 1, 0]),
    ("refund-specialist", Sli::IntentAlignment, [2, 0, 0]),
    ("refund-specialist", Sli::OutcomeValidation, [2, 0, 0]),
    ("refund-specialist", Sli::DeniedActions, [2, 0, 0]),
    ("refund-specialist", Sli::Envelope, [2, 0, 0]),
    ("refund-specialist", Sli::ApprovalReviewed, [0, 1, 0]),
    ("refund-specialist", Sli::LineageComplete, [2, 0, 0]),
    ("docs-agent", Sli::IntentAlignment, [13, 1, 2]),
    ("docs-agent", Sli::OutcomeValidation, [14, 0, 2]),
    ("docs-agent", Sli::DeniedActions, [16, 0, 0]),
    ("docs-agent", Sli::Envelope, [15, 0, 1]),
    ("docs-agent", Sli::LineageComplete, [13, 1, 2]),
];

/// Agent, then executed, failed, refused by policy, refused by a person.
const CALLS: &[(&str, [usize; 4])] = &[
    ("ops-agent", [5, 0, 3, 0]),
    ("support-agent", [35, 1, 0, 1]),
    ("refund-specialist", [2, 0, 0, 0]),
    ("docs-agent", [16, 0, 0, 0]),
];

pub const RULE: &str = "envelope.production.no-deletes-in-freeze";

fn configuration() -> Configuration {
    let files = envelopes();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let rules = envelope::parse(&files).expect("the demo's envelopes are right").into();
    Configuration { rules, constants: constants(), learning: true, ..Configuration::default() }
}

fn protobuf(timed: &Timed) -> Bytes {
    to_protobuf(timed.signal, timed.json.as_bytes()).expect("OTLP/JSON").body.into()
}

/// The recording, folded and judged with its own clock.
fn told(salt: u64) -> (Outcome, Engine) {
    let mut offline = Offline::new(configuration());
    for timed in requests(START, salt) {
        offline.request(&Tenant::default(), timed.role, timed.signal, &protobuf(&timed)).expect("OTLP");
    }
    offline.finish()
}

/// The recording as a server folds it that takes each request when it arrives and ticks when something is due, until
/// one minute has passed. `arrives` says when: from a request's offset.
fn served(arrives: impl Fn(Span) -> Span) -> Engine {
    let mut engine = Engine::new(configuration());
    let pass_until = |engine: &mut Engine, until: Nanos| {
        while let Some(due) = engine.next_due().filter(|due| *due <= until) {
            engine.step(due, Input::Tick);
        }
    };
    for timed in requests(START, 1) {
        let now = START + arrives(timed.offset);
        pass_until(&mut engine, now);
        let evidence = evidence_of(&Tenant::default(), timed.role, timed.signal, &protobuf(&timed));
        engine.step(now, Input::Evidence(&evidence));
    }
    pass_until(&mut engine, START + Span::minutes(1));
    engine
}

fn of<'a>(outcome: &'a Outcome, agent: &'a str) -> impl Iterator<Item = &'a Action> {
    outcome.actions.values().filter(move |action| action.agent_label() == agent)
}

/// The calls of one tool by `ops-agent`, in their order.
fn incident<'a>(outcome: &'a Outcome, tool: &'a str) -> Vec<&'a Action> {
    let mut calls: Vec<_> = of(outcome, "ops-agent").filter(|action| action.tool_label() == tool).collect();
    calls.sort_by_key(|action| action.start);
    calls
}

#[test]
fn every_call_of_the_story_is_one_action_with_its_outcome() {
    let (outcome, _) = told(1);
    let count =
        |agent, state: &dyn Fn(&State) -> bool| of(&outcome, agent).filter(|action| state(&action.state)).count();
    for (agent, want) in CALLS {
        let found = [
            count(agent, &|state| *state == State::Executed(Execution::Ok)),
            count(agent, &|state| matches!(state, State::Executed(Execution::Failed(_)))),
            count(agent, &|state| *state == State::Refused(By::Policy)),
            count(agent, &|state| *state == State::Refused(By::Human)),
        ];
        assert_eq!(found, *want, "{agent}");
    }
    let in_all: usize = CALLS.iter().flat_map(|(_, counts)| counts).sum();
    assert_eq!(outcome.actions.len(), in_all);
    assert_eq!((outcome.rejected, in_all), (0, 63));
}

#[test]
fn counters_and_ledger_hold_the_totals_of_the_story() {
    holds_the_totals(&told(1).1);
}

#[test]
fn totals_are_final_within_a_minute_however_the_server_keeps_up() {
    holds_the_totals(&served(|offset| offset));
    holds_the_totals(&served(|offset| Span(offset.0 + Span::millis(400).0)));
    // It stands still for three seconds in the midst of the incident.
    let stall = Span::seconds(5).0..Span::seconds(8).0;
    holds_the_totals(&served(|offset| if stall.contains(&offset.0) { Span(stall.end) } else { offset }));
    // Everything at once, late: what a story told from its past does.
    holds_the_totals(&served(|_| Span::seconds(45)));
}

fn holds_the_totals(engine: &Engine) {
    let ledger = engine.ledger().totals(Nanos(0));
    for (agent, sli, want) in TOTALS {
        let labels = |value: Value| [TENANT, sli.as_str(), agent, value.as_str()];
        let live = Value::ALL.iter().map(|value| engine.counters().get(Metric::SliEvents, &labels(*value)));
        assert_eq!(live.collect::<Vec<_>>(), want, "{agent} {sli}");
        let cell = ledger[&(Tenant::default(), *sli, (*agent).into())];
        assert_eq!([cell.good, cell.bad, cell.unknown], *want, "ledger: {agent} {sli}");
    }
    assert_eq!(ledger.len(), TOTALS.len(), "no other agent is judged");
    let sum = |metric: Metric| -> u64 {
        engine.counters().series().filter(|(known, ..)| *known == metric).map(|(_, _, series)| series.value).sum()
    };
    let judged: u64 = TOTALS.iter().flat_map(|(_, _, counts)| counts).sum();
    assert_eq!(sum(Metric::SliEvents), judged, "no other agent is counted");
    assert_eq!(sum(Metric::SliCorrections), 0, "what was counted live stays");
    assert_eq!(sum(Metric::DeniedRetries), 1);
    assert_eq!(sum(Metric::InvariantViolations), 1);
    assert_eq!((sum(Metric::Findings), sum(Metric::FindingsRetracted)), (3, 0));
}

#[test]
fn the_destructive_call_pages_and_is_contained() {
    let (outcome, engine) = told(1);
    let [_, _, deleted] = incident(&outcome, "delete_records")[..] else { panic!("three calls of delete_records") };
    let mut found: Vec<_> = outcome.findings.iter().map(|it| (&*it.finding.rule, it.finding.severity)).collect();
    found.sort_unstable();
    let want = [(RULE, Severity::Page), ("held", Severity::Page), ("outcome.plausible_success", Severity::Ticket)];
    assert_eq!(found, want);
    assert!(outcome.findings.iter().all(|event| event.action == deleted.id));
    let event = outcome.findings.iter().find(|event| &*event.finding.rule == RULE).expect("the envelope's finding");
    assert_eq!((event.finding.state, event.action, &*event.agent), (FindingState::Open, deleted.id, "ops-agent"));
    assert!(event.finding.message.contains("code freeze until Monday"), "{}", event.finding.message);
    let incidents: Vec<_> = engine.incidents().collect();
    let [contained] = incidents[..] else { panic!("one incident: {incidents:#?}") };
    assert_eq!(contained.turn, deleted.turn);
    let after = contained.time_to_containment().expect("it is contained");
    assert!(after > Span::seconds(10) && after < Span::seconds(20), "{after:?}");
}

#[test]
fn the_destructive_call_shows_its_lineage() {
    let (outcome, _) = told(1);
    let deleted = *incident(&outcome, "delete_records").last().expect("it ran");
    assert_eq!(deleted.state, State::Executed(Execution::Ok));
    assert_eq!(deleted.output.value().and_then(|text| text.whole()), Some(r#"{"deleted":1206}"#));
    assert_eq!(deleted.target.value().map(|(target, _)| &**target), Some("pg://prod/crm/customers"));
    for field in Field::ALL {
        let want = match field {
            Field::Context => Known::Missing(Missing::Withheld),
            _ => Known::Value(()),
        };
        assert_eq!(deleted.fields[field], want, "{field}");
    }
    assert_eq!(deleted.policy.value().map(|policies| policies.join(" ")).as_deref(), Some("change-freeze@2026-11"));
    let verdict = |sli| deleted.verdict(sli).map(|verdict| (verdict.value, verdict.reason.to_string()));
    let says = |value, reason: &str| Some((value, reason.to_owned()));
    assert_eq!(verdict(Sli::IntentAlignment), says(Value::Bad, "forbidden"));
    assert_eq!(verdict(Sli::OutcomeValidation), says(Value::Bad, "check_failed"));
    assert_eq!(verdict(Sli::DeniedActions), says(Value::Good, "executed"));
    assert_eq!(verdict(Sli::ContainmentWithin), says(Value::Good, "contained"));
    assert_eq!(verdict(Sli::Envelope), says(Value::Bad, "forbidden"));
    assert_eq!(verdict(Sli::LineageComplete), says(Value::Good, "complete"));

    let turn = &outcome.turns[&deleted.turn];
    let intent = turn.intent.value().and_then(|intent| intent.value.whole()).expect("an intent");
    assert!(intent.starts_with("We are in a CODE FREEZE until Monday"), "{intent}");
    let plan = &turn.plan.value().expect("a plan").value;
    assert_eq!(plan.id.as_deref(), Some("plan-2231"));
    assert!(plan.text.whole().is_some_and(|text| text.contains("change nothing")), "{plan:?}");
    assert_eq!(turn.intent_id.as_ref().map(|id| &*id.value), Some("task-2231"));
}

#[test]
fn the_refused_calls_say_by_whom_and_which_was_a_retry() {
    let (outcome, _) = told(1);
    let [first, again, _] = incident(&outcome, "delete_records")[..] else { panic!("three calls of delete_records") };
    let [statement] = incident(&outcome, "run_sql")[..] else { panic!("one call of run_sql") };
    for refused in [first, again, statement] {
        assert_eq!(refused.state, State::Refused(By::Policy));
        let [decision] = &refused.decisions[..] else { panic!("one decision: {refused:#?}") };
        assert_eq!(decision.principal.as_deref(), Some("policy:change-freeze"));
        assert_eq!(refused.turn, first.turn);
    }
    assert_eq!([first.retry_of, again.retry_of, statement.retry_of], [None, Some(first.id), None]);
}

#[test]
fn two_plays_share_nothing_and_come_to_the_same() {
    let (one, other) = (told(1).0, told(2).0);
    let states = |outcome: &Outcome| {
        let mut counts: BTreeMap<(String, String, &str), u32> = BTreeMap::new();
        for action in outcome.actions.values() {
            let of = (action.agent_label().to_owned(), action.tool_label().to_owned(), action.state.as_str());
            *counts.entry(of).or_default() += 1;
        }
        counts
    };
    assert_eq!(states(&one), states(&other));
    assert!(one.actions.keys().all(|id| !other.actions.contains_key(id)));
    assert!(one.turns.keys().all(|id| !other.turns.contains_key(id)));
}

/// What it proves: the port takes every request from the sender it is from. Not: the pace, which no test waits for.
#[tokio::test]
async fn the_story_is_told_through_the_otlp_port() {
    let setup = Setup { tokens: Tokens::parse(tokens()).expect("the demo's tokens"), ..Setup::default() };
    let server = setup.start().await;
    play(server.ports[1], START - Span::days(9_000), 3).await.expect("every request is accepted");
    let taken: Vec<_> = server.taken().into_iter().map(|it| (it.signal, it.role, it.rejected.len())).collect();
    let sent: Vec<_> = requests(START, 3).into_iter().map(|it| (it.signal, it.role, 0)).collect();
    assert_eq!(taken, sent);
    assert!(taken.iter().any(|(signal, ..)| *signal == Signal::Logs));

    let refusing = Setup { tokens: Tokens::parse("[]").expect("no tokens"), ..Setup::default() }.start().await;
    let error = play(refusing.ports[1], START - Span::days(9_000), 3).await.expect_err("nobody may send");
    assert!(error.to_string().contains("401"), "{error}");
}
