//! Arbitrary calls and turns, each built by changing the sample: for properties of the judge alone.

use proptest::prelude::*;

use super::*;
use crate::model::{Effect, Execution, Field, Missing, State};

pub(super) fn witnesses() -> impl Strategy<Value = Option<Witness>> {
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

pub(super) fn decisions() -> impl Strategy<Value = Decision> {
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

pub(super) fn checks() -> impl Strategy<Value = Check> {
    let name = prop::sample::select(vec![INTENT, "row_is_gone"]);
    let result = prop::sample::select(CheckResult::ALL);
    let phase = prop::sample::select(Phase::ALL);
    (name, result, phase, witnesses()).prop_map(|(name, result, phase, witness)| Check {
        phase,
        witness,
        ..check(name, result)
    })
}

pub(super) fn states() -> impl Strategy<Value = State> {
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

pub(super) fn actions() -> impl Strategy<Value = Action> {
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

pub(super) fn turns() -> impl Strategy<Value = Turn> {
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

pub(super) fn value(sli: Sli, rules: &Rules, action: &Action, turn: &Turn) -> Option<Value> {
    let (verdicts, _) = judge(&Context::alone(rules, turn), action);
    verdicts.iter().find(|verdict| verdict.sli == sli).map(|verdict| verdict.value)
}

/// FREEZE with a profile.
pub(super) fn strict() -> Rules {
    rules_of(&format!("{FREEZE}profile: [intent, tool, output]\n"))
}

/// A rule of each kind that somebody's word can satisfy.
pub(super) fn rich() -> Rules {
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
pub(super) fn words() -> impl Strategy<Value = (u8, Decision, Check)> {
    (0_u8..3, decisions(), checks())
}

pub(super) fn say(
    (kind, decision, check): (u8, Decision, Check),
    by: Option<Witness>,
    action: &mut Action,
    turn: &mut Turn,
) {
    match kind {
        0 => action.decisions.push(Decision { witness: by, ..decision }),
        1 => turn.plan_decisions.push(Decision { witness: by, ..decision }),
        _ => action.checks.push(Check { witness: by, ..check }),
    }
}
