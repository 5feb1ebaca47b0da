//! What a few records come to, in whatever order they arrive: cases of which recordings have none.
//!
//! One checking function ([`settle`]) folds the records in many orders, each into a fresh engine, with time passing
//! between them and every deadline at the end, and insists that all orders say the same; each test says what that is.

use std::collections::BTreeMap;
use std::sync::Arc;

use wherefore::engine::{Configuration, Engine, Input};
use wherefore::lineage::{Book, Group, Handle, Reading, assemble, turn_of, turn_of_trace};
use wherefore::model::{
    Action, By, Call, Check, CheckResult, Containment, Cost, Decision, Did, Direction, Effect, Evidence, EvidenceId,
    Fact, GrantScope, JoinMethod, Known, Messages, Moment, Nanos, Node, Outcome, Phase, Proof, Provenance, Role,
    Service, Sli, Span, SpanId, State, Status, Tenant, Tie, ToolDefinition, TraceId, What,
};
use wherefore::values;

use crate::support::fold::said;
use crate::support::random::{Random, seed};

// ── who acted ────────────────────────────────────────────────────────────────────────────────────────────────────

/// The agent's tool span and the tool server's inside it: the agent acted, whatever the server knows better.
#[test]
fn a_tool_server_is_not_the_agent() {
    let mut told = ran(Some("c1"), "delete_row", None);
    told.target = Some("pg://prod".into());
    let explicit = Fact { provenance: Provenance::Explicit, what: call(told) };
    for more in [None, Some(explicit)] {
        let outer = span(2, 1, Node::Tool, (5, 10), vec![call(ran(Some("c1"), "delete_row", Some("{}")))]);
        let mut inner = span(3, 2, Node::Tool, (6, 9), vec![call(ran(None, "delete_row", None))]);
        inner.service = service("pg-mcp");
        inner.facts.extend(more);
        let own = span(4, 1, Node::Check, (11, 12), vec![check("intent_alignment", 12), check("row_gone", 12)]);
        let mut servers = span(5, 2, Node::Check, (11, 12), vec![check("server_says", 12)]);
        servers.service = service("pg-mcp");
        let rules = "envelope: a\nservice: agent\nforbid:\n  - id: r\n    tool: delete_row\n";
        let actions = settle(&configuration(rules), &[outer, inner, own, servers, root(20)]);
        let [action] = &actions[..] else { panic!("{actions:#?}") };
        assert_eq!(&*action.service.name, "agent");
        assert_eq!(reason(action, Sli::IntentAlignment), "forbidden");
        assert_eq!(reason(action, Sli::OutcomeValidation), "self_reported");
    }
}

// ── decisions ────────────────────────────────────────────────────────────────────────────────────────────────────

/// A policy engine's log has no trace: whenever it was stamped, it is about the call of its conversation.
#[test]
fn a_denial_without_a_trace_is_about_the_run_before_which_it_was_stamped() {
    for second in [4, 12] {
        let agent = span(1, 0, Node::Agent, (0, 20), vec![What::Conversation("conv".into())]);
        let run = span(2, 1, Node::Tool, (5, 10), vec![call(ran(Some("c1"), "delete_row", Some("{}")))]);
        let denied = vec![What::Conversation("conv".into()), denial(4, Some("c1"))];
        let mut denied = span(3, 0, Node::Log, (second, second), denied);
        (denied.trace, denied.span, denied.role, denied.service) = (None, None, Role::PolicyEngine, service("gate"));
        let actions = settle(&Configuration::default(), &[agent, run, denied]);
        let [action] = &actions[..] else { panic!("{actions:#?}") };
        assert_eq!(reason(action, Sli::IntentAlignment), "ran_against_denial");
        assert_eq!(reason(action, Sli::DeniedActions), "denied_by_policy");
    }
}

/// A denial and then a question, three times: one denial and two retries. So it is when a refusal tells nobody's name.
#[test]
fn a_question_does_not_take_a_denial_back() {
    for (moment, by) in [(Moment::Asked, By::Policy), (Moment::Refused { by: By::Unknown }, By::Unknown)] {
        let denied = |number: u32| {
            let again = What::Decision(Box::new(Decision { outcome: Outcome::Ask, ..a_denial(6, None) }));
            let id = format!("a{number}");
            let says = vec![call(a_call(moment.clone(), Some(&id), "get", Some("{}"))), denial(5, None), again];
            span(number, 1, Node::Tool, (u64::from(number), 9), says)
        };
        let actions = settle(&Configuration::default(), &[denied(3), denied(4), denied(5), root(20)]);
        assert!(actions.iter().all(|action| action.state == State::Refused(by)));
        let judged = actions.iter().filter(|action| action.verdict(Sli::DeniedActions).is_some());
        assert_eq!(judged.count(), 1, "{by}");
    }
}

/// A guardrail speaks of the model's span: what that proposed is refused, and waits for nobody's answer.
#[test]
fn a_denial_of_the_proposing_model_call_refuses_the_call() {
    let model = span(5, 1, Node::Model, (1, 2), vec![call(a_call(Moment::Proposed, Some("c1"), "get", Some("{}")))]);
    let mut guard = span(5, 0, Node::Log, (3, 3), vec![denial(3, None)]);
    (guard.id, guard.role, guard.service) = (EvidenceId([9; 16]), Role::PolicyEngine, service("gate"));
    let evidence = [model, guard, root(10)];
    let actions = settle(&Configuration::default(), &evidence);
    assert_eq!(actions.len(), 1);
    assert_eq!(actions[0].state, State::Refused(By::Policy));
    let mut engine = Engine::new(Configuration::default());
    engine.step(at(11), Input::Evidence(&evidence));
    assert_eq!(engine.step(at(60), Input::Tick).actions.len(), 1, "it settles with its turn");
}

// ── call ids ─────────────────────────────────────────────────────────────────────────────────────────────────────

/// A turn runs `call_0`, the next only carries it in its history, the third proposes and runs `call_0` again.
#[test]
fn a_reused_call_id_is_not_joined_through_a_turn_that_remembers_it() {
    let old = r#"[{"role":"assistant","parts":[{"type":"tool_call","id":"call_0","name":"get","arguments":{"a":1}}]},
        {"role":"tool","parts":[{"type":"tool_call_response","id":"call_0","response":"7"}]},
        {"role":"user","parts":[{"type":"text","content":"thanks"}]}]"#;
    let args = Some(r#"{"a":1}"#);
    let of_turn = |number: u32, second: u64, ran_it: bool| {
        let from = |evidence: Evidence| in_trace(number as u8, evidence);
        let mut says = vec![What::Conversation("conv".into())];
        says.extend(match ran_it {
            true => Some(call(a_call(Moment::Proposed, Some("call_0"), "get", args))),
            false => Some(What::Messages(Messages { direction: Direction::Input, json: old.into() })),
        });
        let model = from(span(10 * number, 0, Node::Model, (second, second + 1), says));
        let tool = span(
            10 * number + 1,
            10 * number,
            Node::Tool,
            (second + 2, second + 3),
            vec![call(ran(Some("call_0"), "get", args))],
        );
        [Some(model), ran_it.then(|| from(tool))].into_iter().flatten()
    };
    let evidence: Vec<Evidence> =
        of_turn(1, 0, true).chain(of_turn(2, 100, false)).chain(of_turn(3, 200, true)).collect();
    let actions = settle(&Configuration::default(), &evidence);
    assert_eq!(actions.len(), 2, "{actions:#?}");
    assert!(actions.iter().all(|action| action.state.as_str() == "executed"));
}

/// The later turn names another conversation, and its input carries the call: it is the same call.
#[test]
fn an_input_that_carries_the_call_joins_it_across_conversations() {
    let first = vec![What::Conversation("one".into()), call(a_call(Moment::Asked, Some("c1"), "get", Some("{}")))];
    let later = r#"[{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"get","arguments":{}}]}]"#;
    let later = vec![
        What::Conversation("two".into()),
        What::Messages(Messages { direction: Direction::Input, json: later.into() }),
    ];
    let asked = in_trace(1, span(1, 0, Node::Model, (0, 1), first));
    let carried = in_trace(2, span(2, 0, Node::Model, (10, 11), later));
    let run = in_trace(2, span(3, 2, Node::Tool, (12, 13), vec![call(ran(Some("c1"), "get", Some("{}")))]));
    let actions = settle(&Configuration::default(), &[asked, carried, run]);
    assert_eq!(actions.len(), 1, "{actions:#?}");
}

// ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────────

const DENIED: &str = r#"{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"get","arguments":{}}]},
    {"role":"tool","parts":[{"type":"tool_call_response","id":"c1","result":"The tool call was denied."}]}"#;

fn input(number: u32, trace: u8, second: u64, messages: &str) -> Evidence {
    let json = format!("[{messages}]").into_bytes().into();
    let says = vec![What::Conversation("conv".into()), What::Messages(Messages { direction: Direction::Input, json })];
    in_trace(trace, span(number, 0, Node::Model, (second, second + 1), says))
}

fn user(text: &str) -> String {
    format!(r#"{{"role":"user","parts":[{{"type":"text","content":"{text}"}}]}}"#)
}

/// Every later turn carries an old refusal before its last user message. None of them is an action.
#[test]
fn a_refusal_in_the_history_makes_no_action() {
    let turns: Vec<Evidence> = (0..70)
        .map(|turn| input(turn + 1, turn as u8 + 1, 100 * u64::from(turn), &format!("{DENIED},{}", user("go on"))))
        .collect();
    assert!(assemble(&turns).actions.is_empty());
}

/// The turn in which it was new makes the action; what the history repeats changes nothing of it.
#[test]
fn a_refusal_in_the_history_is_the_refusal_it_was() {
    let new = input(1, 1, 0, DENIED);
    let grown = input(2, 1, 10, &format!("{DENIED},{}", user("go on")));
    let later = input(3, 2, 20, &format!("{DENIED},{}", user("and on")));
    let actions = settle(&Configuration::default(), &[new, grown, later]);
    assert_eq!(actions.len(), 1, "{actions:#?}");
    assert_eq!(actions[0].state, State::Refused(By::Human));
}

/// `[ ,…]` is no array that continues `[ ]`; read whole, it says nothing.
#[test]
fn an_empty_array_is_continued_by_nothing() {
    let output = |number: u32, json: &str| {
        let json = json.to_owned().into_bytes().into();
        span(number, 1, Node::Model, (1, 2), vec![What::Messages(Messages { direction: Direction::Output, json })])
    };
    let broken = r#"[ ,{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"x","arguments":{}}]}]"#;
    let actions = settle(&Configuration::default(), &[output(2, "[ ]"), output(3, broken), root(10)]);
    assert!(actions.is_empty(), "{actions:#?}");
}

// ── spans ────────────────────────────────────────────────────────────────────────────────────────────────────────

/// A span is sent twice, below the outer tool and below the agent; and so is one between them.
#[test]
fn two_records_of_one_span_join_alike_in_any_order() {
    let tool = |number, parent, end| span(number, parent, Node::Tool, (5, end), vec![call(ran(None, "get", None))]);
    let twice = settle(&Configuration::default(), &[tool(2, 1, 10), tool(3, 2, 8), tool(3, 1, 9), root(20)]);
    assert_eq!(twice.len(), 1, "{twice:#?}");
    let between = |parent, end| span(4, parent, Node::Other, (5, end), vec![]);
    let moved = [tool(2, 1, 10), tool(3, 4, 7), between(2, 8), between(1, 9), root(20)];
    assert_eq!(settle(&Configuration::default(), &moved).len(), 1);
}

/// The span between a model and its agent may come last: the call is the inner agent's all the same.
#[test]
fn a_late_span_between_others_says_whose_a_call_is() {
    let agent = |number, parent, name: &str| {
        span(number, parent, Node::Agent, (1, 30), vec![What::Agent { name: name.into(), version: None }])
    };
    let proposal = vec![call(a_call(Moment::Proposed, Some("c1"), "get", Some("{}")))];
    let evidence = [
        agent(1, 0, "outer"),
        agent(2, 1, "inner"),
        span(3, 2, Node::Other, (2, 20), vec![]),
        span(4, 3, Node::Model, (3, 4), proposal),
        span(5, 1, Node::Tool, (5, 9), vec![call(ran(Some("c1"), "get", Some("{}")))]),
    ];
    let actions = settle(&Configuration::default(), &evidence);
    assert_eq!(actions[0].agent.value().map(|(name, _)| &**name), Some("inner"));
}

/// An evaluation of a step inside a tool is about the tool, whichever came first.
#[test]
fn a_check_of_a_linked_span_reaches_the_tool_above_it() {
    let What::Check(mut about) = check("rows", 50) else { unreachable!("a check") };
    (about.call_id, about.about) = (None, Some((TraceId([1; 16]), span_id(3))));
    let evidence = [
        root(40),
        span(2, 1, Node::Tool, (5, 20), vec![call(ran(Some("c1"), "get", Some("{}")))]),
        span(3, 2, Node::Other, (6, 9), vec![]),
        in_trace(2, span(9, 0, Node::Check, (50, 51), vec![What::Check(about)])),
    ];
    assert_eq!(settle(&Configuration::default(), &evidence)[0].checks.len(), 1);
}

/// Nobody knows what a turn lacks whose root, or a span between, never came: it is sampled, not incomplete.
#[test]
fn spans_that_never_came_make_completeness_unknown() {
    let rules = configuration("envelope: a\nprofile: [intent]\n");
    let run = |parent| span(2, parent, Node::Tool, (5, 10), vec![call(ran(Some("c1"), "get", Some("{}")))]);
    for (name, evidence, want) in [
        ("no root", vec![run(1)], "sampled"),
        ("nothing between", vec![run(7), root(20)], "sampled"),
        ("all there", vec![run(1), root(20)], "missing_intent"),
    ] {
        let actions = settle(&rules, &evidence);
        assert_eq!(reason(&actions[0], Sli::LineageComplete), want, "{name}");
    }
}

// ── what a tool does ─────────────────────────────────────────────────────────────────────────────────────────────

fn deed(effect: Option<Effect>, egress: bool) -> What {
    What::Did(Did { effect, egress })
}

fn defines(tool: &str, effect: Option<Effect>, egress: Option<bool>) -> What {
    let digest = values::digest_json(tool);
    What::Tools(vec![ToolDefinition { name: tool.into(), digest, effect, egress }])
}

/// What is said of the call counts before what defines its tool, then what was done below it, then its name.
#[test]
fn what_a_tool_does_is_known_by_the_surest_source() {
    use Effect::{Create, Delete, Execute, Read, Send, Update};
    let tool = |facts: Vec<What>| {
        let own = vec![call(ran(Some("c1"), "get_order", Some("{}")))];
        span(2, 1, Node::Tool, (5, 20), own.into_iter().chain(facts).collect())
    };
    let own = |effect, egress| {
        let mut told = ran(Some("c1"), "get_order", None);
        (told.effect, told.egress) = (effect, egress);
        let mut tool = tool(vec![]);
        tool.facts.push(Fact { provenance: Provenance::Explicit, what: call(told) });
        tool
    };
    let below = |number, said| span(number, 2, Node::Other, (6, 7), said);
    let model = |said| span(8, 1, Node::Model, (1, 2), said);
    let done = |effects: &[Effect]| effects.iter().map(|effect| deed(Some(*effect), false)).collect::<Vec<_>>();
    for (name, evidence, effect, egress) in [
        ("by its name", vec![tool(vec![])], Some((Read, Provenance::Inferred)), None),
        (
            "by what was done below",
            vec![tool(vec![]), below(3, done(&[Read, Update, Create])), below(4, vec![deed(None, true)])],
            Some((Update, Provenance::Computed)),
            Some((true, Provenance::Computed)),
        ),
        (
            "what is gone reaches farthest",
            vec![tool(vec![]), below(3, done(&[Execute, Send, Delete]))],
            Some((Delete, Provenance::Computed)),
            None,
        ),
        (
            "by its definition",
            vec![
                tool(vec![]),
                below(3, vec![deed(Some(Delete), true)]),
                model(vec![defines("get_order", Some(Update), Some(false))]),
            ],
            Some((Update, Provenance::Dialect)),
            Some((false, Provenance::Dialect)),
        ),
        (
            "by a definition that says nothing of it",
            vec![tool(vec![]), model(vec![defines("get_order", None, None), defines("other", Some(Send), Some(true))])],
            Some((Read, Provenance::Inferred)),
            None,
        ),
        (
            "by what is said of the call",
            vec![own(Some(Create), Some(true)), model(vec![defines("get_order", Some(Update), Some(false))])],
            Some((Create, Provenance::Explicit)),
            Some((true, Provenance::Explicit)),
        ),
    ] {
        let evidence: Vec<Evidence> = evidence.into_iter().chain([root(30)]).collect();
        let actions = settle(&Configuration::default(), &evidence);
        let [action] = &actions[..] else { panic!("{name}: {actions:#?}") };
        assert_eq!(action.effect.value().copied(), effect, "{name}");
        assert_eq!(action.egress.value().copied(), egress, "{name}");
        let defined = evidence.iter().any(|it| it.node == Node::Model);
        assert_eq!(action.tool_version, defined.then(|| values::digest_json("get_order")), "{name}");
    }
}

/// A list of tools and a server's hints are two records: of each the first that says something counts.
#[test]
fn what_one_definition_leaves_open_another_may_say() {
    let offered = span(8, 1, Node::Model, (1, 2), vec![defines("purge", None, None)]);
    let listed = span(9, 1, Node::Other, (3, 4), vec![defines("purge", Some(Effect::Update), None)]);
    let changed = span(10, 1, Node::Other, (4, 5), vec![defines("purge", Some(Effect::Read), Some(true))]);
    let run = span(2, 1, Node::Tool, (5, 20), vec![call(ran(Some("c1"), "purge", Some("{}")))]);
    let actions = settle(&Configuration::default(), &[offered, listed, changed, run, root(30)]);
    assert_eq!(actions[0].effect, Known::Value((Effect::Update, Provenance::Dialect)));
    assert_eq!(actions[0].egress, Known::Value((true, Provenance::Dialect)));
}

/// Of too many tools the same stay in any order.
#[test]
fn a_turn_keeps_so_many_tools_and_the_same_in_any_order() {
    let many = |number: u32, names: std::ops::Range<u32>| {
        let tools = names.flat_map(|name| match defines(&format!("tool_{name:04}"), None, None) {
            What::Tools(tools) => tools,
            _ => unreachable!("definitions"),
        });
        span(number, 1, Node::Model, (1, 2), vec![What::Tools(tools.collect())])
    };
    let run = |number, tool| span(number, 1, Node::Tool, (5, 20), vec![call(ran(None, tool, Some("{}")))]);
    let evidence = [many(8, 300..700), many(9, 0..400), run(2, "tool_0007"), run(3, "tool_0699"), root(30)];
    let actions = settle(&Configuration::default(), &evidence);
    let known: BTreeMap<_, _> = actions.iter().map(|it| (it.tool_label(), it.tool_version.is_some())).collect();
    assert_eq!(known, BTreeMap::from([("tool_0007", true), ("tool_0699", false)]));
}

/// A log record and a span tell one answer; the span measured that nobody was asked. Another answer stays.
#[test]
fn one_decision_that_two_records_tell_is_one() {
    let decided = |second, raw: &str, waited: Option<Span>| {
        let decision = a_denial(second, Some("c1"));
        let standing = waited == Some(Span(0));
        let raw = raw.into();
        What::Decision(Box::new(Decision { outcome: Outcome::Allow, by: By::Human, raw, waited, standing, ..decision }))
    };
    let log = |number, second, raw| Evidence {
        parent: None,
        ..span(number, 0, Node::Log, (second, second), vec![decided(second, raw, None)])
    };
    let waited = span(4, 2, Node::Other, (4, 5), vec![decided(5, "accept/rule", Some(Span(0)))]);
    let run = span(2, 1, Node::Tool, (3, 20), vec![call(ran(Some("c1"), "get", Some("{}")))]);
    let evidence =
        [log(7, 6, "accept/rule"), log(8, 7, "accept/once"), log(9, 15, "accept/rule"), waited, run, root(30)];
    let actions = settle(&Configuration::default(), &evidence);
    let told: Vec<_> = actions[0].decisions.iter().map(|it| (it.at, &*it.raw, it.standing)).collect();
    assert_eq!(told, [(at(5), "accept/rule", true), (at(7), "accept/once", false), (at(15), "accept/rule", false)]);
}

/// A mode holds from its time on, whatever order the records come in; a call runs under the one that came last.
#[test]
fn a_turn_tells_under_which_mode_a_call_ran() {
    let says = |number: u32, second: u64, mode: &str, bypass| {
        let said = vec![What::Mode { mode: mode.into(), bypass }];
        Evidence { parent: None, ..span(number, 0, Node::Log, (second, second), said) }
    };
    let run = span(2, 1, Node::Tool, (5, 10), vec![call(ran(Some("c1"), "get", Some("{}")))]);
    let evidence = [
        says(7, 2, "default", Some(false)),
        says(8, 4, "yolo", Some(true)),
        says(9, 6, "default", Some(false)),
        run,
        root(30),
    ];
    for evidence in [evidence.to_vec(), evidence.iter().rev().cloned().collect()] {
        let turns = assemble(&evidence).turns;
        let [turn] = &turns[..] else { panic!("{turns:#?}") };
        let mode = |second| turn.mode_at(at(second)).map(|it| (&*it.mode, it.bypass));
        assert_eq!(mode(1), None);
        assert_eq!(mode(5), Some(("yolo", Some(true))));
        assert_eq!(mode(10), Some(("default", Some(false))));
    }
}

/// The version of the service that acted, and not of the tool's server.
#[test]
fn an_action_knows_the_version_of_who_acted() {
    let version = |evidence: Evidence, version: &str| Evidence { service_version: Some(version.into()), ..evidence };
    let outer = span(2, 1, Node::Tool, (5, 10), vec![call(ran(Some("c1"), "get", Some("{}")))]);
    let mut inner = span(3, 2, Node::Tool, (6, 9), vec![call(ran(None, "get", None))]);
    inner.service = service("server");
    let evidence = [version(outer, "1.4.0"), version(inner, "7"), root(30)];
    let actions = settle(&Configuration::default(), &evidence);
    assert_eq!(actions[0].service_version.as_deref(), Some("1.4.0"));
}

// ── what names no call ───────────────────────────────────────────────────────────────────────────────────────────

fn states(actions: &[Action]) -> Vec<&str> {
    actions.iter().map(|action| action.state.as_str()).collect()
}

fn outcomes(action: &Action) -> Vec<Outcome> {
    action.decisions.iter().map(|decision| decision.outcome).collect()
}

fn decides(outcome: Outcome, second: u64, tool: Option<&str>) -> What {
    What::Decision(Box::new(Decision { outcome, tool: tool.map(Arc::from), ..a_denial(second, None) }))
}

/// A policy engine's span below a tool's is about that tool, however deep, and past no model and no other tool.
#[test]
fn what_stands_below_a_tool_is_about_it() {
    let tool = span(2, 1, Node::Tool, (5, 20), vec![call(ran(Some("c1"), "get", Some("{}")))]);
    let between = |node| span(3, 2, node, (6, 19), vec![]);
    let said = || vec![decides(Outcome::Allow, 7, None), What::Target("https://api.example/7".into())];
    let below = |parent| span(4, parent, Node::Other, (7, 8), said());
    for (name, evidence, want) in [
        ("at once", vec![tool.clone(), below(2), root(30)], true),
        ("with a step between", vec![tool.clone(), between(Node::Other), below(3), root(30)], true),
        ("with a model between", vec![tool.clone(), between(Node::Model), below(3), root(30)], false),
        ("beside it", vec![tool.clone(), below(1), root(30)], false),
    ] {
        let actions = settle(&Configuration::default(), &evidence);
        assert_eq!(outcomes(&actions[0]) == [Outcome::Allow], want, "{name}");
        let target = actions[0].target.value().map(|(target, how)| (&**target, *how));
        assert_eq!(target == Some(("https://api.example/7", Provenance::Computed)), want, "{name}");
    }
}

/// A gateway turned the call away inside the span of the framework that called it: nothing ran. What ran below the
/// gateway, or after it, did.
#[test]
fn a_call_that_was_turned_away_inside_its_span_did_not_run() {
    let refused = |number, parent, seconds| {
        let turned = a_call(Moment::Refused { by: By::Policy }, None, "get", None);
        span(number, parent, Node::Tool, seconds, vec![call(turned)])
    };
    let gateway = |evidence| Evidence { service: service("gateway"), ..evidence };
    let run = |number, parent, seconds| span(number, parent, Node::Tool, seconds, vec![call(ran(None, "get", None))]);
    let failed = |number, parent, seconds| {
        let mut tool = ran(None, "get", None);
        tool.moment = Moment::Ran { status: Status::Error("refused".into()), proof: Proof::Ran };
        span(number, parent, Node::Tool, seconds, vec![call(tool)])
    };
    let away = || gateway(refused(3, 2, (6, 9)));
    for (name, evidence, want) in [
        ("around it", vec![failed(2, 1, (5, 20)), away(), root(30)], "refused"),
        ("by its own word", vec![failed(2, 1, (5, 20)), refused(3, 2, (6, 9)), root(30)], "failed"),
        ("and it ended well", vec![run(2, 1, (5, 20)), away(), root(30)], "executed"),
        ("and again", vec![failed(2, 1, (5, 20)), away(), run(4, 2, (10, 19)), root(30)], "failed"),
        ("deeper", vec![failed(2, 1, (5, 20)), away(), run(4, 3, (7, 8)), root(30)], "failed"),
    ] {
        assert_eq!(states(&settle(&Configuration::default(), &evidence)), [want], "{name}");
    }
}

/// A log record that names only the tool is about the one call of it that was under way.
#[test]
fn a_decision_by_the_tool_s_name_reaches_the_call_under_way() {
    let runs =
        |number, id, seconds, args| span(number, 1, Node::Tool, seconds, vec![call(ran(Some(id), "get", Some(args)))]);
    let says = |second| Evidence {
        parent: None,
        ..span(9, 0, Node::Log, (second, second), vec![decides(Outcome::Allow, second, Some("get"))])
    };
    let one = runs(2, "c1", (5, 10), "{}");
    for (name, evidence, want) in [
        ("while it ran", vec![one.clone(), says(7), root(60)], vec![1]),
        ("before it", vec![one.clone(), says(3), root(60)], vec![0]),
        (
            "of two one after the other",
            vec![one.clone(), runs(3, "c2", (11, 20), "{}"), says(15), root(60)],
            vec![0, 1],
        ),
        ("of two at once", vec![one.clone(), runs(3, "c2", (6, 20), "{}"), says(7), root(60)], vec![0, 0]),
    ] {
        let mut actions = settle(&Configuration::default(), &evidence);
        actions.sort_by_key(|action| action.start);
        assert_eq!(actions.iter().map(|action| action.decisions.len()).collect::<Vec<_>>(), want, "{name}");
    }
}

/// What stopped an agent's run is about what it had proposed and nothing came of.
#[test]
fn what_stops_a_run_is_about_what_is_left_of_it() {
    let agent = |outcome, second| span(2, 1, Node::Agent, (1, 30), vec![decides(outcome, second, None)]);
    let proposal = span(3, 2, Node::Model, (2, 4), vec![call(a_call(Moment::Proposed, Some("c1"), "get", Some("{}")))]);
    let run = span(4, 2, Node::Tool, (5, 9), vec![call(ran(Some("c1"), "get", Some("{}")))]);
    for (name, evidence, want) in [
        ("a guardrail", vec![agent(Outcome::Deny, 30), proposal.clone(), root(40)], "aborted"),
        ("an abort", vec![agent(Outcome::Abort, 30), proposal.clone(), root(40)], "aborted"),
        ("earlier", vec![agent(Outcome::Deny, 1), proposal.clone(), root(40)], "expired"),
        ("an allow", vec![agent(Outcome::Allow, 30), proposal.clone(), root(40)], "expired"),
        ("a call that ran", vec![agent(Outcome::Deny, 30), proposal.clone(), run, root(40)], "executed"),
    ] {
        assert_eq!(states(&settle(&Configuration::default(), &evidence)), [want], "{name}");
    }
    let waits = [agent(Outcome::Ask, 30), proposal, root(40)];
    let mut book = Book::default();
    waits.iter().for_each(|record| drop(book.fold(record)));
    let open = book.judged(Reading { closed: true, expired: false });
    assert_eq!(states(&open.actions), ["asked"]);
}

/// Somebody was asked: whoever answered and is not named is a person, and a run afterwards was allowed, as far as one
/// can guess.
#[test]
fn who_was_asked_is_a_person() {
    let asked = span(2, 1, Node::Model, (2, 4), vec![call(a_call(Moment::Asked, Some("c1"), "get", Some("{}")))]);
    let run = span(3, 1, Node::Tool, (9, 12), vec![call(ran(Some("c1"), "get", Some("{}")))]);
    let unnamed = Decision { by: By::Unknown, ..a_denial(8, Some("c1")) };
    let denied = span(4, 1, Node::Other, (8, 8), vec![What::Decision(Box::new(unnamed))]);
    let refused = settle(&Configuration::default(), &[asked.clone(), denied, root(40)]);
    assert_eq!(refused[0].state, State::Refused(By::Human));
    assert_eq!(refused[0].decisions[0].by, By::Human);
    let allowed = settle(&Configuration::default(), &[asked, run.clone(), root(40)]);
    let guess = &allowed[0].decisions[0];
    assert_eq!((guess.outcome, guess.by), (Outcome::Allow, By::Human));
    assert_eq!(guess.witness.as_ref().map(|it| it.provenance), Some(Provenance::Inferred));
    assert!(reason(&allowed[0], Sli::IntentAlignment) != "approved", "a guess makes nothing good");
    assert!(settle(&Configuration::default(), &[run, root(40)])[0].decisions.is_empty());
}

// ── turns ────────────────────────────────────────────────────────────────────────────────────────────────────────

/// The edges of a turn by the trace that it is.
fn tied(evidence: &[Evidence], trace: u8) -> Vec<(JoinMethod, Provenance)> {
    let id = turn_of_trace(&Tenant::default(), TraceId([trace; 16]));
    let turn = assemble(evidence).turns.into_iter().find(|turn| turn.id == id).expect("a turn");
    turn.edges.iter().map(|edge| (edge.method, edge.confidence)).collect()
}

fn said_in(trace: u8, number: u32, second: u64, direction: Direction, json: &str) -> Evidence {
    let says = vec![What::Messages(Messages { direction, json: format!("[{json}]").into_bytes().into() })];
    in_trace(trace, span(number, 0, Node::Model, (second, second + 1), says))
}

fn answered(text: &str) -> String {
    format!(r#"{{"role":"assistant","parts":[{{"type":"text","content":"{text}"}}]}}"#)
}

/// A later turn carries what was asked and answered: it goes on from the one turn that fits, of two from none.
#[test]
fn text_ties_a_turn_to_the_one_it_continues() {
    let first = |trace, second| {
        [
            said_in(trace, 1, second, Direction::Input, &user("hello")),
            said_in(trace, 2, second, Direction::Output, &answered("hi there")),
        ]
    };
    let later = |asked: &str| {
        let json = [user(asked), answered("hi there"), user("and now?")].join(",");
        said_in(9, 1, 50, Direction::Input, &json)
    };
    let with = |more: Vec<Evidence>, asked| tied(&[first(1, 10).to_vec(), more, vec![later(asked)]].concat(), 9);
    assert_eq!(with(vec![], "hello"), [(JoinMethod::Answer, Provenance::Inferred)]);
    assert_eq!(with(vec![], "good evening"), [], "another question");
    assert_eq!(with(first(2, 20).to_vec(), "hello"), [], "two that fit");
    assert_eq!(with(first(2, 60).to_vec(), "hello"), [(JoinMethod::Answer, Provenance::Inferred)], "one came later");
    let named = in_trace(9, span(5, 0, Node::Other, (50, 51), vec![What::Conversation("c".into())]));
    assert_eq!(with(vec![named], "hello"), [], "a conversation id says it better");
}

#[test]
fn ids_and_links_tie_turns() {
    let response = in_trace(1, span(1, 0, Node::Model, (1, 2), vec![What::Response("r1".into())]));
    let continues = in_trace(2, span(1, 0, Node::Model, (5, 6), vec![What::Takes(Tie::Response("r1".into()))]));
    let explicit = |method| vec![(method, Provenance::Explicit)];
    assert_eq!(tied(&[response.clone(), continues.clone()], 2), explicit(JoinMethod::Response));
    assert_eq!(tied(&[response.clone(), continues], 1), []);
    let task = |trace, second| {
        in_trace(trace, span(1, 0, Node::Agent, (second, second + 9), vec![What::Takes(Tie::Task("t".into()))]))
    };
    let elsewhere = Evidence { service: service("remote"), ..task(2, 3) };
    assert_eq!(tied(&[task(1, 1), elsewhere], 2), explicit(JoinMethod::Task));
    let links = Evidence {
        links: vec![(TraceId([1; 16]), span_id(1))],
        ..in_trace(2, span(2, 0, Node::Agent, (7, 8), vec![]))
    };
    assert_eq!(tied(&[response, links], 2), explicit(JoinMethod::Link));
    let hands = in_trace(1, span(3, 0, Node::Tool, (1, 2), vec![What::Gives(Tie::Conversation("sub".into()))]));
    let sub = in_trace(2, span(4, 0, Node::Agent, (3, 4), vec![What::Conversation("sub".into())]));
    assert_eq!(tied(&[hands, sub], 2), [(JoinMethod::Delegated, Provenance::Computed)]);
}

/// What a user said in records of their own is the last of the first model call, in any order.
#[test]
fn of_messages_in_records_of_their_own_the_last_is_what_was_asked() {
    let says = |number, parent, second, text: &str| {
        let intent = What::Intent(Known::Value(values::text(text).0));
        let log = span(number, 0, Node::Log, (second, second), vec![intent]);
        Evidence { span: Some(span_id(parent)), parent: None, ..log }
    };
    let mut records = vec![
        says(11, 2, 5, "hello"),
        says(12, 2, 6, "and the order?"),
        says(13, 3, 9, "hello"),
        says(14, 3, 10, "and the order?"),
        says(15, 3, 11, "hand it over"),
    ];
    for round in 0..20 {
        Random(seed() + round).shuffle(&mut records);
        let turn = assemble(&records).turns.remove(0);
        assert_eq!(turn.intent.value().map(|intent| &*intent.value.head), Some("and the order?"));
    }
}

// ── bounds ───────────────────────────────────────────────────────────────────────────────────────────────────────

/// However many proposals, decisions and checks are stamped earlier: what ran, was denied and failed is still seen.
#[test]
fn no_flood_pushes_out_what_convicts() {
    let mut evidence = vec![
        root(1000),
        span(2, 1, Node::Tool, (500, 510), vec![call(ran(Some("c1"), "delete_row", Some("{}")))]),
        span(3, 1, Node::Other, (400, 400), vec![denial(400, Some("c1"))]),
        span(4, 1, Node::Check, (900, 900), vec![failed("rows", 900, Some("c1"))]),
    ];
    for number in 0..300u32 {
        let (second, args) = (u64::from(number), format!("{{\"n\":{number}}}"));
        let allow = Decision { outcome: Outcome::Allow, ..a_denial(second, Some("c1")) };
        let says = vec![
            call(a_call(Moment::Proposed, Some("c1"), "delete_row", Some(&args))),
            What::Decision(Box::new(allow)),
            passed_for("c1", second),
        ];
        evidence.push(span(100 + number, 1, Node::Other, (second, second), says));
    }
    let judged = assemble(&evidence);
    let [action] = &judged.actions[..] else { panic!("{} actions", judged.actions.len()) };
    assert!(action.marks.crowded && action.pieces.len() <= Action::PIECES);
    assert_eq!(action.state.as_str(), "executed");
    assert!(action.decisions.iter().any(|decision| decision.outcome == Outcome::Deny));
    assert!(action.checks.iter().any(|check| check.result == CheckResult::Fail));
}

/// What is said of a span is bounded by kind: no number of early allowing words hides a denial or a failed check.
#[test]
fn no_flood_of_words_about_a_span_hides_a_denial() {
    let below = |number, says| span(number, 2, Node::Other, (501, 502), says);
    let mut evidence = vec![
        root(1000),
        span(2, 1, Node::Model, (500, 503), vec![call(a_call(Moment::Proposed, Some("c1"), "get", Some("{}")))]),
    ];
    let at_span =
        |number: u32, says: Vec<What>| Evidence { span: Some(span_id(2)), ..span(number, 0, Node::Log, (1, 1), says) };
    evidence.extend(
        (0..400u32).map(|number| at_span(100 + number, vec![decides(Outcome::Allow, u64::from(number), None)])),
    );
    evidence.push(at_span(600, vec![denial(450, None), failed("rows", 900, None)]));
    evidence.push(below(3, Vec::new()));
    let judged = assemble(&evidence);
    assert_eq!(judged.actions[0].state, State::Refused(By::Policy));
    assert!(judged.actions[0].checks.iter().any(|check| check.result == CheckResult::Fail));
}

/// What a turn keeps of decisions about plans and of containment does not grow with what is sent.
#[test]
fn decisions_about_plans_and_containment_are_bounded() {
    let plan = |number: u32| Decision { plan: Some(format!("p{number}").into()), ..a_denial(u64::from(number), None) };
    let says = |number| vec![What::Decision(Box::new(plan(number))), What::Containment(Containment::Halt)];
    let evidence: Vec<Evidence> =
        (1..=1000).map(|number| span(number, 0, Node::Other, (1, u64::from(number) + 1), says(number))).collect();
    let turn = &assemble(&evidence).turns[0];
    assert_eq!((turn.plan_decisions.len(), turn.containment.len()), (256, 256));
    assert_eq!(turn.plan_decisions.last().and_then(|last| last.plan.as_deref()), Some("p1000"), "the latest stay");
    assert_eq!(turn.containment.first().map(|first| first.0), Some(at(2)), "the earliest stay");
}

// ── calls without ids ────────────────────────────────────────────────────────────────────────────────────────────

/// Few tools, few parameters, ids here and there: every order says the same.
#[test]
fn calls_without_ids_are_paired_alike_in_any_order() {
    random_turns(100, |_, evidence| drop(settle(&Configuration::default(), evidence)));
}

/// Every step says what the whole set says, and names every component that is paired otherwise than before.
#[test]
fn a_step_tells_whose_pairs_it_changed() {
    let reading = Reading { closed: true, expired: true };
    random_turns(100, |round, evidence| {
        let mut book = Book::default();
        let turn = turn_of(&evidence[0]);
        let mut groups: BTreeMap<Handle, Option<Group>> = BTreeMap::new();
        for count in 1..=evidence.len() {
            let touched = book.fold(&evidence[count - 1]);
            assert_eq!(book.judged(reading), assemble(&evidence[..count]), "round {round} at {count}");
            let known = book.members(turn).into_iter().map(|handle| (handle, book.group(handle))).collect();
            for (handle, before) in std::mem::replace(&mut groups, known) {
                let roots = groups.get(&handle).into_iter().chain([&before]).flatten().map(|group| group.root);
                let is_told = |root| touched.actions.contains(&root) || touched.told.contains(&root);
                let gone = touched.merged.iter().any(|(_, gone)| *gone == handle);
                let same = groups.get(&handle) == Some(&before);
                assert!(gone || same || roots.clone().any(is_told), "round {round} at {count}: {handle}");
            }
        }
    });
}

fn random_turns(rounds: u64, check: impl Fn(u64, &[Evidence])) {
    let seed = seed();
    println!("seed {seed}");
    for round in 0..rounds {
        check(round, &random_turn(&mut Random(seed + round)));
    }
}

/// A turn of one minute in which some calls have ids, some spans stand below others, and some are sent twice.
pub fn random_turn(random: &mut Random) -> Vec<Evidence> {
    (2..14).map(|number| random_half(random, number)).chain([root(60)]).collect()
}

/// What a model used, told with or without the response's id and the cost.
fn random_use(random: &mut Random) -> Vec<What> {
    let tokens = (random.below(3), random.below(2));
    let cost = What::Cost(Cost(random.below(3)));
    let response = What::Response(format!("r{}", random.below(4)).into());
    let mut said = vec![What::Model { provider: "p".into(), model: "m".into(), tokens }];
    said.extend([cost, response].into_iter().filter(|_| random.below(2) == 0));
    said
}

/// One side of a call: a tool's span, or a model's proposal in an array or an event of its own.
fn random_half(random: &mut Random, number: u32) -> Evidence {
    let ids = [None, None, Some("a"), Some("b"), Some("c")];
    let args = [None, Some("{}"), Some(r#"{"n":1}"#)];
    let (id, args) = (ids[random.below(5) as usize], args[random.below(3) as usize]);
    let tool = ["get", "get", "put"][random.below(3) as usize];
    let from = random.below(50);
    let seconds = (from, from + 1 + random.below(3));
    let another = 1 + random.below(u64::from(number) - 1) as u32;
    let parent = if random.below(3) == 0 { another } else { 1 };
    let number = if random.below(8) == 0 { another + 1 } else { number };
    match random.below(3) {
        0 => span(number, parent, Node::Tool, seconds, vec![call(ran(id, tool, args))]),
        1 => {
            let proposed = call(a_call(Moment::Proposed, id, tool, args));
            span(number, parent, Node::Model, seconds, [random_use(random), vec![proposed]].concat())
        }
        _ => {
            let id = id.map(|id| format!(r#""id":"{id}","#)).unwrap_or_default();
            let args = args.map(|args| format!(r#","arguments":{args}"#)).unwrap_or_default();
            let json =
                format!(r#"[{{"role":"assistant","parts":[{{"type":"tool_call",{id}"name":"{tool}"{args}}}]}}]"#);
            let messages = Messages { direction: Direction::Output, json: json.into_bytes().into() };
            span(number, parent, Node::Model, seconds, vec![What::Messages(messages)])
        }
    }
}

// ── how it is checked ────────────────────────────────────────────────────────────────────────────────────────────

/// What the records come to, by their smallest key, after every deadline passed; the same in every order tried.
pub fn settle(configuration: &Configuration, evidence: &[Evidence]) -> Vec<Action> {
    let mut random = Random(seed());
    let mut order: Vec<&Evidence> = evidence.iter().collect();
    let want = settle_in(configuration, &order, || Span(0));
    for _ in 0..12 {
        random.shuffle(&mut order);
        let got = settle_in(configuration, &order, || Span::minutes(20 * random.below(2)));
        let words = |actions: &[Action]| actions.iter().map(said).collect::<Vec<_>>();
        assert_eq!(words(&want), words(&got), "in another order");
    }
    want
}

fn settle_in(configuration: &Configuration, evidence: &[&Evidence], mut wait: impl FnMut() -> Span) -> Vec<Action> {
    let mut engine = Engine::new(configuration.clone());
    let mut now = evidence.iter().map(|record| record.end).max().unwrap_or_default();
    let mut rows = BTreeMap::new();
    let mut take = |actions: Vec<Action>| rows.extend(actions.into_iter().map(|action| (action.id, action)));
    for record in evidence {
        take(engine.step(now, Input::Evidence(std::slice::from_ref(*record))).actions);
        now = now + wait();
    }
    while let Some(due) = engine.next_due() {
        now = now.max(due);
        take(engine.step(now, Input::Tick).actions);
    }
    let mut actions: Vec<Action> = rows.into_values().filter(|action| !action.marks.merged).collect();
    actions.sort_by(|one, other| one.keys.cmp(&other.keys));
    actions
}

pub fn configuration(rules: &str) -> Configuration {
    let rules = wherefore::envelope::parse(&[("rules.yaml", rules)]).expect("an envelope");
    Configuration { rules: Arc::new(rules), ..Configuration::default() }
}

fn reason(action: &Action, sli: Sli) -> &str {
    action.verdict(sli).map_or("none", |verdict| &verdict.reason)
}

/// Seconds after 2026-11-20T06:30:00Z.
pub fn at(seconds: u64) -> Nanos {
    Nanos(1_795_156_200_000_000_000) + Span::seconds(seconds)
}

pub fn service(name: &str) -> Service {
    Service { namespace: "shop".into(), name: name.into() }
}

/// A record of trace 1 by the service `agent`: its span's number, its parent's (0: none), its seconds, what it says.
pub fn span(number: u32, parent: u32, node: Node, seconds: (u64, u64), says: Vec<What>) -> Evidence {
    let spelled = format!("{number} {parent} {node:?} {seconds:?} {says:?}");
    let mut id = [0; 16];
    id.copy_from_slice(&values::digest_bytes(spelled.as_bytes()).bytes.0[..16]);
    Evidence {
        id: EvidenceId(id),
        tenant: Tenant::default(),
        role: Role::Unspecified,
        service: service("agent"),
        service_version: None,
        instrumentation: "by-hand".into(),
        dialect: "by-hand",
        node,
        trace: Some(TraceId([1; 16])),
        span: Some(span_id(number)),
        parent: (parent > 0).then(|| span_id(parent)),
        remote_parent: false,
        links: Vec::new(),
        start: at(seconds.0),
        end: at(seconds.1),
        sampled: false,
        facts: says.into_iter().map(|what| Fact { provenance: Provenance::Dialect, what }).collect(),
        bodies: Vec::new(),
    }
}

pub fn in_trace(number: u8, evidence: Evidence) -> Evidence {
    Evidence { trace: Some(TraceId([number; 16])), ..evidence }
}

pub fn span_id(number: u32) -> SpanId {
    let mut id = [1; 8];
    id[..4].copy_from_slice(&number.to_be_bytes());
    SpanId(id)
}

/// The agent's own span, number 1, of so many seconds.
pub fn root(seconds: u64) -> Evidence {
    span(1, 0, Node::Agent, (0, seconds), Vec::new())
}

pub fn call(call: Call) -> What {
    What::Call(Box::new(call))
}

pub fn a_call(moment: Moment, id: Option<&str>, tool: &str, arguments: Option<&str>) -> Call {
    let mut call = Call::new(moment);
    call.id = id.map(Arc::from);
    call.tool = Some(tool.into());
    call.arguments = Known::or_absent(arguments.map(|arguments| values::text(arguments).0));
    call
}

/// A tool span that proves that the tool ran.
pub fn ran(id: Option<&str>, tool: &str, arguments: Option<&str>) -> Call {
    a_call(Moment::Ran { status: Status::Fine, proof: Proof::Ran }, id, tool, arguments)
}

pub fn a_denial(second: u64, call_id: Option<&str>) -> Decision {
    Decision {
        at: at(second),
        outcome: Outcome::Deny,
        by: By::Policy,
        principal: None,
        scope: GrantScope::Once,
        enforced: true,
        standing: false,
        waited: None,
        raw: "".into(),
        policies: Vec::new(),
        call_id: call_id.map(Arc::from),
        plan: None,
        tool: None,
        parameters: None,
        witness: None,
    }
}

fn denial(second: u64, call_id: Option<&str>) -> What {
    What::Decision(Box::new(a_denial(second, call_id)))
}

pub fn checked(name: &str, result: CheckResult, second: u64, call_id: Option<&str>) -> What {
    What::Check(Box::new(Check {
        at: at(second),
        name: name.into(),
        phase: Phase::PostAction,
        result,
        label: "".into(),
        score: None,
        explanation: Known::ABSENT,
        call_id: call_id.map(Arc::from),
        response_id: None,
        about: None,
        witness: None,
    }))
}

fn check(name: &str, second: u64) -> What {
    checked(name, CheckResult::Pass, second, Some("c1"))
}

fn passed_for(call_id: &str, second: u64) -> What {
    checked("early", CheckResult::Pass, second, Some(call_id))
}

fn failed(name: &str, second: u64, call_id: Option<&str>) -> What {
    checked(name, CheckResult::Fail, second, call_id)
}
