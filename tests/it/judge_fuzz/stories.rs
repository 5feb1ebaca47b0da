//! Plain stories in which all goes well: what arbitrary records are put among, and what one record is taken from.
//! Chance alone hardly ever tells of a plan, its approval and the run in that order.

use wherefore::model::{By, Call, CheckResult, Decision, Effect, Evidence, Known, Moment, Node, Outcome, Role, What};
use wherefore::values;

use super::records::ARGUMENTS;
use crate::lineage::{a_call, a_denial, call, checked, ran, service, span};

/// A story by its number: none, one that ran, one that was checked, one that was approved, one that was planned.
pub fn story(which: u8) -> Vec<Evidence> {
    let all: [fn() -> Vec<Evidence>; 5] = [Vec::new, || vec![run()], was_checked, was_approved, was_planned];
    all[usize::from(which) % all.len()]()
}

fn was_checked() -> Vec<Evidence> {
    let passed = |name, second| checked(name, CheckResult::Pass, second, Some("c1"));
    let checks = vec![passed("row_is_gone", 25), passed("intent_alignment", 25)];
    vec![run(), by(Role::Evaluator, "probe", span(102, 1, Node::Check, (25, 25), checks))]
}

fn was_approved() -> Vec<Evidence> {
    let asked = Decision { outcome: Outcome::Ask, by: By::Policy, ..a_denial(2, Some("c1")) };
    let allowed = Decision { outcome: Outcome::Allow, by: By::Human, ..a_denial(12, Some("c1")) };
    let proposed = a_call(Moment::Proposed, Some("c1"), "delete_row", Some(ARGUMENTS));
    vec![
        span(101, 1, Node::Model, (0, 1), vec![call(proposed)]),
        by(Role::PolicyEngine, "gate", decided(103, 2, asked)),
        by(Role::HumanChannel, "desk", decided(104, 12, allowed)),
        run(),
    ]
}

fn was_planned() -> Vec<Evidence> {
    let plan = r#"[{"tool":"delete_row","target":"pg://prod/accounts"}]"#;
    let text = Known::Value(values::text(plan).0);
    let agreed = Decision { outcome: Outcome::Allow, by: By::Human, plan: Some("p1".into()), ..a_denial(3, None) };
    vec![
        span(105, 1, Node::Plan, (1, 1), vec![What::Plan { id: Some("p1".into()), text }]),
        by(Role::HumanChannel, "desk", decided(106, 3, agreed)),
        run(),
    ]
}

fn run() -> Evidence {
    let told = Call {
        target: Some("pg://prod/accounts".into()),
        effect: Some(Effect::Delete),
        ..ran(Some("c1"), "delete_row", Some(ARGUMENTS))
    };
    span(107, 1, Node::Tool, (20, 22), vec![call(told)])
}

fn decided(number: u32, second: u64, decision: Decision) -> Evidence {
    span(number, 1, Node::Log, (second, second), vec![What::Decision(Box::new(decision))])
}

fn by(role: Role, name: &str, evidence: Evidence) -> Evidence {
    Evidence { role, service: service(name), ..evidence }
}
