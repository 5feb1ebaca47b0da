//! Golden table of `envelope`, second half: every section of the envelope language, good, bad and unknown. Sections
//! that another SLI answers stand at the end, under that SLI; `two_phase` has a file of its own, `plan_commit`.
//!
//! From `docs/envelopes.md`: every rule here is called `r`. The sample deletes account 7 from `pg://prod/accounts`.

use super::*;
use crate::model::{ActionId, Execution, Field, State};
use Provenance::{Dialect, Explicit, Inferred};

/// What a record of this role says the call does, in the namespace made for it.
fn claim(s: &mut Setting, effect: Effect, role: Role) {
    let mut piece = Piece { role, provenance: Explicit, ..sample::ran(0x51) };
    let Says::Call(call) = &mut piece.says else { panic!("a call") };
    call.effect = Some(effect);
    s.action.pieces.push(piece);
    s.does(effect, Explicit);
}

#[test]
fn forbid_and_freeze() {
    golden(
        Sli::Envelope,
        "freeze: [{ id: r, target: \"pg://prod/*\", from: 2026-11-20T06:00:00Z, until: 2026-11-20T07:00:00Z }]",
        &[
            ("written in the freeze", |_| {}, "bad frozen by r", "page r"),
            ("read in the freeze", |s| s.does(Effect::Read, Dialect), "good inside", ""),
            ("written after it", |s| s.action.end = at(3_600), "good inside", ""),
            ("written elsewhere", |s| s.is_about("pg://dev/x", Dialect), "good inside", ""),
            ("nobody knows what it did", |s| s.action.effect = Known::ABSENT, "unknown effect_unknown by r", ""),
        ],
    );
    golden(
        Sli::Envelope,
        "freeze: [{ id: r, tool: delete_row, from: 2026-11-20T06:00:00Z, until: 2026-11-20T07:00:00Z }]",
        &[("by tool, whatever it does", |s| s.does(Effect::Read, Dialect), "bad frozen by r", "page r")],
    );
}

#[test]
fn allow_and_only_listed() {
    golden(
        Sli::Envelope,
        "allow: [{ id: reads, effect: read }, { id: rows, tool: \"*_row\", target: \"pg://dev/*\" }]",
        &[
            ("outside", |_| {}, "bad outside_allowed by allow", "page allow"),
            ("the first allows it", |s| s.does(Effect::Read, Dialect), "good inside", ""),
            ("the second allows it", |s| s.is_about("pg://dev/x", Dialect), "good inside", ""),
            ("perhaps the first", |s| s.action.effect = Known::ABSENT, "unknown effect_unknown by allow", ""),
            ("a guess allows nothing", |s| s.does(Effect::Read, Inferred), "unknown effect_inferred by allow", ""),
        ],
    );
    golden(
        Sli::Envelope,
        "only_listed: true\ntools: { \"get_*\": { effect: read }, purge: { effect: delete } }",
        &[
            ("not listed", |_| {}, "bad outside_allowed by only-listed", "page only-listed"),
            ("listed", |s| s.action.tool = Known::Value("get_row".into()), "good inside", ""),
            ("nobody named it", |s| s.action.tool = Known::ABSENT, "unknown tool_unknown by only-listed", ""),
        ],
    );
}

/// What a tool does: a source that may testify, then the envelope, then the agent, then its definition, then a guess.
#[test]
fn tools_and_effects() {
    for names in ["tools: { delete_row: { effect: read } }", "effects: { delete_row: read }"] {
        golden(
            Sli::Envelope,
            &format!("{names}\nforbid: [{{ id: r, effect: delete }}]"),
            &[
                ("the envelope before the definition", |_| {}, "good inside", ""),
                ("the envelope before a guess", |s| s.does(Effect::Delete, Inferred), "good inside", ""),
                ("the envelope before the agent", |s| claim(s, Effect::Delete, Role::Agent), "good inside", ""),
                (
                    "a gateway before the envelope",
                    |s| claim(s, Effect::Delete, Role::Gateway),
                    "bad forbidden by r",
                    "page r",
                ),
            ],
        );
    }
    golden(
        Sli::Envelope,
        "tools: { delete_row: { target: \"pg://prod/{table}/{id}\" } }\nforbid: [{ id: r, target: pg://prod/accounts/7 }]",
        &[
            ("filled in from the parameters", |s| s.action.target = Known::ABSENT, "bad forbidden by r", "page r"),
            (
                "another account",
                |s| s.action.arguments = Known::Value(text(r#"{"table":"accounts","id":8}"#)),
                "good inside",
                "",
            ),
            (
                "nothing to fill it with",
                |s| {
                    s.action.target = Known::ABSENT;
                    s.withhold_parameters();
                },
                "unknown target_unknown by r",
                "",
            ),
        ],
    );
}

#[test]
fn parameters() {
    let (good, bad) = (("good inside", ""), ("bad parameter_outside by r", "page r"));
    for (check, (verdict, findings)) in [
        ("id: { max: 7 }", good),
        ("id: { max: 6 }", bad),
        ("id: { min: 8 }", bad),
        ("id: { type: integer }", good),
        ("id: { type: string }", bad),
        ("table: { in: [bills, accounts] }", good),
        ("table: { not_in: [accounts] }", bad),
        ("table: { pattern: \"^acc\" }", good),
        ("table: { pattern: \"^counts\" }", bad),
        ("table: { max_length: 8 }", good),
        ("table: { max_length: 7 }", bad),
        ("why: { type: string }", bad),
        ("why: { type: string, optional: true }", good),
        ("why: { absent: true }", good),
        ("id: { absent: true }", bad),
    ] {
        let rules = format!("parameters: [{{ id: r, tool: delete_row, check: {{ {check} }} }}]");
        golden(
            Sli::Envelope,
            &rules,
            &[
                (check, |_| {}, verdict, findings),
                ("withheld", Setting::withhold_parameters, "unknown parameters_withheld by r", ""),
                ("nobody told them", |s| s.action.arguments = Known::ABSENT, "unknown parameters_unknown by r", ""),
                ("another tool", |s| s.action.tool = Known::Value("get_row".into()), "good inside", ""),
            ],
        );
    }
}

#[test]
fn output() {
    golden(
        Sli::Envelope,
        "output: [{ id: r, tool: delete_row, schema: { type: object, required: [deleted] } }]",
        &[
            ("of that shape", |s| s.action.output = Known::Value(text(r#"{"deleted":1}"#)), "good inside", ""),
            ("of another", |s| s.action.output = Known::Value(text("{}")), "bad output_outside by r", "page r"),
            ("no JSON", |_| {}, "bad output_outside by r", "page r"),
            ("withheld", |s| s.action.output = Known::Missing(Missing::Withheld), "unknown output_withheld by r", ""),
            ("it failed", |s| s.action.state = State::Executed(Execution::Failed("x".into())), "good inside", ""),
        ],
    );
}

#[test]
fn approval() {
    golden(
        Sli::Envelope,
        "approval: [{ id: r, effect: delete }]",
        &[
            ("nobody approved it", |_| {}, "bad approval_missing by r", "page r"),
            ("a human did", |s| s.decided(allowed_at(3)), "good inside", ""),
            ("too late", |s| s.decided(allowed_at(6)), "bad approval_late by r", "page r"),
            (
                "for other parameters",
                |s| s.decided(Decision { parameters: Some(text(r#"{"id":8}"#).digest), ..allowed_at(3) }),
                "bad approval_changed by r",
                "page r",
            ),
            (
                "and took it back",
                |s| s.action.decisions = vec![allowed_at(3), Decision { at: at(4), ..denied(By::Human) }],
                "bad approval_missing by r",
                "page r",
            ),
            (
                "denied, then approved",
                |s| s.action.decisions = vec![denied(By::Human), allowed_at(4)],
                "good inside",
                "",
            ),
            (
                "a policy did",
                |s| s.decided(decision(Outcome::Allow, By::Policy)),
                "bad approval_missing by r",
                "page r",
            ),
            ("the agent says so", |s| s.decided(allowed(own())), "unknown self_reported by r", ""),
            (
                "guessed, because it ran",
                |s| s.decided(allowed(inferred(Role::HumanChannel))),
                "unknown approval_inferred by r",
                "",
            ),
            (
                "a standing grant",
                |s| s.decided(Decision { standing: true, ..allowed_at(3) }),
                "unknown standing_grant by r",
                "",
            ),
            (
                "nobody knows for what",
                |s| {
                    s.decided(allowed_at(3));
                    s.withhold_parameters();
                },
                "unknown approval_incomparable by r",
                "",
            ),
            ("more may come", |s| s.turn.closed = false, "unknown pending by r", ""),
            ("sampled", |s| s.action.marks.sampled = true, "unknown sampled by r", ""),
            ("it was refused", |s| s.action.state = State::Refused(By::Policy), "-", ""),
        ],
    );
    golden(
        Sli::Envelope,
        "approval: [{ id: r, effect: delete, by: [human, policy], principal: \"sre:*\" }]",
        &[
            ("by one of them", |s| s.decided(by("sre:ann")), "good inside", ""),
            ("by another", |s| s.decided(by("dev:bob")), "bad approval_missing by r", "page r"),
            ("by nobody named", |s| s.decided(allowed_at(3)), "unknown approver_unknown by r", ""),
            ("by a policy of theirs", |s| s.decided(Decision { by: By::Policy, ..by("sre:gate") }), "good inside", ""),
        ],
    );
}

fn by(principal: &str) -> Decision {
    Decision { principal: Some(principal.into()), ..allowed_at(3) }
}

#[test]
fn limit() {
    fn before(s: &mut Setting, many: u64) {
        s.around.counted = [("envelope.e.r".into(), many)].into();
    }
    for per in ["turn", "conversation", "1h"] {
        golden(
            Sli::Envelope,
            &format!("limit: [{{ id: r, tool: delete_row, at_most: 2, per: {per} }}]"),
            &[
                ("the second", |s| before(s, 1), "good inside", ""),
                ("the third", |s| before(s, 2), "bad limit_exceeded by r", "page r"),
                ("nobody counted", |_| {}, "unknown not_counted by r", ""),
                ("another tool", |s| s.action.tool = Known::Value("get_row".into()), "good inside", ""),
            ],
        );
    }
}

#[test]
fn breaker() {
    golden(
        Sli::Envelope,
        "breaker: [{ id: r, tool: delete_row, consecutive: 3, total: 4 }]",
        &[
            ("three in a row", |s| attempts(s, &[true; 3]), "-", "page r"),
            ("told once", |s| attempts(s, &[true; 4]), "-", ""),
            ("two", |s| attempts(s, &[true; 2]), "-", ""),
            ("four in all", |s| attempts(s, &[true, true, false, true, false, true]), "-", "page r"),
            ("nobody counted", |s| attempts(s, &[]), "-", ""),
            (
                "nobody named the tool",
                |s| {
                    attempts(s, &[true; 3]);
                    s.action.tool = Known::ABSENT;
                },
                "-",
                "",
            ),
            ("it is no limit of a call that ran", |_| {}, "good inside", ""),
        ],
    );
}

fn attempts(s: &mut Setting, denied: &[bool]) {
    s.action.state = State::Refused(By::Policy);
    s.around.attempts = denied.to_vec();
}

#[test]
fn hold() {
    golden(
        Sli::Envelope,
        "hold: [{ id: r, effect: delete }]",
        &[
            ("it ran", |_| {}, "bad held by r", "page r"),
            ("a human approved exactly this", |s| s.decided(allowed_at(3)), "good inside", ""),
            ("too late", |s| s.decided(allowed_at(6)), "bad held by r", "page r"),
            ("the agent says so", |s| s.decided(allowed(own())), "bad held by r", "page r"),
            ("it reads", |s| s.does(Effect::Read, Dialect), "good inside", ""),
            ("nobody knows what it did", |s| s.action.effect = Known::ABSENT, "unknown effect_unknown by r", ""),
        ],
    );
}

// What another SLI answers.

#[test]
fn grant() {
    golden(
        Sli::IntentAlignment,
        "grant: [{ id: r, effect: delete }]",
        &[
            ("granted", |_| {}, "good granted by r on rung 4", ""),
            ("not granted", |s| s.does(Effect::Send, Dialect), "unknown no_authority on rung 6", ""),
            ("perhaps", |s| s.action.effect = Known::ABSENT, "unknown grant_unclear by r on rung 4", ""),
            ("by a guess", |s| s.does(Effect::Delete, Inferred), "unknown grant_unclear by r on rung 4", ""),
            ("a policy had denied it", |s| s.decided(denied(By::Policy)), "bad ran_against_denial on rung 0", ""),
        ],
    );
    golden(
        Sli::IntentAlignment,
        "grant: [{ id: g, effect: delete }]\nforbid: [{ id: r, tool: delete_row }]",
        &[("forbidden, too", |_| {}, "bad forbidden by r on rung 0", "page r")],
    );
}

#[test]
fn task() {
    golden(
        Sli::IntentAlignment,
        "task: [{ id: r, intent: \"*REMOVE account*\", intent_id: \"DEL-*\", allow: [{ effect: delete }] }]",
        &[
            ("asked for and allowed", |_| {}, "good in_task by r on rung 4", ""),
            ("asked for, and not allowed", |s| s.does(Effect::Send, Dialect), "unknown no_authority on rung 6", ""),
            ("perhaps allowed", |s| s.action.effect = Known::ABSENT, "unknown task_unclear by r on rung 4", ""),
            (
                "not asked for",
                |s| s.turn.intent = Known::Value(shared(1, text("tidy up"))),
                "unknown no_authority on rung 6",
                "",
            ),
            (
                "asked for by its id",
                |s| {
                    s.turn.intent = Known::Missing(Missing::Withheld);
                    s.turn.intent_id = Some(shared(1, "DEL-17".into()));
                },
                "good in_task by r on rung 4",
                "",
            ),
            (
                "withheld words",
                |s| s.turn.intent = Known::Missing(Missing::Withheld),
                "unknown no_authority on rung 6",
                "",
            ),
        ],
    );
}

#[test]
fn invariant() {
    golden(
        Sli::OutcomeValidation,
        "invariant: [{ id: r, tool: delete_row, holds: \"output.deleted == 1\" }]",
        &[
            ("it holds", |s| s.action.output = Known::Value(text(r#"{"deleted":1}"#)), "good invariant_holds by r", ""),
            (
                "it does not",
                |s| s.action.output = Known::Value(text(r#"{"deleted":0}"#)),
                "bad invariant_broken by r",
                "page r, ticket outcome.plausible_success",
            ),
            ("withheld", |s| s.action.output = Known::Missing(Missing::Withheld), "unknown when_unclear by r", ""),
            (
                "it failed",
                |s| s.action.state = State::Executed(Execution::Failed("x".into())),
                "unknown call_failed by r",
                "",
            ),
        ],
    );
    golden(
        Sli::OutcomeValidation,
        "invariant: [{ id: r, tool: delete_row, read: { tool: find }, holds: \"later.output == 'gone'\" }]",
        &[
            ("a later call shows it", |s| read(s, &["gone"]), "good invariant_holds by r", ""),
            (
                "a later call shows otherwise",
                |s| read(s, &["gone", "here"]),
                "bad invariant_broken by r",
                "page r, ticket outcome.plausible_success",
            ),
            ("nobody looked", |_| {}, "unknown not_read_yet by r", ""),
        ],
    );
}

/// Later calls of `find` that came back with this.
fn read(s: &mut Setting, outputs: &[&str]) {
    let read =
        |output: &&str| Read { tool: "find".into(), parameters: None, output: Some((*output).into()), target: None };
    let reads = outputs.iter().map(|output| ((at(8), ActionId([8; 16])), read(output)));
    s.around.later = [("envelope.e.r".into(), reads.collect())].into();
}

#[test]
fn profile() {
    golden(
        Sli::LineageComplete,
        "profile: [policy, tool]",
        &[
            ("all there", |_| {}, "good complete", ""),
            ("absent", |s| _ = s.action.fields.insert(Field::Policy, Known::ABSENT), "bad missing_policy", ""),
            (
                "withheld",
                |s| _ = s.action.fields.insert(Field::Policy, Known::Missing(Missing::Withheld)),
                "unknown withheld",
                "",
            ),
        ],
    );
}
