//! Golden table of `denied_actions`: whose word was the last.

use super::*;
use crate::model::{Execution, State};

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
