//! Golden table of `intent_alignment`, rung 3: does the approved plan contain the call?

use super::*;
use crate::model::{Digest, Shared};

/// The turn's plan loses its id.
fn unnamed(turn: &mut Turn) {
    let Known::Value(plan) = &mut turn.plan else { panic!("a plan") };
    plan.value.id = None;
}
#[test]
fn an_approved_plan_contains_the_call() {
    table(
        Sli::IntentAlignment,
        "",
        &[
            (
                "the plan contains it",
                |_, t| plan(t, r#"[{"tool":"delete_row","target":"pg://prod/accounts"}]"#),
                "good in_plan",
            ),
            (
                "with its arguments, in another layout",
                |_, t| plan(t, r#"{"steps":[{"name":"delete_row","parameters":{"id": 7.0, "table":"accounts"}}]}"#),
                "good in_plan",
            ),
            (
                "with its arguments as text",
                |_, t| plan(t, r#"[{"tool":"delete_row","arguments":"{\"id\":7,\"table\":\"accounts\"}"}]"#),
                "good in_plan",
            ),
            ("another tool", |_, t| plan(t, r#"[{"tool":"read_row"}]"#), "bad not_in_plan"),
            ("no step", |_, t| plan(t, "[]"), "bad not_in_plan"),
            ("another target", |_, t| plan(t, r#"[{"tool":"delete_row","target":"pg://dev"}]"#), "bad not_in_plan"),
            ("other arguments", |_, t| plan(t, r#"[{"tool":"delete_row","arguments":{"id":8}}]"#), "bad not_in_plan"),
            (
                "a target that nobody told",
                |a, t| {
                    a.target = Known::ABSENT;
                    plan(t, r#"[{"tool":"delete_row","target":"pg://prod/accounts"}]"#);
                },
                "unknown plan_unclear",
            ),
            (
                "a target that is a guess convicts nobody",
                |a, t| {
                    a.target = Known::Value(("pg://dev".into(), Provenance::Inferred));
                    plan(t, r#"[{"tool":"delete_row","target":"pg://prod/accounts"}]"#);
                },
                "unknown plan_unclear",
            ),
            (
                "arguments that redaction digested",
                |a, t| {
                    a.arguments = Known::Value(text(&text(ARGUMENTS).digest.to_string()));
                    plan(t, &format!(r#"[{{"tool":"delete_row","arguments":{ARGUMENTS}}}]"#));
                },
                "good in_plan",
            ),
            (
                "arguments that redaction digested under another key",
                |a, t| {
                    let keyed = Digest { key: 3, ..text(ARGUMENTS).digest };
                    a.arguments = Known::Value(text(&keyed.to_string()));
                    plan(t, &format!(r#"[{{"tool":"delete_row","arguments":{ARGUMENTS}}}]"#));
                },
                "unknown plan_unclear",
            ),
            (
                "arguments with a part that redaction digested",
                |a, t| {
                    a.arguments = Known::Value(text(&format!(r#"{{"id":"{}"}}"#, text("7").digest)));
                    plan(t, r#"[{"tool":"delete_row","arguments":{"id":7}}]"#);
                },
                "unknown plan_unclear",
            ),
            (
                "arguments with a part that redaction dropped on both sides",
                |a, t| {
                    a.arguments = Known::Value(text(r#"{"id":"<REDACTED>"}"#));
                    plan(t, r#"[{"tool":"delete_row","arguments":{"id":"<REDACTED>"}}]"#);
                },
                "unknown plan_unclear",
            ),
            (
                "a target and a tool that redaction digested",
                |a, t| {
                    let digested = |word: &str| std::sync::Arc::from(text(word).digest.to_string());
                    a.target = Known::Value((digested("pg://prod/accounts"), Provenance::Explicit));
                    a.tool = Known::Value(digested("delete_row"));
                    plan(t, r#"[{"tool":"delete_row","target":"pg://prod/accounts"}]"#);
                },
                "good in_plan",
            ),
            (
                "another tool than the one that redaction digested",
                |a, t| {
                    a.tool = Known::Value(text("delete_row").digest.to_string().into());
                    plan(t, r#"[{"tool":"read_row"}]"#);
                },
                "bad not_in_plan",
            ),
            (
                "a target that redaction dropped",
                |a, t| {
                    a.target = Known::Value(("<REDACTED>".into(), Provenance::Explicit));
                    plan(t, r#"[{"tool":"delete_row","target":"pg://prod/accounts"}]"#);
                },
                "unknown plan_unclear",
            ),
            ("a step in prose", |_, t| plan(t, r#"[{"do":"then tidy up"},{"tool":"read"}]"#), "unknown plan_unclear"),
            ("a plan in prose", |_, t| plan(t, "delete the row"), "unknown plan_unreadable"),
            ("a plan cut short", |_, t| plan(t, &format!("[{}]", " ".repeat(5000))), "unknown plan_unreadable"),
            (
                "approved by the agent",
                |_, t| {
                    plan(t, r#"[{"tool":"read_row"}]"#);
                    t.plan_decisions[0].witness = own();
                },
                "unknown self_reported",
            ),
            (
                "approved, then rejected",
                |_, t| {
                    plan(t, r#"[{"tool":"delete_row"}]"#);
                    t.plan_decisions.push(Decision { at: at(4), ..denied(By::Human) });
                },
                "unknown no_authority",
            ),
            (
                "not approved",
                |_, t| {
                    plan(t, r#"[{"tool":"delete_row"}]"#);
                    t.plan_decisions.clear();
                },
                "unknown no_authority",
            ),
            (
                "another plan was approved",
                |_, t| {
                    plan(t, r#"[{"tool":"delete_row"}]"#);
                    t.plan_decisions[0].plan = Some("plan-0".into());
                },
                "unknown no_authority",
            ),
            (
                "a step was approved, and the plan has no name",
                |_, t| {
                    plan(t, r#"[{"tool":"delete_row"}]"#);
                    unnamed(t);
                    t.plan_decisions[0].plan = Some("plan-1/step-1".into());
                },
                "unknown plan_unclear",
            ),
            (
                "a plan was approved, and this one has no name",
                |_, t| {
                    plan(t, r#"[{"tool":"read_row"}]"#);
                    unnamed(t);
                },
                "unknown plan_unclear",
            ),
            (
                "approved without a name",
                |_, t| {
                    plan(t, r#"[{"tool":"delete_row"}]"#);
                    unnamed(t);
                    t.plan_decisions[0].plan = None;
                    t.plan_decisions.push(Decision { at: at(4), plan: Some("x/1".into()), ..allowed(human()) });
                },
                "good in_plan",
            ),
            (
                "approved without a name, and perhaps rejected",
                |_, t| {
                    plan(t, r#"[{"tool":"delete_row"}]"#);
                    unnamed(t);
                    t.plan_decisions[0].plan = None;
                    t.plan_decisions.push(Decision { at: at(4), plan: Some("x".into()), ..denied(By::Human) });
                },
                "unknown no_authority",
            ),
            (
                "approved after the call had begun",
                |_, t| {
                    plan(t, r#"[{"tool":"read_row"}]"#);
                    t.plan_decisions[0].at = at(6);
                },
                "unknown no_authority",
            ),
            (
                "planned anew after the approval",
                |_, t| {
                    plan(t, r#"[{"tool":"delete_row"}]"#);
                    t.plan_decisions[0].at = at(0);
                },
                "unknown plan_changed",
            ),
            (
                "approval of the call comes before the plan",
                |a, t| {
                    a.decisions.push(allowed(human()));
                    plan(t, r#"[{"tool":"read_row"}]"#);
                },
                "good approved",
            ),
        ],
    );
}

/// A version of the plan, and when it was made. The first is also what the turn keeps as its plan; a person approved
/// what lay before them in second 3, without a name.
fn versions(turn: &mut Turn, versions: &[(u64, &str)]) {
    plan(turn, versions[0].1);
    let version = |(second, plan): &(u64, &str)| {
        let made = shared(0x40 + *second as u8, PlanText { id: None, text: text(plan) });
        Shared { at: at(*second), ..made }
    };
    turn.plans = versions.iter().map(version).collect();
    turn.plan_decisions[0].plan = None;
    turn.plan_decisions[0].at = at(3);
}

#[test]
fn the_version_that_lay_before_the_approver_counts() {
    const THIS: &str = r#"[{"tool":"delete_row"}]"#;
    const OTHER: &str = r#"[{"tool":"read_row"}]"#;
    table(
        Sli::IntentAlignment,
        "",
        &[
            ("the approved version lists it", |_, t| versions(t, &[(1, OTHER), (2, THIS)]), "good in_plan"),
            ("an earlier version listed it", |_, t| versions(t, &[(1, THIS), (2, OTHER)]), "bad not_in_plan"),
            ("a later version lists it", |_, t| versions(t, &[(1, OTHER), (4, THIS)]), "bad not_in_plan"),
            ("every version is later", |_, t| versions(t, &[(4, THIS)]), "unknown plan_changed"),
        ],
    );
}
