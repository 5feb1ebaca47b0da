//! Arbitrary records about a handful of calls: who says what, when, how surely, and of which call.
//!
//! Everything is drawn from small pools, so that records meet: two call ids, three tools, two parameters, a minute.

use std::sync::Arc;

use wherefore::model::{
    By, Call, Check, CheckResult, Containment, Decision, Did, Effect, Evidence, Fact, GrantScope, Known, Missing,
    Moment, Node, Outcome, Phase, Proof, Provenance, Role, Span, Status, Text, ToolDefinition, TraceId, What,
};
use wherefore::values;

use super::script::{Choices, Line};
use crate::lineage::{at, call, service, span};

/// What the record with this number says.
pub fn record(number: usize, line: &Line) -> Evidence {
    let mut choices = Choices(line);
    let says = choices.of(SAYS);
    let (role, name) = choices.of(WHO);
    let provenance =
        choices.of(&[Provenance::Dialect, Provenance::Explicit, Provenance::Computed, Provenance::Inferred]);
    let from = u64::from(choices.below(16));
    let (node, what) = says(&mut choices, from);
    let until = from + u64::from(choices.below(8));
    // Few are below another's span, are another's span, or stand in another trace.
    let number = number as u32 + 2;
    let (parent, number) = match choices.below(6) {
        5 => (number - 1, number),
        4 => (1, number - 1),
        _ => (1, number),
    };
    let mut evidence = span(number, parent, node, (from, until), vec![what]);
    if choices.one_in(8) {
        evidence.trace = Some(TraceId([2; 16]));
    }
    evidence.sampled = choices.one_in(16);
    evidence.role = role;
    evidence.service = service(name);
    let conversation = Fact { provenance: Provenance::Dialect, what: What::Conversation("conv-1".into()) };
    evidence.facts.iter_mut().for_each(|fact| fact.provenance = provenance);
    evidence.facts.push(conversation);
    evidence
}

/// Who speaks: the agent most often; others by their token, or by their name alone.
const WHO: &[(Role, &str)] = &[
    (Role::Unspecified, "agent"),
    (Role::Unspecified, "agent"),
    (Role::Agent, "agent"),
    (Role::HumanChannel, "desk"),
    (Role::PolicyEngine, "gate"),
    (Role::Evaluator, "probe"),
    (Role::Gateway, "agent"),
    (Role::Unspecified, "probe"),
    (Role::Unspecified, ""),
    (Role::Agent, "other"),
];

/// What a record may say, beginning in a second.
type Says = fn(&mut Choices<'_>, u64) -> (Node, What);

/// Calls and decisions more often than the rest.
const SAYS: &[Says] = &[
    |c, _| (Node::Tool, a_call(c, ran)),
    |c, _| (Node::Tool, a_call(c, ran)),
    |c, _| (Node::Model, a_call(c, |_| Moment::Proposed)),
    |c, _| (Node::Other, a_call(c, other_moment)),
    |c, at| (Node::Log, a_decision(c, at)),
    |c, at| (Node::Log, a_decision(c, at)),
    |c, at| (Node::Check, a_check(c, at)),
    |c, at| (Node::Plan, about_a_plan(c, at)),
    |c, at| (Node::Plan, about_a_plan(c, at)),
    |c, _| (Node::Model, what_a_turn_shares(c)),
    |c, _| (Node::Other, what_a_call_does(c)),
];

fn ran(c: &mut Choices<'_>) -> Moment {
    let status = c.of(&[Status::Fine, Status::Fine, Status::Error("x".into())]);
    Moment::Ran { status, proof: c.of(&[Proof::Ran, Proof::Ran, Proof::NeedsResult]) }
}

fn other_moment(c: &mut Choices<'_>) -> Moment {
    let (error, history) = (c.one_in(3), c.one_in(4));
    let by = c.of(By::ALL);
    c.of(&[
        Moment::Answered { error, history },
        Moment::Asked,
        Moment::Refused { by },
        Moment::Carried,
        Moment::History,
    ])
}

const TOOLS: &[&str] = &["delete_row", "delete_row", "read_row", "run_sql"];
pub const ARGUMENTS: &str = r#"{"table":"accounts","id":7}"#;
const OTHERS: &str = r#"{"table":"accounts","id":8}"#;

fn known(text: &str) -> Known<Text> {
    Known::Value(values::text(text).0)
}

fn call_id(c: &mut Choices<'_>) -> Option<Arc<str>> {
    c.of(&[Some("c1"), Some("c1"), Some("c2"), None]).map(Arc::from)
}

fn a_call(c: &mut Choices<'_>, moment: fn(&mut Choices<'_>) -> Moment) -> What {
    let mut told = Call::new(moment(c));
    told.id = call_id(c);
    told.tool = Some(c.of(TOOLS)).filter(|_| !c.one_in(8)).map(Arc::from);
    told.arguments = c.of(&[
        known(ARGUMENTS),
        known(ARGUMENTS),
        known(OTHERS),
        known(&values::digest_json(ARGUMENTS).to_string()),
        known(r#"{"id":"<REDACTED>"}"#),
        Known::Missing(Missing::Withheld),
        Known::ABSENT,
    ]);
    told.target = c.of(&[None, Some("pg://prod/accounts"), Some("pg://dev/accounts")]).map(Arc::from);
    told.effect = c.of(&[Some(Effect::Delete), None, Some(Effect::Read), Some(Effect::Send)]);
    told.egress = c.of(&[None, Some(false), Some(true)]);
    told.result = c.of(&[Known::ABSENT, known(r#"{"deleted":1}"#), known("gone"), Known::Missing(Missing::Withheld)]);
    call(told)
}

fn a_decision(c: &mut Choices<'_>, second: u64) -> What {
    decision(c, second, None, Some("c1".into()))
}

fn decision(c: &mut Choices<'_>, second: u64, plan: Option<Arc<str>>, call_id: Option<Arc<str>>) -> What {
    let outcome = c.of(&[Outcome::ALL, &[Outcome::Allow, Outcome::Deny, Outcome::Ask]].concat());
    let by = c.of(&[By::ALL, &[By::Human, By::Human, By::Policy]].concat());
    let digest = |text| Some(values::digest_json(text));
    What::Decision(Box::new(Decision {
        at: at(second),
        outcome,
        by,
        principal: c.of(&[None, Some("ann"), Some("bob")]).map(Arc::from),
        scope: GrantScope::Once,
        enforced: !c.one_in(6),
        standing: c.one_in(5),
        waited: c.of(&[None, Some(Span(0)), Some(Span::seconds(9)), Some(Span::seconds(40))]),
        raw: outcome.as_str().into(),
        policies: Vec::new(),
        call_id: call_id.filter(|_| !c.one_in(8)),
        plan,
        tool: c.of(&[None, Some("delete_row")]).map(Arc::from),
        parameters: c.of(&[None, digest(ARGUMENTS), digest(OTHERS)]),
        witness: None,
    }))
}

fn a_check(c: &mut Choices<'_>, second: u64) -> What {
    let result = c.of(CheckResult::ALL);
    What::Check(Box::new(Check {
        at: at(second),
        name: c.of(&["intent_alignment", "row_is_gone"]).into(),
        phase: c.of(&[Phase::PostAction, Phase::PostAction, Phase::PreAction, Phase::Unknown]),
        result,
        label: result.as_str().into(),
        score: None,
        explanation: Known::ABSENT,
        call_id: call_id(c),
        response_id: None,
        about: None,
        witness: None,
    }))
}

const PLANS: &[&str] = &[
    r#"[{"tool":"delete_row"}]"#,
    r#"[{"tool":"delete_row","target":"pg://prod/accounts","arguments":{"table":"accounts","id":7}}]"#,
    r#"[{"tool":"read_row"}]"#,
    "prose",
    r#"[{"do":"tidy up"}]"#,
];

fn about_a_plan(c: &mut Choices<'_>, second: u64) -> What {
    let id = c.of(&[None, Some("p1"), Some("p2")]).map(Arc::from);
    if c.one_in(2) {
        let plan = id.or(Some("p1".into()));
        return decision(c, second, plan, None);
    }
    let text = known(c.of(PLANS));
    What::Plan { id, text: if c.one_in(6) { Known::Missing(Missing::Withheld) } else { text } }
}

fn what_a_turn_shares(c: &mut Choices<'_>) -> What {
    let intent = c.of(&[
        "Remove account 7.",
        "Look first, and do not change anything until I say so.",
        "Go ahead.",
        "Do not delete anything.",
    ]);
    c.of(&[
        What::Intent(known(intent)),
        What::IntentId("DEL-7".into()),
        What::Policy("p@1".into()),
        What::Prompt(known("Be tidy.")),
        What::Context { ids: vec!["doc-1".into()], withheld: false },
        What::Agent { name: "janitor".into(), version: None },
        What::Mode { mode: "bypass".into(), bypass: Some(true) },
        What::Containment(Containment::Halt),
        What::Withheld,
    ])
}

fn what_a_call_does(c: &mut Choices<'_>) -> What {
    let effect = c.of(&[Some(Effect::Delete), Some(Effect::Read), None]);
    let (egress, tool) = (c.one_in(2), c.of(TOOLS));
    c.of(&[
        What::Tools(vec![ToolDefinition {
            name: tool.into(),
            digest: values::digest_json("{}"),
            effect,
            egress: Some(egress),
        }]),
        What::Target("pg://prod/accounts".into()),
        What::Did(Did { effect, egress }),
    ])
}
