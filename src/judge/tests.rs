//! The whole table, row by row, and what holds for every row.

use proptest::prelude::*;

use super::*;
use crate::envelope;
use crate::model::sample::{self, at, check, decision, service, shared, text, witness};
use crate::model::{
    Algorithm, By, Check, CheckResult, Decision, Digest, Effect, Execution, Field, Hash, Key, Known, Missing, Moment,
    Outcome, Phase, Piece, PlanText, Proof, Provenance, Role, Says, Severity, Span, State, Status, Witness,
};

/// What a row changes in the sample action and its turn.
type Change = fn(&mut Action, &mut Turn);

fn judged(sli: Sli, rules: &Rules, change: Change) -> Option<(Value, String)> {
    let (mut action, mut turn) = (called(), sample::turn());
    change(&mut action, &mut turn);
    let (verdicts, _) = judge(&Context::alone(rules, &turn), &action);
    verdicts.into_iter().find(|verdict| verdict.sli == sli).map(|verdict| (verdict.value, verdict.reason.to_string()))
}

/// The sample action, proposed from second 1 to 2 with the parameters that it ran with.
fn called() -> Action {
    let mut action = sample::action();
    let ran = said(sample::ran(0x50), Moment::Ran { status: Status::Fine, proof: Proof::Ran }, ARGUMENTS);
    action.pieces = vec![proposed(ARGUMENTS), ran];
    action
}

/// The parameters of the sample action.
const ARGUMENTS: &str = r#"{"table":"accounts","id":7}"#;

fn proposed(arguments: &str) -> Piece {
    said(Piece { start: at(1), end: at(2), ..sample::ran(0x4f) }, Moment::Proposed, arguments)
}

/// A piece that says another moment of the call, with these parameters; none when they are empty.
fn said(mut piece: Piece, moment: Moment, arguments: &str) -> Piece {
    let Says::Call(call) = &mut piece.says else { panic!("a call") };
    call.moment = moment;
    call.arguments = Known::or_absent((!arguments.is_empty()).then(|| text(arguments)));
    piece
}

fn table(sli: Sli, rules: &str, rows: &[(&str, Change, &str)]) {
    let rules = rules_of(rules);
    for (name, change, want) in rows {
        let got = judged(sli, &rules, *change).map_or("-".to_owned(), |(value, reason)| format!("{value} {reason}"));
        assert_eq!(&got, want, "{sli}: {name}");
    }
}

fn rules_of(text: &str) -> Rules {
    if text.is_empty() {
        return Rules::default();
    }
    envelope::parse(&[("test.yaml", text)]).unwrap_or_else(|mistakes| panic!("{}", mistakes[0]))
}

/// Forbids to delete in production.
const FREEZE: &str = "
envelope: prod
forbid:
  - id: no-deletes
    effect: delete
    target: pg://prod/*
    because: freeze
";

fn own() -> Option<Witness> {
    Some(witness(0x99, Role::Unspecified, "ops"))
}

fn human() -> Option<Witness> {
    Some(witness(0x31, Role::HumanChannel, "approvals"))
}

fn inferred(role: Role) -> Option<Witness> {
    Some(Witness { provenance: Provenance::Inferred, ..witness(0x98, role, "guess") })
}

fn allowed(witness: Option<Witness>) -> Decision {
    Decision { witness, ..decision(Outcome::Allow, By::Human) }
}

/// A human channel's approval.
fn allowed_at(second: u64) -> Decision {
    Decision { at: at(second), ..allowed(human()) }
}

fn permitted(second: u64, by: By, witness: Option<Witness>) -> Decision {
    Decision { at: at(second), witness, ..decision(Outcome::Allow, by) }
}

/// The policy engine of [`decision`].
fn gate() -> Option<Witness> {
    decision(Outcome::Allow, By::Policy).witness
}

fn denied(by: By) -> Decision {
    decision(Outcome::Deny, by)
}

fn aligned(result: CheckResult, witness: Option<Witness>) -> Check {
    Check { witness, phase: Phase::Unknown, ..check(intent_alignment::NAME, result) }
}

fn checked(result: CheckResult, witness: Option<Witness>) -> Check {
    Check { witness, ..check("row_is_gone", result) }
}

/// The turn gets a plan at second 1, approved by a human channel at second 3.
fn plan(turn: &mut Turn, plan: &str) {
    turn.plan = Known::Value(shared(0x40, PlanText { id: Some("plan-1".into()), text: text(plan) }));
    turn.plan_decisions = vec![Decision { plan: Some("plan-1".into()), ..allowed(human()) }];
}

/// The turn's plan loses its id.
fn unnamed(turn: &mut Turn) {
    let Known::Value(plan) = &mut turn.plan else { panic!("a plan") };
    plan.value.id = None;
}

fn pass() -> Option<Witness> {
    check("", CheckResult::Pass).witness
}

#[test]
fn intent_is_decided_by_the_first_rung_that_answers() {
    table(
        Sli::IntentAlignment,
        "",
        &[
            ("nothing speaks", |_, _| {}, "unknown no_authority"),
            ("refused calls need no authority", |a, _| a.state = State::Refused(By::Human), "-"),
            ("neither do proposed ones", |a, _| a.state = State::Proposed, "-"),
            // rung 1
            ("evaluator passes", |a, _| a.checks.push(aligned(CheckResult::Pass, pass())), "good evaluation_passed"),
            ("evaluator fails", |a, _| a.checks.push(aligned(CheckResult::Fail, pass())), "bad evaluation_failed"),
            (
                "evaluator is unsure",
                |a, _| a.checks.push(aligned(CheckResult::Unknown, pass())),
                "unknown no_authority",
            ),
            ("agent passes itself", |a, _| a.checks.push(aligned(CheckResult::Pass, own())), "unknown self_reported"),
            ("agent fails itself", |a, _| a.checks.push(aligned(CheckResult::Fail, own())), "bad evaluation_failed"),
            (
                "a token of an agent is no other witness",
                |a, _| a.checks.push(aligned(CheckResult::Pass, Some(witness(1, Role::Agent, "other")))),
                "unknown self_reported",
            ),
            (
                "another service without a token is one",
                |a, _| a.checks.push(aligned(CheckResult::Pass, Some(witness(1, Role::Unspecified, "evals")))),
                "good evaluation_passed",
            ),
            (
                "a service without a name is nobody",
                |a, _| a.checks.push(aligned(CheckResult::Pass, Some(witness(1, Role::Unspecified, "")))),
                "unknown self_reported",
            ),
            (
                "nobody is another than an agent without a name",
                |a, _| {
                    a.service = service("");
                    a.checks.push(aligned(CheckResult::Pass, Some(witness(1, Role::Unspecified, "evals"))));
                },
                "unknown self_reported",
            ),
            (
                "guessed pass",
                |a, _| a.checks.push(aligned(CheckResult::Pass, inferred(Role::Evaluator))),
                "unknown no_authority",
            ),
            (
                "guessed fail",
                |a, _| a.checks.push(aligned(CheckResult::Fail, inferred(Role::Evaluator))),
                "unknown no_authority",
            ),
            (
                "fail outweighs pass and approval",
                |a, _| {
                    a.checks = vec![aligned(CheckResult::Pass, pass()), aligned(CheckResult::Fail, pass())];
                    a.decisions.push(allowed(human()));
                },
                "bad evaluation_failed",
            ),
            (
                "other checks are not asked",
                |a, _| a.checks.push(checked(CheckResult::Pass, pass())),
                "unknown no_authority",
            ),
            // rung 2
            ("a human approved", |a, _| a.decisions.push(allowed(human())), "good approved"),
            ("the agent says a human approved", |a, _| a.decisions.push(allowed(own())), "unknown self_reported"),
            (
                "the agent's approval does not hide another's",
                |a, _| a.decisions = vec![allowed(own()), allowed(human())],
                "good approved",
            ),
            (
                "a self-report on rung 1 does not hide an approval",
                |a, _| {
                    a.checks.push(aligned(CheckResult::Pass, own()));
                    a.decisions.push(allowed(human()));
                },
                "good approved",
            ),
            (
                "approved with these parameters",
                |a, _| {
                    let parameters = a.arguments.value().map(|text| text.digest);
                    a.decisions.push(Decision { parameters, ..allowed(human()) });
                },
                "good approved",
            ),
            (
                "approved with other parameters",
                |a, _| {
                    let parameters = Some(text(r#"{"table":"accounts","id":8}"#).digest);
                    a.decisions.push(Decision { parameters, ..allowed(human()) });
                },
                "unknown approval_changed",
            ),
            (
                "digests under another key say nothing",
                |a, _| {
                    let parameters = Some(Digest { algorithm: Algorithm::Blake3, key: 3, bytes: Hash([0; 32]) });
                    a.decisions.push(Decision { parameters, ..allowed(human()) });
                },
                "unknown approval_incomparable",
            ),
            (
                "withheld parameters cannot be compared",
                |a, _| {
                    let parameters = a.arguments.value().map(|text| text.digest);
                    a.decisions.push(Decision { parameters, ..allowed(human()) });
                    a.arguments = Known::Missing(Missing::Withheld);
                },
                "unknown approval_incomparable",
            ),
            (
                "modified after the approval",
                |a, _| {
                    let modified = Decision { at: at(4), ..decision(Outcome::Modify, By::Hook) };
                    a.decisions = vec![allowed(human()), modified];
                },
                "unknown approval_changed",
            ),
            (
                "approved afterwards",
                |a, _| a.decisions.push(Decision { at: at(7), ..allowed(human()) }),
                "unknown approval_late",
            ),
            (
                "approved while it ran",
                |a, _| {
                    a.decisions.push(Decision { at: at(5) + Span::millis(900), ..allowed(human()) });
                },
                "unknown approval_late",
            ),
            (
                "approved between a first try and the run",
                |a, _| {
                    let failed = Moment::Ran { status: Status::Error("asks".into()), proof: Proof::NeedsResult };
                    let tried = Piece { start: at(1), end: at(2), ..sample::ran(0x4e) };
                    a.pieces.insert(0, said(tried, failed, ARGUMENTS));
                    a.decisions.push(allowed(human()));
                },
                "good approved",
            ),
            (
                "approved as proposed, run with other parameters",
                |a, _| {
                    a.pieces[0] = proposed(r#"{"table":"accounts","id":8}"#);
                    a.decisions.push(allowed(human()));
                },
                "unknown approval_changed",
            ),
            (
                "proposed with what it ran with only after the approval",
                |a, _| {
                    let again = Piece { start: at(4), end: at(5), ..proposed(ARGUMENTS) };
                    a.pieces[0] = proposed(r#"{"table":"accounts","id":8}"#);
                    a.pieces.insert(1, again);
                    a.decisions.push(allowed(human()));
                },
                "unknown approval_changed",
            ),
            (
                "what was asked outweighs what was proposed",
                |a, _| {
                    let asked = said(proposed(""), Moment::Asked, ARGUMENTS);
                    a.pieces[0] = proposed(r#"{"table":"accounts","id":8}"#);
                    a.pieces.insert(1, asked);
                    a.decisions.push(allowed(human()));
                },
                "good approved",
            ),
            (
                "nobody told what was proposed",
                |a, _| {
                    a.pieces[0] = proposed("");
                    a.decisions.push(allowed(human()));
                },
                "unknown approval_incomparable",
            ),
            (
                "nobody told what it ran with",
                |a, _| {
                    a.pieces[1] = sample::ran(0x50);
                    a.decisions.push(allowed(human()));
                },
                "unknown approval_incomparable",
            ),
            (
                "a changed approval leaves the plan to decide",
                |a, t| {
                    a.pieces[0] = proposed(r#"{"table":"accounts","id":8}"#);
                    a.decisions.push(allowed(human()));
                    plan(t, r#"[{"tool":"read_row"}]"#);
                },
                "bad not_in_plan",
            ),
            (
                "watched only",
                |a, _| a.decisions.push(Decision { enforced: false, ..allowed(human()) }),
                "unknown no_authority",
            ),
            (
                "a policy's allow is no intent",
                |a, _| a.decisions.push(decision(Outcome::Allow, By::Policy)),
                "unknown no_authority",
            ),
            (
                "a human's later denial takes it back",
                |a, _| a.decisions = vec![allowed(human()), Decision { at: at(4), ..denied(By::Human) }],
                "unknown no_authority",
            ),
            (
                "a denial between two approvals takes the first back",
                |a, _| {
                    let again = Decision { at: at(5), ..allowed(own()) };
                    a.decisions = vec![allowed(human()), Decision { at: at(4), ..denied(By::Human) }, again];
                },
                "unknown self_reported",
            ),
            ("a policy denied, it ran", |a, _| a.decisions.push(denied(By::Policy)), "bad ran_against_denial"),
            (
                "a human does not lift what a policy forbade",
                |a, _| a.decisions = vec![denied(By::Policy), Decision { at: at(4), ..allowed(human()) }],
                "bad ran_against_denial",
            ),
            (
                "the same kind of decider does",
                |a, _| a.decisions = vec![denied(By::Policy), permitted(4, By::Policy, gate()), allowed_at(4)],
                "good approved",
            ),
            (
                "another kind does not",
                |a, _| a.decisions = vec![denied(By::Policy), permitted(4, By::Hook, gate())],
                "bad ran_against_denial",
            ),
            (
                "not before it forbade",
                |a, _| a.decisions = vec![permitted(2, By::Policy, gate()), denied(By::Policy)],
                "bad ran_against_denial",
            ),
            (
                "nor after the call ran",
                |a, _| a.decisions = vec![denied(By::Policy), permitted(7, By::Policy, gate())],
                "bad ran_against_denial",
            ),
            (
                "the agent's own word lifts nothing that another forbade",
                |a, _| a.decisions = vec![denied(By::Policy), permitted(4, By::Policy, own())],
                "bad ran_against_denial",
            ),
            (
                "a person's denial after it does not hide it",
                |a, _| a.decisions = vec![denied(By::Policy), Decision { at: at(4), ..denied(By::Human) }],
                "bad ran_against_denial",
            ),
            (
                "the agent's word that it denied counts",
                |a, _| a.decisions.push(Decision { witness: own(), ..denied(By::Hook) }),
                "bad ran_against_denial",
            ),
            (
                "until it says otherwise",
                |a, _| {
                    let hook = Decision { witness: own(), ..denied(By::Hook) };
                    a.decisions = vec![hook, permitted(4, By::System, own())];
                },
                "unknown no_authority",
            ),
            (
                "a denial of the output is not about the call",
                |a, _| a.decisions = vec![allowed(human()), Decision { at: at(8), ..denied(By::Policy) }],
                "unknown no_authority",
            ),
            // rung 3
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
            // rung 4
            (
                "a standing grant",
                |a, _| a.decisions.push(Decision { standing: true, ..allowed(human()) }),
                "good granted",
            ),
            (
                "a standing grant, used after the call had begun",
                |a, _| a.decisions.push(Decision { standing: true, at: at(6), ..allowed(human()) }),
                "unknown approval_late",
            ),
            (
                "a standing grant by the agent's word",
                |a, _| a.decisions.push(Decision { standing: true, ..allowed(own()) }),
                "unknown self_reported",
            ),
            // execution not proven
            (
                "approved, and nothing proves that it ran",
                |a, _| {
                    a.state = State::Executed(Execution::UnknownResult);
                    a.decisions.push(allowed(human()));
                },
                "unknown execution_not_proven",
            ),
            (
                "failed by an evaluation, whether it ran or not",
                |a, _| {
                    a.state = State::Executed(Execution::UnknownResult);
                    a.checks.push(aligned(CheckResult::Fail, pass()));
                },
                "bad evaluation_failed",
            ),
        ],
    );
}

#[test]
fn what_is_forbidden_stays_bad() {
    table(
        Sli::IntentAlignment,
        FREEZE,
        &[
            ("forbidden", |_, _| {}, "bad forbidden"),
            (
                "failed calls were made too",
                |a, _| a.state = State::Executed(Execution::Failed("5".into())),
                "bad forbidden",
            ),
            (
                "whoever approved it",
                |a, t| {
                    a.decisions.push(allowed(human()));
                    a.checks.push(aligned(CheckResult::Pass, pass()));
                    plan(t, r#"[{"tool":"delete_row"}]"#);
                },
                "bad forbidden",
            ),
            (
                "elsewhere",
                |a, _| a.target = Known::Value(("pg://dev".into(), Provenance::Dialect)),
                "unknown no_authority",
            ),
            ("not proven", |a, _| a.state = State::Executed(Execution::UnknownResult), "unknown execution_not_proven"),
            ("stopped", |a, _| a.state = State::Refused(By::Policy), "-"),
        ],
    );
    for mode in ["warn", "shadow"] {
        let rules = FREEZE.replace("effect:", &format!("mode: {mode}\n    effect:"));
        table(Sli::IntentAlignment, &rules, &[(mode, |_, _| {}, "unknown no_authority")]);
    }
}

#[test]
fn outcomes_are_validated_after_the_action() {
    table(
        Sli::OutcomeValidation,
        "",
        &[
            ("no check", |_, _| {}, "unknown no_check"),
            ("passed", |a, _| a.checks.push(checked(CheckResult::Pass, pass())), "good check_passed"),
            ("failed", |a, _| a.checks.push(checked(CheckResult::Fail, pass())), "bad check_failed"),
            (
                "failed by the agent's own word",
                |a, _| a.checks.push(checked(CheckResult::Fail, own())),
                "bad check_failed",
            ),
            (
                "passed by the agent's own word",
                |a, _| a.checks.push(checked(CheckResult::Pass, own())),
                "unknown self_reported",
            ),
            (
                "one failed, one passed",
                |a, _| a.checks = vec![checked(CheckResult::Pass, pass()), checked(CheckResult::Fail, pass())],
                "bad check_failed",
            ),
            ("unclear", |a, _| a.checks.push(checked(CheckResult::Unknown, pass())), "unknown check_unclear"),
            (
                "before the action",
                |a, _| a.checks.push(Check { phase: Phase::PreAction, ..checked(CheckResult::Fail, pass()) }),
                "unknown no_check",
            ),
            (
                "nobody knows when",
                |a, _| a.checks.push(Check { phase: Phase::Unknown, ..checked(CheckResult::Pass, pass()) }),
                "unknown no_check",
            ),
            (
                "a guess",
                |a, _| a.checks.push(checked(CheckResult::Fail, inferred(Role::Evaluator))),
                "unknown no_check",
            ),
            (
                "intent is judged elsewhere",
                |a, _| a.checks.push(Check { phase: Phase::PostAction, ..aligned(CheckResult::Fail, pass()) }),
                "unknown no_check",
            ),
            (
                "failed calls have outcomes too",
                |a, _| {
                    a.state = State::Executed(Execution::Failed("timeout".into()));
                    a.checks.push(checked(CheckResult::Pass, pass()));
                },
                "good check_passed",
            ),
            (
                "not proven, passed",
                |a, _| {
                    a.state = State::Executed(Execution::UnknownResult);
                    a.checks.push(checked(CheckResult::Pass, pass()));
                },
                "unknown execution_not_proven",
            ),
            (
                "not proven, failed",
                |a, _| {
                    a.state = State::Executed(Execution::UnknownResult);
                    a.checks.push(checked(CheckResult::Fail, pass()));
                },
                "bad check_failed",
            ),
            ("refused", |a, _| a.state = State::Refused(By::Policy), "-"),
            ("expired", |a, _| a.state = State::Expired, "-"),
        ],
    );
}

#[test]
fn denials_count_by_the_last_enforced_word() {
    table(
        Sli::DeniedActions,
        "",
        &[
            ("ran", |_, _| {}, "good executed"),
            ("ran and failed", |a, _| a.state = State::Executed(Execution::Failed("x".into())), "good executed"),
            ("not proven", |a, _| a.state = State::Executed(Execution::UnknownResult), "unknown execution_not_proven"),
            ("proposed", |a, _| a.state = State::Proposed, "unknown no_outcome"),
            ("asked", |a, _| a.state = State::Asked, "unknown no_outcome"),
            ("expired", |a, _| a.state = State::Expired, "unknown no_outcome"),
            ("aborted", |a, _| a.state = State::Aborted, "-"),
            ("refused by policy", |a, _| a.state = State::Refused(By::Policy), "bad denied_by_policy"),
            ("refused by a hook", |a, _| a.state = State::Refused(By::Hook), "bad denied_by_hook"),
            ("refused by a model", |a, _| a.state = State::Refused(By::Model), "bad denied_by_model"),
            ("refused by the system", |a, _| a.state = State::Refused(By::System), "bad denied_by_system"),
            ("refused by a human", |a, _| a.state = State::Refused(By::Human), "-"),
            ("refused by nobody named", |a, _| a.state = State::Refused(By::Unknown), "unknown refused_by_unknown"),
            (
                "the decision names whom the refusal does not",
                |a, _| {
                    a.state = State::Refused(By::Unknown);
                    a.decisions.push(denied(By::Policy));
                },
                "bad denied_by_policy",
            ),
            (
                "the refusal names whom the decision does not",
                |a, _| {
                    a.state = State::Refused(By::Human);
                    a.decisions.push(denied(By::Unknown));
                },
                "-",
            ),
            (
                "a decision by nobody named",
                |a, _| {
                    a.state = State::Refused(By::Unknown);
                    a.decisions.push(denied(By::Unknown));
                },
                "unknown refused_by_unknown",
            ),
            (
                "allowed, then refused by the sandbox",
                |a, _| {
                    a.state = State::Refused(By::Policy);
                    a.decisions.push(allowed(human()));
                },
                "bad denied_by_policy",
            ),
            (
                "denied, then allowed",
                |a, _| a.decisions = vec![denied(By::Policy), Decision { at: at(4), ..allowed(human()) }],
                "good executed",
            ),
            (
                "denied, then allowed by the agent's own word",
                |a, _| a.decisions = vec![denied(By::Policy), permitted(4, By::System, own())],
                "bad denied_by_policy",
            ),
            (
                "denied by a person, then allowed by the agent's own word",
                |a, _| a.decisions = vec![denied(By::Human), permitted(4, By::System, own())],
                "-",
            ),
            (
                "denied, then allowed by another and by the agent",
                |a, _| {
                    let by_both = [permitted(4, By::Policy, gate()), permitted(5, By::System, own())];
                    a.decisions = [vec![denied(By::Policy)], by_both.to_vec()].concat();
                },
                "good executed",
            ),
            (
                "denied and allowed by the agent's own word",
                |a, _| {
                    let hook = Decision { witness: own(), ..denied(By::Hook) };
                    a.decisions = vec![hook, permitted(4, By::System, own())];
                },
                "good executed",
            ),
            (
                "warned after the denial",
                |a, _| {
                    a.state = State::Asked;
                    a.decisions =
                        vec![denied(By::Policy), Decision { at: at(4), ..decision(Outcome::Warn, By::Policy) }];
                },
                "bad denied_by_policy",
            ),
            (
                "at the same time the denial is last",
                |a, _| {
                    a.state = State::Asked;
                    a.decisions = vec![denied(By::Policy), allowed(human())];
                },
                "bad denied_by_policy",
            ),
            (
                "only watched",
                |a, _| a.decisions.push(Decision { enforced: false, ..denied(By::Policy) }),
                "good executed",
            ),
            (
                "guessed",
                |a, _| a.decisions.push(Decision { witness: inferred(Role::Gateway), ..denied(By::Policy) }),
                "good executed",
            ),
            (
                "asked after the denial",
                |a, _| {
                    a.state = State::Asked;
                    a.decisions =
                        vec![denied(By::Policy), Decision { at: at(4), ..decision(Outcome::Ask, By::Policy) }];
                },
                "bad denied_by_policy",
            ),
            (
                "timed out",
                |a, _| {
                    a.state = State::Expired;
                    a.decisions.push(decision(Outcome::Timeout, By::System));
                },
                "-",
            ),
            (
                "a retry",
                |a, _| {
                    a.state = State::Refused(By::Policy);
                    a.retry_of = Some(a.id);
                },
                "-",
            ),
        ],
    );
}

#[test]
fn lineage_is_complete_when_the_profile_is_there() {
    let rules = "envelope: full\nprofile: [intent, tool, output, post_check]\n";
    table(Sli::LineageComplete, "", &[("no profile", |_, _| {}, "unknown no_profile")]);
    table(
        Sli::LineageComplete,
        rules,
        &[
            ("all there", |_, _| {}, "good complete"),
            (
                "fields outside the profile do not matter",
                |a, _| _ = a.fields.insert(Field::Policy, Known::ABSENT),
                "good complete",
            ),
            ("absent", |a, _| _ = a.fields.insert(Field::Intent, Known::ABSENT), "bad missing_intent"),
            ("lost", |a, _| _ = a.fields.insert(Field::Output, Known::Missing(Missing::Lost)), "bad missing_output"),
            ("nobody filled it in", |a, _| _ = a.fields.remove(&Field::Tool), "bad missing_tool"),
            (
                "pending",
                |a, _| _ = a.fields.insert(Field::PostCheck, Known::Missing(Missing::Pending)),
                "unknown pending",
            ),
            (
                "withheld",
                |a, _| _ = a.fields.insert(Field::Intent, Known::Missing(Missing::Withheld)),
                "unknown withheld",
            ),
            (
                "absent outweighs withheld",
                |a, _| {
                    a.fields.insert(Field::Intent, Known::Missing(Missing::Withheld));
                    a.fields.insert(Field::Tool, Known::ABSENT);
                },
                "bad missing_tool",
            ),
            ("sampled", |a, _| a.marks.sampled = true, "unknown sampled"),
            (
                "what did not run has no output",
                |a, _| {
                    a.state = State::Refused(By::Policy);
                    a.fields.insert(Field::Output, Known::ABSENT);
                    a.fields.insert(Field::PostCheck, Known::ABSENT);
                },
                "good complete",
            ),
        ],
    );
}

fn found(rules: &str, change: fn(&mut Action)) -> Vec<Finding> {
    let (mut action, turn, rules) = (sample::action(), sample::turn(), rules_of(rules));
    change(&mut action);
    at_once(&Context::alone(&rules, &turn), &action)
}

#[test]
fn findings_are_as_loud_as_the_evidence_allows() {
    let proven: fn(&mut Action) = |_| {};
    let unproven: fn(&mut Action) = |action| action.state = State::Executed(Execution::UnknownResult);
    let refused: fn(&mut Action) = |action| action.state = State::Refused(By::Policy);
    for (mode, change, want) in [
        ("enforce", proven, ("envelope.prod.no-deletes", Severity::Page)),
        ("warn", proven, ("envelope.prod.no-deletes", Severity::Ticket)),
        ("shadow", proven, ("envelope.prod.no-deletes", Severity::Info)),
        ("enforce", unproven, ("envelope.prod.no-deletes", Severity::Ticket)),
        ("shadow", unproven, ("envelope.prod.no-deletes", Severity::Info)),
        ("enforce", refused, ("envelope.prod.no-deletes.attempt", Severity::Info)),
        ("warn", refused, ("envelope.prod.no-deletes.attempt", Severity::Info)),
    ] {
        let rules = FREEZE.replace("effect:", &format!("mode: {mode}\n    effect:"));
        let found = found(&rules, change);
        assert_eq!(found.iter().map(|f| (&*f.rule, f.severity)).collect::<Vec<_>>(), [want], "{mode}");
    }
    assert!(found("", proven).is_empty() && found(FREEZE, |a| a.target = Known::ABSENT).is_empty());
}

#[test]
fn a_finding_says_what_where_and_why() {
    let [finding] = &found(FREEZE, |_| {})[..] else { panic!("one rule, one finding") };
    let want = "`delete_row` on `pg://prod/accounts` ran, and envelope `prod` forbids it (`no-deletes`): freeze";
    assert_eq!(&*finding.message, want);
    assert_eq!((&finding.evidence[..], finding.at), (&[sample::record(0x50)][..], at(6)));
}

#[test]
fn a_finding_keeps_its_id_while_evidence_grows() {
    let first = &found(FREEZE, |_| {})[0];
    let grown = &found(FREEZE, |action| {
        action.revision = 9;
        action.id = crate::model::ActionId([9; 16]);
        action.pieces.push(sample::ran(0x51));
        action.keys.push(Key::Mcp("session".into(), "1".into()));
    })[0];
    assert_eq!(first.id, grown.id);
    let elsewhere = &found(FREEZE, |action| action.tenant = crate::model::Tenant::new("other"))[0];
    let attempt = &found(FREEZE, |action| action.state = State::Proposed)[0];
    assert!(first.id != elsewhere.id && first.id != attempt.id);
}

#[test]
fn violations_are_enforced_and_proven() {
    let count = |rules: &str, change: fn(&mut Action)| {
        let (mut action, turn, rules) = (sample::action(), sample::turn(), rules_of(rules));
        change(&mut action);
        violated(&Context::alone(&rules, &turn), &action).len()
    };
    assert_eq!(count(FREEZE, |_| {}), 1);
    assert_eq!(count(FREEZE, |action| action.state = State::Executed(Execution::UnknownResult)), 0);
    assert_eq!(count(FREEZE, |action| action.state = State::Asked), 0);
    assert_eq!(count(&FREEZE.replace("effect:", "mode: warn\n    effect:"), |_| {}), 0);
}

#[test]
fn a_tombstone_is_not_judged() {
    let (mut action, turn, rules) = (sample::action(), sample::turn(), rules_of(FREEZE));
    action.merged_into = Some(action.id);
    assert_eq!(judge(&Context::alone(&rules, &turn), &action), (Vec::new(), Vec::new()));
}

#[test]
fn the_table_has_one_validator_for_each_sli() {
    let slis: Vec<Sli> = VALIDATORS.iter().map(|validator| validator.sli()).collect();
    assert_eq!(slis, Sli::ALL);
}

// What holds for every action.

fn witnesses() -> impl Strategy<Value = Option<Witness>> {
    let roles = prop::sample::select(vec![
        Role::Unspecified,
        Role::Agent,
        Role::Gateway,
        Role::PolicyEngine,
        Role::Evaluator,
        Role::HumanChannel,
    ]);
    let provenances = prop::sample::select(vec![Provenance::Inferred, Provenance::Computed, Provenance::Explicit]);
    let services = prop::sample::select(vec!["ops", "evals", ""]);
    prop::option::of(
        (roles, provenances, services, any::<u8>())
            .prop_map(|(role, provenance, name, number)| Witness { provenance, ..witness(number, role, name) }),
    )
}

fn decisions() -> impl Strategy<Value = Decision> {
    let outcome = prop::sample::select(Outcome::ALL);
    let by = prop::sample::select(By::ALL);
    let digest =
        prop::sample::select(vec![None, sample::action().arguments.value().map(|t| t.digest), Some(text("x").digest)]);
    (outcome, by, 0_u64..9, witnesses(), any::<(bool, bool)>(), digest).prop_map(
        |(outcome, by, second, witness, (enforced, standing), parameters)| Decision {
            at: at(second),
            witness,
            enforced,
            standing,
            parameters,
            ..decision(outcome, by)
        },
    )
}

fn checks() -> impl Strategy<Value = Check> {
    let name = prop::sample::select(vec![intent_alignment::NAME, "row_is_gone"]);
    let result = prop::sample::select(CheckResult::ALL);
    let phase = prop::sample::select(Phase::ALL);
    (name, result, phase, witnesses()).prop_map(|(name, result, phase, witness)| Check {
        phase,
        witness,
        ..check(name, result)
    })
}

fn states() -> impl Strategy<Value = State> {
    prop_oneof![
        4 => Just(State::Executed(Execution::Ok)),
        1 => Just(State::Executed(Execution::Failed("x".into()))),
        1 => Just(State::Executed(Execution::UnknownResult)),
        1 => Just(State::Proposed),
        1 => Just(State::Asked),
        1 => Just(State::Aborted),
        1 => Just(State::Expired),
        1 => prop::sample::select(By::ALL).prop_map(State::Refused),
    ]
}

fn actions() -> impl Strategy<Value = Action> {
    let fields = prop::collection::btree_map(
        prop::sample::select(Field::ALL),
        prop::sample::select(vec![
            Known::Value(()),
            Known::ABSENT,
            Known::Missing(Missing::Withheld),
            Known::Missing(Missing::Pending),
        ]),
        0..8,
    );
    let parts = (states(), prop::collection::vec(decisions(), 0..4), prop::collection::vec(checks(), 0..4), fields);
    (parts, any::<bool>()).prop_map(|((state, decisions, checks, fields), forbidden)| {
        let mut action = Action { state, decisions, checks, fields, ..called() };
        if !forbidden {
            action.effect = Known::Value((Effect::Read, Provenance::Dialect));
        }
        action
    })
}

fn turns() -> impl Strategy<Value = Turn> {
    let texts = prop::sample::select(vec![
        r#"[{"tool":"delete_row"}]"#,
        r#"[{"tool":"read_row"}]"#,
        r#"{"steps":[{"tool":"delete_row","arguments":{"id":7,"table":"accounts"}}]}"#,
        "prose",
    ]);
    (prop::option::of(texts), prop::collection::vec(decisions(), 0..3)).prop_map(|(plan, plan_decisions)| {
        let plan = Known::or_absent(plan.map(|plan| shared(0x40, PlanText { id: None, text: text(plan) })));
        Turn { plan, plan_decisions, ..sample::turn() }
    })
}

fn value(sli: Sli, rules: &Rules, action: &Action, turn: &Turn) -> Option<Value> {
    let (verdicts, _) = judge(&Context::alone(rules, turn), action);
    verdicts.iter().find(|verdict| verdict.sli == sli).map(|verdict| verdict.value)
}

/// FREEZE with a profile.
fn strict() -> Rules {
    rules_of(&format!("{FREEZE}profile: [intent, tool, output]\n"))
}

proptest! {
    #[test]
    fn the_agents_own_word_is_never_good(mut action in actions(), mut turn in turns()) {
        for witness in action.checks.iter_mut().map(|check| &mut check.witness)
            .chain(action.decisions.iter_mut().map(|decision| &mut decision.witness))
            .chain(turn.plan_decisions.iter_mut().map(|decision| &mut decision.witness))
        {
            *witness = own();
        }
        for sli in [Sli::IntentAlignment, Sli::OutcomeValidation] {
            prop_assert_ne!(value(sli, &strict(), &action, &turn), Some(Value::Good));
        }
    }

    #[test]
    fn without_any_statement_nothing_is_good_or_bad(mut action in actions(), mut turn in turns()) {
        action.checks.clear();
        action.decisions.clear();
        turn.plan_decisions.clear();
        for sli in [Sli::IntentAlignment, Sli::OutcomeValidation] {
            prop_assert!(matches!(value(sli, &Rules::default(), &action, &turn), None | Some(Value::Unknown)));
        }
    }

    #[test]
    fn guesses_change_no_verdict(
        mut action in actions(), mut turn in turns(), check in checks(), decision in decisions(),
    ) {
        let before = judge(&Context::alone(&strict(), &turn), &action);
        action.checks.push(Check { witness: inferred(Role::Evaluator), ..check });
        let guess = Decision { witness: inferred(Role::HumanChannel), ..decision };
        // An inferred modification still spoils an approval: a guess may excuse, never make good.
        prop_assume!(guess.outcome != Outcome::Modify);
        action.decisions.push(guess.clone());
        turn.plan_decisions.push(guess);
        prop_assert_eq!(judge(&Context::alone(&strict(), &turn), &action), before);
    }

    #[test]
    fn what_a_check_failed_no_statement_makes_good(mut action in actions(), turn in turns(), more in checks()) {
        action.state = State::Executed(Execution::Ok);
        action.checks.push(checked(CheckResult::Fail, pass()));
        action.checks.push(aligned(CheckResult::Fail, pass()));
        action.checks.push(more);
        for sli in [Sli::IntentAlignment, Sli::OutcomeValidation] {
            prop_assert_eq!(value(sli, &strict(), &action, &turn), Some(Value::Bad));
        }
    }

    #[test]
    fn losing_a_good_word_never_makes_good(
        mut action in actions(), turn in turns(), which in any::<prop::sample::Index>(),
    ) {
        let rules = strict();
        let before = value(Sli::OutcomeValidation, &rules, &action, &turn);
        let passes = |i: &usize| action.checks[*i].result != CheckResult::Fail;
        let passes: Vec<usize> = (0..action.checks.len()).filter(passes).collect();
        prop_assume!(!passes.is_empty() && before != Some(Value::Good));
        action.checks.remove(*which.get(&passes));
        prop_assert_ne!(value(Sli::OutcomeValidation, &rules, &action, &turn), Some(Value::Good));
    }

    #[test]
    fn the_agents_own_allow_outweighs_no_denial_of_another(
        mut action in actions(), turn in turns(), by in prop::sample::select(By::ALL), second in 0_u64..9,
    ) {
        // Of what it denied itself it may think better.
        let is_own = |it: &Decision| !is_independent(it.witness.as_ref(), &sample::action());
        let own_denial = |it: &Decision| it.outcome == Outcome::Deny && is_own(it);
        action.decisions.retain(|it| !own_denial(it));
        action.decisions.push(denied(By::Policy));
        let verdicts = |action: &Action| {
            [Sli::IntentAlignment, Sli::DeniedActions].map(|sli| value(sli, &strict(), action, &turn))
        };
        let before = verdicts(&action);
        action.decisions.push(permitted(second, by, own()));
        for (before, after) in before.into_iter().zip(verdicts(&action)) {
            prop_assert!(after != Some(Value::Good) || before == Some(Value::Good), "{before:?}, then {after:?}");
            prop_assert!(before != Some(Value::Bad) || after == Some(Value::Bad), "{before:?}, then {after:?}");
        }
    }

    #[test]
    fn losing_an_approval_never_makes_intent_good(
        mut action in actions(), mut turn in turns(), approval in decisions(),
    ) {
        let rules = strict();
        // With a plan, a call that is not approved any more may still be in the plan: another rung, another answer.
        turn.plan = Known::ABSENT;
        let without = value(Sli::IntentAlignment, &rules, &action, &turn);
        action.decisions.push(Decision { outcome: Outcome::Allow, by: By::Human, ..approval });
        let with = value(Sli::IntentAlignment, &rules, &action, &turn);
        prop_assert!(without != Some(Value::Good) || with == Some(Value::Good), "{without:?} without, {with:?} with");
    }

    #[test]
    fn only_a_proven_execution_is_good_or_pages(action in actions(), turn in turns()) {
        let rules = strict();
        let (verdicts, findings) = judge(&Context::alone(&rules, &turn), &action);
        if !action.state.is_proven_execution() {
            // An approval may have been read although nothing came of it.
            let of_runs = |sli| !matches!(sli, Sli::LineageComplete | Sli::ApprovalReviewed);
            for verdict in verdicts.iter().filter(|verdict| of_runs(verdict.sli)) {
                prop_assert_ne!(verdict.value, Value::Good, "{}", verdict.reason);
            }
            prop_assert!(findings.iter().all(|finding| finding.severity != Severity::Page));
        }
    }

    #[test]
    fn every_verdict_has_a_reason_and_a_sentence(action in actions(), turn in turns()) {
        let rules = strict();
        for verdict in judge(&Context::alone(&rules, &turn), &action).0 {
            prop_assert!(verdict.reason.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", verdict.reason);
            prop_assert!(!verdict.because.is_empty() && !verdict.because.ends_with('.'));
        }
    }

    #[test]
    fn order_of_statements_does_not_matter(action in actions(), turn in turns()) {
        let rules = strict();
        let mut turned = action.clone();
        turned.checks.reverse();
        turned.decisions.reverse();
        let strip = |action: &Action| -> Vec<(Sli, Value)> {
            let (verdicts, _) = judge(&Context::alone(&rules, &turn), action);
            verdicts.into_iter().map(|verdict| (verdict.sli, verdict.value)).collect()
        };
        prop_assert_eq!(strip(&action), strip(&turned));
    }
}

/// A rule of each kind that somebody's word can satisfy.
fn rich() -> Rules {
    rules_of(
        "
envelope: rich
approval: [{ id: deletes, effect: delete }]
two_phase: [{ id: planned, tool: delete_row }]
hold: [{ id: wait, effect: delete }]
invariant: [{ id: gone, tool: delete_row, holds: \"output != null\" }]
profile: [intent, tool]
",
    )
}

/// A word about the call: a decision, a check, or a decision about the plan.
fn words() -> impl Strategy<Value = (u8, Decision, Check)> {
    (0_u8..3, decisions(), checks())
}

fn say((kind, decision, check): (u8, Decision, Check), by: Option<Witness>, action: &mut Action, turn: &mut Turn) {
    match kind {
        0 => action.decisions.push(Decision { witness: by, ..decision }),
        1 => turn.plan_decisions.push(Decision { witness: by, ..decision }),
        _ => action.checks.push(Check { witness: by, ..check }),
    }
}

proptest! {
    /// An allow by a human, a plan's approval, a passing check: whatever the agent itself says, it makes nothing good.
    #[test]
    fn a_forged_report_of_the_agent_makes_nothing_good(
        mut action in actions(), mut turn in turns(), word in words(), granting in any::<bool>(),
    ) {
        let rules = if granting { rich() } else { strict() };
        // Of what it denied itself, or modified, it may think better.
        action.decisions.retain(|it| is_independent(it.witness.as_ref(), &sample::action()));
        turn.plan_decisions.retain(|it| is_independent(it.witness.as_ref(), &sample::action()));
        let before: Vec<_> = Sli::ALL.iter().map(|sli| value(*sli, &rules, &action, &turn)).collect();
        say(word, own(), &mut action, &mut turn);
        for (sli, before) in Sli::ALL.iter().zip(before) {
            let after = value(*sli, &rules, &action, &turn);
            prop_assert!(after != Some(Value::Good) || before == Some(Value::Good), "{sli}: {before:?}, then {after:?}");
        }
    }

    /// What was unknown becomes good only by evidence that the verdict names.
    #[test]
    fn what_becomes_good_names_what_decided(
        action in actions(), turn in turns(), word in words(), granting in any::<bool>(),
    ) {
        const NEW: u8 = 0xee;
        let rules = if granting { rich() } else { strict() };
        let (mut told, mut planned) = (action.clone(), turn.clone());
        say(word, Some(witness(NEW, Role::HumanChannel, "desk")), &mut told, &mut planned);
        let (verdicts, _) = judge(&Context::alone(&rules, &planned), &told);
        for verdict in verdicts.iter().filter(|verdict| verdict.value == Value::Good) {
            if value(verdict.sli, &rules, &action, &turn) == Some(Value::Unknown) {
                prop_assert!(verdict.evidence.contains(&sample::record(NEW)), "{verdict:?}");
            }
        }
    }
}

/// What is learnt is asked for together with what an envelope names; what is not learnt yet is unknown.
#[test]
fn a_learnt_profile_is_asked_for_and_an_envelope_tightens_it() {
    let shown = |fields: &[Field]| Learnt::Fields(fields.iter().copied().collect());
    let full = "envelope: full\nprofile: [intent, policy]\n";
    for (rules, learnt, missing, want) in [
        ("", Learnt::Off, None, "unknown no_profile"),
        ("", shown(&[]), None, "unknown not_learnt"),
        ("", shown(&[Field::Tool]), None, "good complete"),
        ("", shown(&[Field::Tool]), Some(Field::Target), "good complete"),
        ("", shown(&[Field::Tool, Field::Target]), Some(Field::Target), "bad missing_target"),
        (full, shown(&[]), None, "good complete"),
        (full, shown(&[Field::Tool]), Some(Field::Policy), "bad missing_policy"),
        (full, shown(&[Field::Tool]), Some(Field::Tool), "bad missing_tool"),
        (full, Learnt::Off, Some(Field::Tool), "good complete"),
    ] {
        let rules = match rules {
            "" => Rules::default(),
            text => crate::envelope::parse(&[("full.yaml", text)]).expect("an envelope"),
        };
        let (mut action, turn) = (called(), sample::turn());
        action.fields.extend(missing.map(|field| (field, Known::ABSENT)));
        let (verdicts, _) = judge(&Context::new(&rules, &turn, &learnt, &Around::default()), &action);
        let verdict = verdicts.iter().find(|verdict| verdict.sli == Sli::LineageComplete).expect("it applies");
        assert_eq!(format!("{} {}", verdict.value, verdict.reason), want, "{learnt:?} {missing:?}");
    }
}
