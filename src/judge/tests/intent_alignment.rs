//! Golden table of `intent_alignment`: nothing said, evaluations, grants, what is not proven, and what is final.
//! Approvals and plans, rungs 2 and 3, have files of their own.

use super::*;
use crate::model::sample::service;
use crate::model::{Execution, State};

#[test]
fn an_evaluation_answers_first() {
    table(
        Sli::IntentAlignment,
        "",
        &[
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
        ],
    );
}

#[test]
fn a_grant_answers_last() {
    table(
        Sli::IntentAlignment,
        "",
        &[
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
