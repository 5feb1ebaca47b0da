//! Golden table of `outcome_validation`: what checks after the action found.

use super::*;
use crate::model::{Execution, State};

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
