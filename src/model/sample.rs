//! Nouns with nothing unusual about them, for tests to change.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;

/// A record by its number.
pub(crate) fn record(number: u8) -> EvidenceId {
    EvidenceId([number; 16])
}

/// Seconds after 2026-11-20T06:30:00Z.
pub(crate) fn at(seconds: u64) -> Nanos {
    Nanos(1_795_156_200_000_000_000) + Span::seconds(seconds)
}

/// A service by its name, in the namespace `shop`.
pub(crate) fn service(name: &str) -> Service {
    Service { namespace: "shop".into(), name: name.into() }
}

/// A text that is whole.
pub(crate) fn text(whole: &str) -> Text {
    crate::values::text(whole).0
}

/// Somebody who says so in a producer's convention.
pub(crate) fn witness(number: u8, role: Role, name: &str) -> Witness {
    Witness { evidence: record(number), role, service: service(name), provenance: Provenance::Dialect }
}

/// An enforced decision, once, by a policy engine at second 3.
pub(crate) fn decision(outcome: Outcome, by: By) -> Decision {
    let witness = Some(witness(0x30, Role::PolicyEngine, "gate"));
    Decision { witness, ..Decision::new(at(3), outcome, by, outcome.as_str().into()) }
}

/// A check after the action by an evaluator at second 8.
pub(crate) fn check(name: &str, result: CheckResult) -> Check {
    let witness = Some(witness(0x80, Role::Evaluator, "probe"));
    let check = Check::new(at(8), name.into(), result, result.as_str().into());
    Check { phase: Phase::PostAction, witness, ..check }
}

/// `delete_row` on `pg://prod/accounts` by the agent `janitor` of `shop/ops`; ran from second 5 to 6.
pub(crate) fn action() -> Action {
    let turn = TurnId([7; 16]);
    Action {
        id: ActionId([0xa1; 16]),
        revision: 1,
        tenant: Tenant::default(),
        keys: vec![Key::Span(TraceId([0x11; 16]), SpanId([0x22; 8])), Key::Call(turn, "call_1".into())],
        merged_into: None,
        turn,
        turns: vec![turn],
        service: service("ops"),
        service_version: None,
        agent: Known::Value(("janitor".into(), Some("1.4".into()))),
        call_id: Some("call_1".into()),
        tool: Known::Value("delete_row".into()),
        arguments: Known::Value(text(r#"{"table":"accounts","id":7}"#)),
        target: Known::Value(("pg://prod/accounts".into(), Provenance::Dialect)),
        effect: Known::Value((Effect::Delete, Provenance::Dialect)),
        egress: Known::ABSENT,
        tool_version: None,
        output: Known::Value(text("1 row deleted")),
        state: State::Executed(Execution::Ok),
        plan_step: None,
        state_versions: None,
        start: at(5),
        end: at(6),
        decisions: Vec::new(),
        checks: Vec::new(),
        context: Known::Value(1),
        policy: Known::ABSENT,
        joins: Vec::new(),
        retry_of: None,
        marks: Marks::default(),
        fields: Field::ALL.iter().map(|field| (*field, Known::Value(()))).collect::<BTreeMap<_, _>>(),
        pieces: vec![ran(0x50)],
        judged_by: None,
        verdicts: Vec::new(),
        findings: Vec::new(),
    }
}

/// The tool span of [`action`].
pub(crate) fn ran(number: u8) -> Piece {
    Piece {
        end: at(6),
        evidence: record(number),
        part: 0,
        read_at: 0,
        start: at(5),
        dialect: "otel".into(),
        instrumentation: "samples@1.0".into(),
        service_version: None,
        provenance: Provenance::Dialect,
        role: Role::Unspecified,
        service: service("ops"),
        turn: TurnId([7; 16]),
        span: Some((TraceId([0x11; 16]), SpanId([0x22; 8]))),
        agent: Some(("janitor".into(), Some("1.4".into()))),
        says: Says::Call(Box::new(CallSays {
            moment: Moment::Ran { status: Status::Fine, proof: Proof::Ran },
            id: Some("call_1".into()),
            tool: Some("delete_row".into()),
            arguments: Known::ABSENT,
            result: Known::ABSENT,
            target: None,
            effect: None,
            egress: None,
            plan_step: None,
            state_versions: None,
            policies: Vec::new(),
            pseudo: None,
            response_id: None,
        })),
    }
}

/// The turn of [`action`]: a user asked `janitor` to clean up; no plan, no policy.
pub(crate) fn turn() -> Turn {
    Turn {
        id: TurnId([7; 16]),
        revision: 1,
        tenant: Tenant::default(),
        trace: Some(TraceId([0x11; 16])),
        conversation: Some(shared(1, (ConversationId([0xc0; 16]), "conv-1".into()))),
        service: service("ops"),
        agent: Some(shared(1, ("janitor".into(), Some(Arc::from("1.4"))))),
        intent: Known::Value(shared(1, text("Remove account 7, the customer asked for it."))),
        intent_id: None,
        prompt: Known::Value(shared(2, text("You keep the shop's tables tidy."))),
        prompt_version: None,
        policies: Vec::new(),
        modes: Vec::new(),
        root: None,
        task: None,
        stands: Vec::new(),
        context: vec![(at(2), Known::Value(vec!["doc-7".into()]))],
        plan: Known::ABSENT,
        plans: Vec::new(),
        plan_decisions: Vec::new(),
        models: vec![ModelUse {
            end: at(2),
            provider: "openai".into(),
            model: "gpt-5.2".into(),
            tokens: (1200, 85),
            response_id: Some("resp_1".into()),
            cost: None,
        }],
        delegations: Vec::new(),
        edges: Vec::new(),
        containment: Vec::new(),
        root_ended: Some(at(9)),
        closed: true,
        sampled: false,
        withheld: false,
        start: at(0),
        end: at(9),
    }
}

/// A value that a turn shares, said at second 1 by a record.
pub(crate) fn shared<T>(number: u8, value: T) -> Shared<T> {
    Shared { value, provenance: Provenance::Dialect, evidence: record(number), at: at(1) }
}
