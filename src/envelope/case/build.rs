//! The call and the turn of a unit test, as `lineage` would assemble them.
//!
//! What the test does not say is absent, and everything it does not time stands in the order of a usual turn: the user
//! speaks, a plan is made and approved, somebody is asked about the call and allows it, the call runs for a second.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::read::effect;
use crate::model::{
    Action, ActionId, By, CallSays, Decision, EvidenceId, Execution, Field, Key, Known, Marks, Moment, Nanos, Outcome,
    Piece, PlanText, Proof, Provenance, Role, Says, Service, Shared, Span, SpanId, State, Status, Tenant, Text,
    TraceId, Turn, TurnId, Witness,
};
use crate::values;
use crate::values::document::{Kind, Node, Page, Table};

/// When a call ended that does not say it: 2026-01-01T12:00:00Z.
const NOON: Nanos = Nanos(1_767_268_800_000_000_000);

const TURN: TurnId = TurnId([0x71; 16]);
const TRACE: TraceId = TraceId([0x72; 16]);
const SPAN: SpanId = SpanId([0x73; 8]);

const ACTION: &[&str] =
    &["agent", "service", "tool", "target", "parameters", "at", "state", "effect", "egress", "output", "approved"];

/// The states that a call can be in.
#[rustfmt::skip]
const STATES: &[(&str, fn() -> State)] = &[
    ("executed",       || State::Executed(Execution::Ok)),
    ("failed",         || State::Executed(Execution::Failed("error".into()))),
    ("refused",        || State::Refused(By::Policy)),
    ("proposed",       || State::Proposed),
    ("unknown_result", || State::Executed(Execution::UnknownResult)),
];

/// `action`: one call.
pub(super) fn action(page: &mut Page, node: &Node) -> Option<Action> {
    let table = page.table(node, "a call", ACTION)?;
    let words: Vec<&str> = STATES.iter().map(|(word, _)| *word).collect();
    let state = |word: &str| STATES.iter().find(|(known, _)| *known == word).map(|(_, state)| state());
    let state = page.maybe(table, "state", |page, node| page.word(node, &words, state));
    let end = page.maybe(table, "at", Page::point).unwrap_or(NOON);
    let service = Service {
        namespace: "".into(),
        name: page.maybe(table, "service", Page::text).unwrap_or_else(|| "service".into()),
    };
    let agent = page.maybe(table, "agent", Page::text);
    let said = |value: Option<_>| Known::or_absent(value.map(|value| (value, Provenance::Dialect)));
    let mut action = Action {
        id: ActionId([0x70; 16]),
        revision: 1,
        tenant: Tenant::default(),
        keys: vec![Key::Span(TRACE, SPAN)],
        merged_into: None,
        turn: TURN,
        turns: vec![TURN],
        service,
        service_version: None,
        agent: Known::or_absent(agent.map(|name| (name, None))),
        call_id: Some("call-1".into()),
        tool: Known::or_absent(page.maybe(table, "tool", Page::text)),
        arguments: Known::or_absent(page.maybe(table, "parameters", content)),
        target: said(page.maybe(table, "target", Page::text)),
        effect: Known::or_absent(page.maybe(table, "effect", effect).map(|effect| (effect, Provenance::Dialect))),
        egress: Known::or_absent(page.maybe(table, "egress", Page::flag).map(|it| (it, Provenance::Dialect))),
        tool_version: None,
        output: Known::or_absent(page.maybe(table, "output", content)),
        state: state.unwrap_or(State::Executed(Execution::Ok)),
        plan_step: None,
        state_versions: None,
        start: before(end, Span::seconds(1)),
        end,
        decisions: Vec::new(),
        checks: Vec::new(),
        context: Known::ABSENT,
        policy: Known::ABSENT,
        joins: Vec::new(),
        retry_of: None,
        marks: Marks::default(),
        fields: BTreeMap::new(),
        pieces: Vec::new(),
        judged_by: None,
        verdicts: Vec::new(),
        findings: Vec::new(),
    };
    if let State::Refused(by) = action.state {
        let witness = witness(3, Role::PolicyEngine, "policy");
        action.decisions.push(decision(Outcome::Deny, by, action.start, witness));
    }
    page.maybe(table, "approved", |page, node| approve(page, node, &mut action));
    action.pieces = pieces(&action);
    Some(action)
}

/// Parameters or an output: text as it is, anything else as JSON.
fn content(page: &mut Page, node: &Node) -> Option<Text> {
    let whole = match &node.kind {
        Kind::Text(text) => text.to_string(),
        _ => page.json(node)?.to_string(),
    };
    Some(values::text(&whole).0)
}

/// The records of the call: it was proposed, and it ran, as far as its state says so.
fn pieces(action: &Action) -> Vec<Piece> {
    let proposed = piece(action, 1, Moment::Proposed, before(action.start, Span::seconds(120)));
    let proof = match action.state {
        State::Executed(Execution::UnknownResult) => Proof::NeedsResult,
        _ => Proof::Ran,
    };
    let moment = match &action.state {
        State::Executed(Execution::Failed(error)) => Moment::Ran { status: Status::Error(Arc::clone(error)), proof },
        State::Executed(_) => Moment::Ran { status: Status::Fine, proof },
        State::Refused(by) => Moment::Refused { by: *by },
        _ => return vec![proposed],
    };
    vec![proposed, piece(action, 2, moment, action.end)]
}

fn piece(action: &Action, record: u8, moment: Moment, end: Nanos) -> Piece {
    let call = CallSays {
        moment,
        id: action.call_id.clone(),
        tool: action.tool.value().cloned(),
        arguments: action.arguments.clone(),
        result: Known::ABSENT,
        target: action.target.value().map(|(target, _)| Arc::clone(target)),
        effect: action.effect.value().map(|(effect, _)| *effect),
        egress: action.egress.value().map(|(egress, _)| *egress),
        plan_step: None,
        state_versions: None,
        policies: Vec::new(),
        pseudo: None,
        response_id: None,
    };
    Piece {
        end,
        evidence: EvidenceId([record; 16]),
        part: 0,
        read_at: 0,
        start: if end == action.end { action.start } else { end },
        dialect: "test".into(),
        instrumentation: "".into(),
        provenance: Provenance::Dialect,
        role: Role::Unspecified,
        service: action.service.clone(),
        service_version: None,
        turn: TURN,
        span: Some((TRACE, SPAN)),
        agent: action.agent.value().cloned(),
        says: Says::Call(Box::new(call)),
    }
}

/// `approved`: somebody was asked about the call, and allowed it a second before it ran.
fn approve(page: &mut Page, node: &Node, action: &mut Action) -> Option<()> {
    let table = page.table(node, "an approval", &["by", "principal", "after", "self_reported", "parameters"])?;
    let by = page.maybe(table, "by", by).unwrap_or(By::Human);
    let after = page.maybe(table, "after", Page::length).unwrap_or(Span::seconds(30));
    let own = page.maybe(table, "self_reported", Page::flag).unwrap_or_default();
    let witness = match own {
        true => Witness { service: action.service.clone(), ..witness(4, Role::Unspecified, "") },
        false => witness(4, Role::HumanChannel, "approvals"),
    };
    let at = before(action.start, Span::seconds(1));
    let approved = page.maybe(table, "parameters", content).or_else(|| action.arguments.value().cloned());
    let asked = decision(Outcome::Ask, By::System, before(at, after), witness.clone());
    let allowed = Decision {
        principal: page.maybe(table, "principal", Page::text),
        parameters: approved.map(|text| text.digest),
        ..decision(Outcome::Allow, by, at, witness)
    };
    action.decisions.extend([asked, allowed]);
    Some(())
}

fn by(page: &mut Page, node: &Node) -> Option<By> {
    page.word(node, &By::ALL.iter().map(|by| by.as_str()).collect::<Vec<_>>(), By::from_word)
}

fn decision(outcome: Outcome, by: By, at: Nanos, witness: Witness) -> Decision {
    let decided = Decision::new(at, outcome, by, outcome.as_str().into());
    Decision { call_id: Some("call-1".into()), witness: Some(witness), ..decided }
}

fn witness(record: u8, role: Role, service: &str) -> Witness {
    let service = Service { namespace: "".into(), name: service.into() };
    Witness { evidence: EvidenceId([record; 16]), role, service, provenance: Provenance::Dialect }
}

/// The turn: what the user said, and the plan.
pub(super) fn turn(page: &mut Page, table: Table<'_>) -> Turn {
    let intent = page.maybe(table, "user", Page::text).map(|words| shared(values::text(&words).0));
    let intent_id = page.maybe(table, "intent_id", Page::text).map(shared);
    let mut turn = Turn {
        revision: 1,
        trace: Some(TRACE),
        intent: Known::or_absent(intent),
        intent_id,
        plan: Known::ABSENT,
        prompt: Known::ABSENT,
        closed: true,
        ..Turn::unseen(TURN, Tenant::default())
    };
    page.maybe(table, "plan", |page, node| plan(page, node, &mut turn));
    turn
}

/// Something that the turn shares. It was there long before any call, whenever the test lets the call run.
fn shared<T>(value: T) -> Shared<T> {
    Shared { value, provenance: Provenance::Dialect, evidence: EvidenceId([5; 16]), at: Nanos(0) }
}

/// `plan`: steps, and who approved them.
fn plan(page: &mut Page, node: &Node, turn: &mut Turn) -> Option<()> {
    let table = page.table(node, "a plan", &["steps", "approved"])?;
    let steps = page.must(table, "steps", |page, node| match &node.kind {
        Kind::List(items) if !items.is_empty() => page.json(node),
        _ => page.expected(node, "a list of steps, such as `{ tool: delete_row }`"),
    })?;
    let text = values::text(&serde_json::json!({ "steps": steps }).to_string()).0;
    turn.plan = Known::Value(shared(PlanText { id: Some("plan-1".into()), text }));
    let approved = page.maybe(table, "approved", |page, node| {
        let table = page.table(node, "a plan's approval", &["by", "principal", "self_reported"])?;
        let own = page.maybe(table, "self_reported", Page::flag).unwrap_or_default();
        let role = if own { Role::Agent } else { Role::HumanChannel };
        let by = page.maybe(table, "by", by).unwrap_or(By::Human);
        let principal = page.maybe(table, "principal", Page::text);
        let decided = decision(Outcome::Allow, by, Nanos(1), witness(7, role, "approvals"));
        Some(Decision { principal, call_id: None, plan: Some("plan-1".into()), ..decided })
    });
    turn.plan_decisions.extend(approved);
    Some(())
}

/// Which of the eight fields the test says.
pub(super) fn fields(action: &mut Action, turn: &Turn) {
    let known = |present: bool| if present { Known::Value(()) } else { Known::ABSENT };
    let present = |field: Field| match field {
        Field::Intent => turn.intent.is_present(),
        Field::Tool => action.tool.is_present(),
        Field::Parameters => action.arguments.is_present(),
        Field::Target => action.target.is_present(),
        Field::Output => action.output.is_present(),
        Field::Policy | Field::Context | Field::PostCheck => false,
    };
    action.fields = Field::ALL.iter().map(|field| (*field, known(present(*field)))).collect();
}

fn before(at: Nanos, span: Span) -> Nanos {
    Nanos(at.0.saturating_sub(span.0))
}
