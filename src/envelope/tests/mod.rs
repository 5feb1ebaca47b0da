//! What envelopes mean, row by row.

mod conditions;
mod demands;
mod view;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::model::{Action, Effect, Field, Known, Provenance, Severity, Span, sample};

fn rules(text: &str) -> Rules {
    parse(&[("test.yaml", text)]).unwrap_or_else(|mistakes| panic!("{}", said(&mistakes)))
}

fn said(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What a row changes in the sample action.
type Change = fn(&mut Action);

/// The rules that forbid the sample action (`delete_row`, delete, on `pg://prod/accounts`, by `janitor` of `ops`)
/// after a change.
fn forbidding(text: &str, change: Change) -> Vec<String> {
    let mut action = sample::action();
    change(&mut action);
    rules(text).forbidding(&action).map(|rule| rule.id().to_owned()).collect()
}

/// What each rule that is about an action says: its id, and why it is unclear.
fn hits(text: &str, change: impl Fn(&mut Action)) -> Vec<String> {
    let mut action = sample::action();
    change(&mut action);
    let rules = rules(text);
    let view = rules.view(&action);
    view.hits.iter().map(shown).collect()
}

fn shown(hit: &Hit<'_>) -> String {
    match hit.fit {
        Fit::Yes => hit.rule.id().to_owned(),
        Fit::Unclear(reason) => format!("{} {reason}", hit.rule.id()),
    }
}

fn parameters(json: &str) -> Known<crate::model::Text> {
    Known::Value(sample::text(json))
}

#[test]
fn a_rule_forbids_what_its_selectors_say_together() {
    let nothing: Change = |_| {};
    let rows: &[(&str, Change, bool)] = &[
        ("tool: delete_row", nothing, true),
        ("tool: [drop_*, delete_*]", nothing, true),
        ("tool: read_*", nothing, false),
        ("effect: delete", nothing, true),
        ("effect: [create, send]", nothing, false),
        ("tool: read_*\n    effect: delete", nothing, true),
        ("tool: read_*\n    effect: send", nothing, false),
        ("target: pg://prod/*", nothing, true),
        ("target: pg://dev/*", nothing, false),
        ("tool: delete_*\n    target: pg://dev/*", nothing, false),
        // What is not known matches nothing.
        ("tool: \"*\"", |a| a.tool = Known::ABSENT, false),
        ("target: \"*\"", |a| a.target = Known::ABSENT, false),
        ("target: \"*\"", |a| a.target = Known::Value(("pg://prod".into(), Provenance::Inferred)), false),
        ("effect: delete", |a| a.effect = Known::ABSENT, false),
        ("effect: delete", |a| a.effect = Known::Value((Effect::Delete, Provenance::Inferred)), false),
        ("target: pg://prod/*", |a| a.tool = Known::ABSENT, true),
        // The window holds its beginning and not its end. The action ended at 06:30:06.
        ("tool: \"*\"\n    from: 2026-11-20T06:30:06Z", nothing, true),
        ("tool: \"*\"\n    from: 2026-11-20T06:30:07Z", nothing, false),
        ("tool: \"*\"\n    until: 2026-11-20T06:30:06Z", nothing, false),
        ("tool: \"*\"\n    until: 2026-11-20T07:30:06.5+01:00", nothing, true),
    ];
    for (selectors, change, want) in rows {
        let text = format!("envelope: e\nforbid:\n  - id: r\n    {selectors}\n");
        assert_eq!(forbidding(&text, *change), if *want { vec!["r"] } else { vec![] }, "{selectors}");
    }
}

#[test]
fn an_envelope_applies_to_its_agents_and_services() {
    let nothing: Change = |_| {};
    let unnamed: Change = |action| action.agent = Known::ABSENT;
    for (head, change, want) in [
        ("", nothing, true),
        ("agent: jan*", nothing, true),
        ("agent: [clerk, janitor]", nothing, true),
        ("agent: clerk", nothing, false),
        ("service: ops", nothing, true),
        ("service: billing", nothing, false),
        ("agent: janitor\nservice: billing", nothing, false),
        // An agent without a name goes by its service's.
        ("agent: ops", unnamed, true),
        ("agent: janitor", unnamed, false),
    ] {
        let text =
            format!("envelope: e\n{head}\nforbid: [{{id: r, tool: \"*\"}}]\nprofile: intent\ncheck_within: 5m\n");
        assert_eq!(!forbidding(&text, change).is_empty(), want, "{head}");
        let mut action = sample::action();
        change(&mut action);
        assert_eq!(rules(&text).profile(&action).is_some(), want, "{head}");
        assert_eq!(rules(&text).check_within(&action).is_some(), want, "{head}");
    }
}

#[test]
fn declared_effects_outrank_those_of_telemetry() {
    for (effects, want) in [
        ("{}", true),
        ("{delete_row: update}", false),
        ("{delete_draft: update}", true),
        ("{\"*_row\": update, delete_row: delete}", false),
        ("{delete_row: delete, \"*_row\": update}", true),
    ] {
        let text = format!("envelope: e\neffects: {effects}\nforbid: [{{id: r, effect: delete}}]\n");
        assert_eq!(!forbidding(&text, |_| {}).is_empty(), want, "{effects}");
    }
    let text = "envelope: e\neffects: {delete_row: send}\nforbid: [{id: r, effect: send}]\n";
    assert_eq!(forbidding(text, |action| action.effect = Known::ABSENT), ["r"]);
}

#[test]
fn several_envelopes_add_up() {
    let one = "envelope: one\nprofile: [intent, tool]\ncheck_within: 10m\nforbid: [{id: r, tool: delete_*}]\n";
    let two = "envelope: two\nprofile: [tool, output]\ncheck_within: 90s\nforbid: [{id: r, effect: delete}]\n";
    let rules = parse(&[("1.yaml", one), ("2.yaml", two)]).expect("both are right");
    let action = sample::action();
    assert_eq!(rules.profile(&action), Some(BTreeSet::from([Field::Intent, Field::Tool, Field::Output])));
    assert_eq!(rules.check_within(&action), Some(Span::seconds(90)));
    let names: Vec<&str> = rules.forbidding(&action).map(Rule::name).collect();
    assert_eq!((names, rules.len()), (vec!["envelope.one.r", "envelope.two.r"], (2, 2)));
}

#[test]
fn severity_is_bounded_by_mode() {
    for (mode, severity, want) in [
        ("enforce", "page", Severity::Page),
        ("enforce", "info", Severity::Info),
        ("warn", "page", Severity::Ticket),
        ("warn", "info", Severity::Info),
        ("shadow", "page", Severity::Info),
    ] {
        let text = format!("envelope: e\nforbid: [{{id: r, tool: \"*\", mode: {mode}, severity: {severity}}}]\n");
        let (rules, action) = (rules(&text), sample::action());
        assert_eq!(rules.forbidding(&action).map(Rule::severity).collect::<Vec<_>>(), [want], "{text}");
    }
}

#[test]
fn defaults_are_enforce_and_page() {
    let rules = rules("envelope: e\nforbid: [{id: r, tool: \"*\"}]\n");
    let action = sample::action();
    let rule = rules.forbidding(&action).next().expect("forbids everything");
    assert_eq!((rule.mode(), rule.severity(), rule.because()), (Mode::Enforce, Severity::Page, None));
}

#[test]
fn no_rules_forbid_nothing_and_ask_for_nothing() {
    let (rules, action) = (Rules::default(), sample::action());
    assert!(rules.is_empty() && rules.forbidding(&action).next().is_none());
    assert!(rules.profile(&action).is_none() && rules.check_within(&action).is_none());
    assert_eq!(parse(&[]), Ok(rules));
}

#[test]
fn the_digest_is_of_the_meaning() {
    let one = "envelope: one\nforbid:\n  - id: r\n    tool: delete_*\n";
    let same = "# a comment\nforbid: [{tool: [delete_*], id: r, mode: enforce}]\nenvelope: \"one\"\n";
    let two = "envelope: two\nprofile: [tool, intent]\n";
    assert_eq!(rules(one).digest(), rules(same).digest());
    assert_ne!(rules(one).digest(), rules(&one.replace("delete_*", "drop_*")).digest());
    assert_ne!(rules(one).digest(), rules(&format!("{one}    because: x\n")).digest());
    let digest = |files: &[(&str, &str)]| parse(files).expect("right").digest();
    assert_eq!(digest(&[("1", one), ("2", two)]), digest(&[("b", two), ("a", one)]));
}

proptest! {
    #[test]
    fn any_text_is_rules_or_mistakes(text in concat!(
        "(envelope: e\n|agent|forbid:\n|allow:\n|parameters:\n|limit:\n|task:\n|invariant:\n|tests:\n|tools|data|  - id: r\n|",
        "    tool: x\n|    when: |    check: |    schema: |    holds: |profile|: |\\[|\\]|\\{|\\}|\n|\"|\\*|x|-|[ -~]){0,30}"
    )) {
        match parse(&[("any.yaml", &text)]) {
            Ok(rules) => prop_assert!(!rules.is_empty()),
            Err(mistakes) => prop_assert!(!mistakes.is_empty()),
        }
    }
}
