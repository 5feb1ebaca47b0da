//! Golden table of `plan_commit`: plan, approval, execution in that order, and every single disturbance of it.
//!
//! From the table of SLIs: bad is a risky call without plan, diff, approval and execution in that order, one that is
//! not declared, and one that was changed after the approval. The sample runs in second 5; in order, its plan is of
//! second 1 and the approval of second 3.

use super::*;
use crate::model::{Execution, Shared, State};

/// A plan of the sample call, and of others.
const THIS: &str = r#"[{"tool":"delete_row","target":"pg://prod/accounts","arguments":{"table":"accounts","id":7}}]"#;
const OTHER_TOOL: &str = r#"[{"tool":"read_row"}]"#;
const OTHER_TARGET: &str = r#"[{"tool":"delete_row","target":"pg://prod/bills"}]"#;
const OTHER_ID: &str = r#"[{"tool":"delete_row","arguments":{"table":"accounts","id":8}}]"#;

fn planned(s: &mut Setting, second: u64, plan: &str) {
    let plan = shared(0x40 + second as u8, PlanText { id: None, text: text(plan) });
    s.turn.plans.push(Shared { at: at(second), ..plan });
}

fn agreed(s: &mut Setting, second: u64, outcome: Outcome) {
    s.turn.plan_decisions.push(Decision { at: at(second), outcome, ..allowed(human()) });
}

/// Planned and approved as it ran, but for what a row changes after.
fn in_order(s: &mut Setting) {
    planned(s, 1, THIS);
    agreed(s, 3, Outcome::Allow);
}

/// Every row under a rule that is enforced.
const RULE: &str = "two_phase: [{ id: r, tool: delete_row }]";

#[test]
fn plan_approval_and_execution_come_in_that_order() {
    golden(
        Sli::PlanCommit,
        RULE,
        &[
            ("in order", in_order, "good as_planned by r", ""),
            (
                "approved in the moment it began",
                |s| {
                    planned(s, 1, THIS);
                    agreed(s, 5, Outcome::Allow);
                },
                "good as_planned by r",
                "",
            ),
            (
                "failed",
                |s| {
                    in_order(s);
                    s.action.state = State::Executed(Execution::Failed("x".into()));
                },
                "good as_planned by r",
                "",
            ),
            ("no plan, no approval", |_| {}, "bad no_plan by r", "page plan.no_plan"),
            ("no plan", |s| agreed(s, 3, Outcome::Allow), "bad no_plan by r", "page plan.no_plan"),
            ("no approval", |s| planned(s, 1, THIS), "bad no_approved_plan by r", "page plan.no_approved_plan"),
            (
                "executed before the approval",
                |s| {
                    planned(s, 1, THIS);
                    agreed(s, 6, Outcome::Allow);
                },
                "bad executed_before_approval by r",
                "page plan.executed_before_approval",
            ),
            (
                "planned after the approval",
                |s| {
                    planned(s, 4, THIS);
                    agreed(s, 3, Outcome::Allow);
                },
                "bad plan_changed_after_approval by r",
                "page plan.plan_changed_after_approval",
            ),
            (
                "denied",
                |s| {
                    planned(s, 1, THIS);
                    agreed(s, 3, Outcome::Deny);
                },
                "bad no_approved_plan by r",
                "page plan.no_approved_plan",
            ),
            (
                "approved, then denied",
                |s| {
                    in_order(s);
                    agreed(s, 4, Outcome::Deny);
                },
                "bad no_approved_plan by r",
                "page plan.no_approved_plan",
            ),
            (
                "denied, then approved",
                |s| {
                    planned(s, 1, THIS);
                    agreed(s, 3, Outcome::Deny);
                    agreed(s, 4, Outcome::Allow);
                },
                "good as_planned by r",
                "",
            ),
            (
                "denied when it ran, approved after",
                |s| {
                    planned(s, 1, THIS);
                    agreed(s, 3, Outcome::Deny);
                    agreed(s, 8, Outcome::Allow);
                },
                "bad no_approved_plan by r",
                "page plan.no_approved_plan",
            ),
            (
                "approved exactly this call",
                |s| {
                    planned(s, 1, THIS);
                    s.decided(allowed_at(4));
                },
                "good as_planned by r",
                "",
            ),
        ],
    );
}

#[test]
fn what_runs_is_what_was_approved() {
    golden(
        Sli::PlanCommit,
        RULE,
        &[
            (
                "another tool",
                |s| {
                    planned(s, 1, OTHER_TOOL);
                    agreed(s, 3, Outcome::Allow);
                },
                "bad undeclared by r",
                "page plan.undeclared",
            ),
            (
                "another target",
                |s| {
                    planned(s, 1, OTHER_TARGET);
                    agreed(s, 3, Outcome::Allow);
                },
                "bad changed_after_approval by r",
                "page plan.changed_after_approval",
            ),
            (
                "other parameters",
                |s| {
                    planned(s, 1, OTHER_ID);
                    agreed(s, 3, Outcome::Allow);
                },
                "bad changed_after_approval by r",
                "page plan.changed_after_approval",
            ),
            (
                "only a plan after the approval has it",
                |s| {
                    planned(s, 1, OTHER_TOOL);
                    agreed(s, 3, Outcome::Allow);
                    planned(s, 4, THIS);
                },
                "bad plan_changed_after_approval by r",
                "page plan.plan_changed_after_approval",
            ),
            (
                "and that was approved, too",
                |s| {
                    planned(s, 1, OTHER_TOOL);
                    agreed(s, 2, Outcome::Allow);
                    planned(s, 3, THIS);
                    agreed(s, 4, Outcome::Allow);
                },
                "good as_planned by r",
                "",
            ),
            (
                "the approved plan has it, a later one does not",
                |s| {
                    in_order(s);
                    planned(s, 4, OTHER_TOOL);
                },
                "good as_planned by r",
                "",
            ),
            (
                "a plan that was replaced before the approval",
                |s| {
                    planned(s, 1, THIS);
                    planned(s, 2, OTHER_TOOL);
                    agreed(s, 3, Outcome::Allow);
                },
                "bad undeclared by r",
                "page plan.undeclared",
            ),
        ],
    );
}

#[test]
fn what_nobody_can_tell_is_unknown() {
    golden(
        Sli::PlanCommit,
        RULE,
        &[
            (
                "approved by the agent's word",
                |s| {
                    planned(s, 1, THIS);
                    s.turn.plan_decisions.push(allowed(own()));
                },
                "unknown self_reported by r",
                "",
            ),
            (
                "approved by a guess",
                |s| {
                    planned(s, 1, THIS);
                    s.turn.plan_decisions.push(allowed(inferred(Role::HumanChannel)));
                },
                "unknown approval_inferred by r",
                "",
            ),
            (
                "this call approved by a guess",
                |s| {
                    planned(s, 1, THIS);
                    s.decided(allowed(inferred(Role::HumanChannel)));
                },
                "unknown approval_inferred by r",
                "",
            ),
            (
                "planned by a guess",
                |s| {
                    in_order(s);
                    s.turn.plans[0].provenance = Provenance::Inferred;
                },
                "unknown plan_inferred by r",
                "",
            ),
            (
                "a plan in prose",
                |s| {
                    planned(s, 1, "delete it");
                    agreed(s, 3, Outcome::Allow);
                },
                "unknown plan_unreadable by r",
                "",
            ),
            (
                "a step in prose",
                |s| {
                    planned(s, 1, r#"[{"do":"tidy up"}]"#);
                    agreed(s, 3, Outcome::Allow);
                },
                "unknown plan_unclear by r",
                "",
            ),
            (
                "parameters that nobody told",
                |s| {
                    in_order(s);
                    s.withhold_parameters();
                },
                "unknown plan_unclear by r",
                "",
            ),
            ("more may come", |s| s.turn.closed = false, "unknown pending by r", ""),
            ("sampled", |s| s.action.marks.sampled = true, "unknown sampled by r", ""),
            ("the root is lost", |s| s.action.marks.root_lost = true, "unknown sampled by r", ""),
            ("withheld", |s| s.turn.withheld = true, "unknown withheld by r", ""),
            (
                "nothing proves that it ran",
                |s| s.action.state = State::Executed(Execution::UnknownResult),
                "unknown execution_not_proven by r",
                "",
            ),
        ],
    );
}

#[test]
fn it_is_asked_of_risky_calls_alone() {
    golden(
        Sli::PlanCommit,
        RULE,
        &[
            ("refused", |s| s.action.state = State::Refused(By::Human), "-", ""),
            ("another tool", |s| s.action.tool = Known::Value("get_row".into()), "-", ""),
            ("perhaps that tool", |s| s.action.tool = Known::ABSENT, "unknown tool_unknown by r", ""),
        ],
    );
    golden(
        Sli::PlanCommit,
        "two_phase: [{ id: r, effect: delete }]",
        &[
            ("nobody knows what it does", |s| s.action.effect = Known::ABSENT, "unknown effect_unknown by r", ""),
            ("a guess", |s| s.does(Effect::Delete, Provenance::Inferred), "unknown effect_inferred by r", ""),
        ],
    );
    for (mode, findings) in [("warn", "ticket plan.no_plan"), ("shadow", "info plan.no_plan")] {
        let rules = format!("two_phase: [{{ id: r, tool: delete_row, mode: {mode} }}]");
        golden(Sli::PlanCommit, &rules, &[(mode, |_| {}, "-", findings)]);
    }
    golden(
        Sli::PlanCommit,
        "profile: tool",
        &[
            ("nobody decided about a plan", |s| planned(s, 1, OTHER_TOOL), "-", ""),
            ("somebody did, and the call changes something", in_order, "good as_planned", ""),
            (
                "undeclared",
                |s| {
                    planned(s, 1, OTHER_TOOL);
                    agreed(s, 3, Outcome::Allow);
                },
                "bad undeclared",
                "ticket plan.undeclared",
            ),
            (
                "it only looks",
                |s| {
                    in_order(s);
                    s.does(Effect::Read, Provenance::Dialect);
                },
                "-",
                "",
            ),
        ],
    );
}
