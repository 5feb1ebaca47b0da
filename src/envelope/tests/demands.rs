//! Whether an action keeps what a rule asks for.

use super::*;
use crate::model::{By, Missing, Outcome};

/// How an action keeps the only rule.
fn kept(text: &str, change: impl Fn(&mut Action)) -> String {
    let mut action = sample::action();
    change(&mut action);
    let rules = rules(text);
    let view = rules.view(&action);
    match view.hits[0].rule.kept(&action) {
        Kept::Yes => "yes".to_owned(),
        Kept::No { path, message } => format!("{path} {message}"),
        Kept::Unclear(reason) => format!("? {reason}"),
    }
}

#[test]
fn parameters_keep_their_constraints() {
    let rows: &[(&str, &str, &str)] = &[
        ("a: {type: number, min: 0, max: 100}", r#"{"a":50}"#, "yes"),
        ("a: {type: number, min: 0, max: 100}", r#"{"a":100.5}"#, "a is more than 100"),
        ("a: {type: number, min: 0, max: 100}", r#"{"a":-1}"#, "a is less than 0"),
        ("a: {type: number}", r#"{"a":"50"}"#, "a is no number"),
        ("a: {max: 100}", r#"{"a":"lots"}"#, "a is no number"),
        ("a: {max: 100}", r#"{}"#, "a is missing"),
        ("a: {max: 100, optional: true}", r#"{}"#, "yes"),
        ("a: {absent: true}", r#"{}"#, "yes"),
        ("a: {absent: true}", r#"{"a":null}"#, "a is there"),
        ("a: {type: integer}", r#"{"a":5.0}"#, "yes"),
        ("a: {type: integer}", r#"{"a":5.5}"#, "a is no integer"),
        ("a: {type: boolean}", r#"{"a":true}"#, "yes"),
        ("a: {type: object}", r#"{"a":[]}"#, "yes"),
        ("a: {type: array, max_length: 2}", r#"{"a":[1,2,3]}"#, "a is longer than 2"),
        ("a: {type: \"null\"}", r#"{"a":null}"#, "yes"),
        ("a: {in: [EUR, USD]}", r#"{"a":"EUR"}"#, "yes"),
        ("a: {in: [EUR, USD]}", r#"{"a":"eur"}"#, "a is none of those listed"),
        ("a: {in: [1, 2]}", r#"{"a":2.0}"#, "yes"),
        ("a: {not_in: root}", r#"{"a":"root"}"#, "a is one of those refused"),
        ("a: {not_in: root}", r#"{"a":["me","root"]}"#, "a is one of those refused"),
        ("a: {pattern: \"@x\\\\.org$\"}", r#"{"a":["me@x.org","you@x.org"]}"#, "yes"),
        ("a: {pattern: \"@x\\\\.org$\"}", r#"{"a":["me@x.org","you@y.org"]}"#, "a does not match the pattern"),
        ("a: {pattern: \"^7\"}", r#"{"a":71}"#, "yes"),
        ("a: {pattern: \"x\"}", r#"{"a":{"x":1}}"#, "a does not match the pattern"),
        ("a: {min_length: 2, max_length: 3}", r#"{"a":"äöü"}"#, "yes"),
        ("a: {min_length: 2}", r#"{"a":"ä"}"#, "a is shorter than 2"),
        ("a: {max_length: 3}", r#"{"a":"abcd"}"#, "a is longer than 3"),
        ("a: {max_length: 3}", r#"{"a":7}"#, "a is longer than 3"),
        ("\"a.b\": {max: 1}", r#"{"a":{"b":2}}"#, "a.b is more than 1"),
        ("\"a.b\": {max: 1}", r#"{"a":[{"b":1},{"b":2}]}"#, "a.b is more than 1"),
        ("\"a.b\": {max: 1}", r#"{"a":[{"b":1},{}]}"#, "a.b is missing"),
        ("\"a.b\": {max: 1}", r#"{"a":7}"#, "a.b is missing"),
        // A string that holds JSON is that JSON.
        ("\"a.b\": {max: 1}", r#"{"a":"{\"b\":2}"}"#, "a.b is more than 1"),
        ("a: {max: 1}", r#""{\"a\":2}""#, "a is more than 1"),
        ("a: {max: 1}", r#"{"a":"<REDACTED>"}"#, "? parameters_redacted"),
        // What is surely broken outweighs what is hidden.
        ("a: {max: 1}, b: {max: 1}", r#"{"a":"<REDACTED>","b":2}"#, "b is more than 1"),
        ("a: {max: 1}", "plain words", "? parameters_unreadable"),
        ("a: {max: 1}", r#"<REDACTED>"#, "? parameters_redacted"),
    ];
    for (check, arguments, want) in rows {
        let text = format!("envelope: e\nparameters: [{{id: r, tool: \"*\", check: {{ {check} }}}}]\n");
        assert_eq!(kept(&text, |a| a.arguments = parameters(arguments)), *want, "{check} {arguments}");
    }
    let text = "envelope: e\nparameters: [{id: r, tool: \"*\", check: {a: {max: 1}}}]\n";
    assert_eq!(kept(text, |a| a.arguments = Known::ABSENT), "? parameters_unknown");
    assert_eq!(kept(text, |a| a.arguments = Known::Missing(Missing::Withheld)), "? parameters_withheld");
    let long = format!(r#"{{"a":2,"b":"{}"}}"#, "x".repeat(5000));
    assert_eq!(kept(text, |a| a.arguments = parameters(&long)), "? parameters_cut");
}

#[test]
fn outputs_keep_their_schema() {
    let schema =
        "{type: object, required: [id], properties: {id: {type: integer, minimum: 1}, tags: {items: {type: string}}}}";
    let text = format!("envelope: e\noutput: [{{id: r, tool: \"*\", schema: {schema}}}]\n");
    for (output, want) in [
        (r#"{"id":7}"#, "yes"),
        (r#"{}"#, " breaks `/required` of the schema"),
        (r#"{"id":0}"#, "/id breaks `/properties/id/minimum` of the schema"),
        (r#"{"id":7,"tags":["a",1]}"#, "/tags/1 breaks `/properties/tags/items/type` of the schema"),
        (r#"{"id":0,"tags":[1]}"#, "/id breaks `/properties/id/minimum` of the schema"),
        ("[]", " breaks `/type` of the schema"),
        ("1 row deleted", " is no JSON"),
        (r#"{"id":"<REDACTED>"}"#, "? output_redacted"),
    ] {
        assert_eq!(kept(&text, |a| a.output = parameters(output)), want, "{output}");
    }
    assert_eq!(kept(&text, |a| a.output = Known::ABSENT), "? output_unknown");
    assert_eq!(kept(&text, |a| a.output = Known::Missing(Missing::Withheld)), "? output_withheld");
    assert_eq!(kept(&text, |a| a.output = parameters(&format!("[{}]", "1,".repeat(5000)))), "? output_cut");
}

#[test]
fn invariants_hold_over_the_call_or_a_later_one() {
    let now = "envelope: e\ninvariant: [{id: r, tool: \"*\", holds: \"output.status == 'closed'\"}]\n";
    assert_eq!(kept(now, |a| a.output = parameters(r#"{"status":"closed"}"#)), "yes");
    assert_eq!(
        kept(now, |a| a.output = parameters(r#"{"status":"open"}"#)),
        "holds `output.status == 'closed'` is false"
    );
    assert_eq!(kept(now, |a| a.output = Known::ABSENT), "? when_unclear");
    let later = "envelope: e\ntools: { get_*: { effect: read } }\ninvariant: [{id: r, tool: delete_row, within: 10m,
        read: {tool: get_row, where: \"later.parameters.id == parameters.id\"}, holds: \"later.output.found == false\"}]\n";
    assert_eq!(kept(later, |_| {}), "? needs_later_read");
    let (rules, action) = (rules(later), sample::action());
    let view = rules.view(&action);
    let Demand::Invariant(invariant) = view.hits[0].rule.demand() else { panic!("an invariant") };
    assert_eq!(invariant.within(), Some(Span::seconds(600)));
    assert!(invariant.read().is_some());
    let read = |tool: &str, arguments: &str, output: &str| Action {
        tool: Known::Value(tool.into()),
        arguments: parameters(arguments),
        output: parameters(output),
        effect: Known::ABSENT,
        ..sample::action()
    };
    let gone = read("get_row", r#"{"id":7}"#, r#"{"found":false}"#);
    assert_eq!(invariant.fits_read(&action, &gone), Some(Fit::Yes));
    assert_eq!(invariant.holds_after(&action, &gone), Kept::Yes);
    let there = read("get_row", r#"{"id":7}"#, r#"{"found":true}"#);
    assert!(matches!(invariant.holds_after(&action, &there), Kept::No { .. }));
    assert_eq!(invariant.fits_read(&action, &read("get_row", r#"{"id":8}"#, "{}")), None);
    assert_eq!(invariant.fits_read(&action, &read("list", r#"{"id":7}"#, "{}")), None);
    assert_eq!(invariant.fits_read(&action, &read("get_row", "{}", "{}")), Some(Fit::Unclear("when_unclear")));
}

#[test]
fn tasks_know_their_turns_and_their_calls() {
    let text = "envelope: e\ntask: [{id: t, intent: [\"*REFUND*\"], intent_id: \"R-*\",
        allow: [{tool: get_order}, {tool: delete_row, when: \"parameters.id <= 100\"}]}]\n";
    let (rules, action) = (rules(text), sample::action());
    let view = rules.view(&action);
    let Demand::Task(task) = view.hits[0].rule.demand() else { panic!("a task") };
    for (intent, id, want) in [
        (Some("Please refund me"), None, true),
        (Some("Delete it"), Some("R-7"), true),
        (Some("Delete it"), Some("r-7"), false),
        (None, None, false),
    ] {
        assert_eq!(task.is_of(intent, id), want, "{intent:?} {id:?}");
    }
    assert_eq!(task.allows(&action, &view.deed), Some(Fit::Yes));
    let other = |arguments: &str| Action { arguments: parameters(arguments), ..sample::action() };
    assert_eq!(task.allows(&other(r#"{"id":101}"#), &view.deed), None);
    assert_eq!(task.allows(&other("{}"), &view.deed), Some(Fit::Unclear("when_unclear")));
}

#[test]
fn an_approval_is_by_somebody_who_may() {
    let text = "envelope: e\napproval: [{id: one, tool: \"*\"}, {id: two, tool: \"*\", by: [human, policy], principal: \"sre:*\"}]\n";
    let (rules, action) = (rules(text), sample::action());
    let view = rules.view(&action);
    let accepts = |at: usize, by: By, principal: Option<&str>| {
        let Demand::Approval(approval) = view.hits[at].rule.demand() else { panic!("an approval") };
        let decision = sample::decision(Outcome::Allow, by);
        approval.accepts(&crate::model::Decision { principal: principal.map(Into::into), ..decision })
    };
    assert_eq!(accepts(0, By::Human, None), Some(true));
    assert_eq!(accepts(0, By::Policy, None), Some(false));
    assert_eq!(accepts(1, By::Policy, Some("sre:7")), Some(true));
    assert_eq!(accepts(1, By::Human, Some("dev:7")), Some(false));
    assert_eq!(accepts(1, By::Human, None), None);
}

#[test]
fn limits_and_breakers_are_as_written() {
    let text = "envelope: e\nmode: shadow\nlimit: [{id: a, tool: x, at_most: 10, per: 1h}, {id: b, tool: x, at_most: 1, per: turn, mode: enforce}]
breaker: [{id: c, consecutive: 3, total: 20}, {id: d, evidence: 1e-4}]\n";
    let rules = rules(text);
    let action = Action { tool: Known::Value("x".into()), ..sample::action() };
    let demands: Vec<String> =
        rules.view(&action).hits.iter().map(|hit| format!("{} {:?}", hit.rule.mode(), hit.rule.demand())).collect();
    assert_eq!(
        demands,
        [
            "shadow Limit(Limit { at_most: 10, per: Time(Span(3600000000000)) })",
            "enforce Limit(Limit { at_most: 1, per: Turn })",
            "shadow Breaker(Breaker { consecutive: Some(3), total: Some(20), evidence: None })",
            "shadow Breaker(Breaker { consecutive: None, total: None, evidence: Some(0.0001) })",
        ]
    );
    assert!(rules.enforced().next().is_none());
}

#[test]
fn a_rule_knows_the_digest_of_its_own_envelope() {
    let (one, two) = ("envelope: one\nforbid: [{id: r, tool: x}]\n", "envelope: two\nforbid: [{id: r, tool: x}]\n");
    let action = Action { tool: Known::Value("x".into()), ..sample::action() };
    let digests = |files: &[(&str, &str)]| {
        let rules = parse(files).expect("right");
        rules.view(&action).hits.iter().map(|hit| hit.rule.envelope_digest()).collect::<Vec<_>>()
    };
    let both = digests(&[("1", one), ("2", two)]);
    assert_ne!(both[0], both[1]);
    let changed = two.replace("tool: x", "tool: [x, y]");
    let after = digests(&[("1", one), ("2", &changed)]);
    assert_eq!(both[0], after[0]);
    assert_ne!(both[1], after[1]);
    // Tests of a file are no part of what it means.
    let tested = format!("{one}tests: [{{name: t, action: {{tool: x}}, expect: {{findings: []}}}}]\n");
    assert_eq!(digests(&[("1", &tested)]), [both[0]]);
    assert_eq!(parse(&[("1", one)]).map(|it| it.digest()), parse(&[("1", &tested)]).map(|it| it.digest()));
}
