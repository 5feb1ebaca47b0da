//! Which rules are about a call, and how surely.

use proptest::prelude::*;

use super::*;
use crate::model::{CallSays, Missing, Role, Says};

/// Names for the targets and data of the sample action, and one rule `r`.
fn envelope(rule: &str) -> String {
    format!(
        "envelope: e
environments: {{ prod: [\"pg://prod/*\"], dev: \"pg://dev/*\" }}
surfaces: {{ people: \"*accounts*\", billing: \"*billing*\" }}
data:
  pii: {{ target: \"pg://prod/customers*\", parameter: [\"*.ssn\", email], pattern: \"[0-9]{{3}}-[0-9]{{2}}-[0-9]{{4}}\" }}
tools:
  http_*: {{ effect: send, egress: true }}
  delete_row: {{ egress: false }}
  issue_refund: {{ effect: update, target: \"shop://orders/{{order.id}}\" }}
forbid: [{{ id: r, {rule} }}]
"
    )
}

#[test]
fn selectors_are_sure_unclear_or_not_met() {
    let same: Change = |_| {};
    let no_tool: Change = |a| a.tool = Known::ABSENT;
    let no_target: Change = |a| a.target = Known::ABSENT;
    let no_effect: Change = |a| a.effect = Known::ABSENT;
    let guess: Change = |a| {
        a.effect = Known::Value((Effect::Delete, Provenance::Inferred));
        a.target = Known::Value(("pg://prod/accounts".into(), Provenance::Inferred));
    };
    let wrong_guess: Change = |a| {
        a.effect = Known::Value((Effect::Read, Provenance::Inferred));
        a.target = Known::Value(("pg://dev/accounts".into(), Provenance::Inferred));
    };
    let redacted: Change = |a| a.target = Known::Value((crate::values::DROPPED.into(), Provenance::Dialect));
    let rows: &[(&str, Change, &str)] = &[
        ("tool: delete_row", same, "r"),
        ("tool: delete_row", no_tool, "r tool_unknown"),
        ("effect: delete", same, "r"),
        ("effect: delete", no_effect, "r effect_unknown"),
        ("effect: delete", guess, "r effect_inferred"),
        // A guess excludes nothing from a limit.
        ("effect: delete", wrong_guess, "r effect_inferred"),
        ("tool: x, effect: delete", no_effect, "r effect_unknown"),
        ("tool: delete_row, effect: read", no_effect, "r"),
        ("target: \"pg://prod/*\"", same, "r"),
        ("target: \"pg://prod/*\"", no_target, "r target_unknown"),
        ("target: \"pg://prod/*\"", guess, "r target_inferred"),
        ("target: \"pg://prod/*\"", wrong_guess, "r target_inferred"),
        ("target: \"pg://prod/*\"", redacted, "r target_redacted"),
        // One sure no outweighs everything that is not known.
        ("tool: x, target: \"pg://prod/*\"", no_target, ""),
        ("effect: read, target: \"pg://prod/*\"", no_target, ""),
        ("environment: prod", same, "r"),
        ("environment: [dev, prod]", same, "r"),
        ("environment: dev", same, ""),
        ("environment: prod", no_target, "r target_unknown"),
        ("environment: prod, effect: delete", same, "r"),
        ("environment: prod, effect: delete", guess, "r effect_inferred"),
        ("surface: people", same, "r"),
        ("surface: billing", same, ""),
        ("surface: people, environment: dev", same, ""),
        ("egress: false", same, "r"),
        ("egress: true", same, ""),
        ("egress: true", |a| a.tool = Known::Value("http_post".into()), "r"),
        ("egress: true", |a| a.tool = Known::Value("other".into()), "r egress_unknown"),
        ("data: pii", same, ""),
        ("data: pii", |a| a.target = Known::Value(("pg://prod/customers".into(), Provenance::Dialect)), "r"),
        ("data: pii", |a| a.arguments = parameters(r#"{"email":"x"}"#), "r"),
        ("data: pii", |a| a.arguments = parameters(r#"{"them":[{"ssn":1}]}"#), "r"),
        ("data: pii", |a| a.arguments = parameters(r#"{"note":["it is 123-45-6789"]}"#), "r"),
        ("data: pii", |a| a.arguments = parameters(r#"{"note":"<REDACTED>"}"#), "r parameters_redacted"),
        ("data: pii", |a| a.arguments = Known::Missing(Missing::Withheld), "r parameters_withheld"),
        ("data: pii", |a| a.arguments = parameters("not json"), "r parameters_unreadable"),
        ("when: \"parameters.id == 7\"", same, "r"),
        ("when: \"parameters.id > 7\"", same, ""),
        ("when: \"parameters.other > 7\"", same, "r when_unclear"),
        ("tool: x, when: \"parameters.other > 7\"", same, ""),
        // An envelope says where the target stands.
        (
            "target: \"shop://orders/A7\"",
            |a| {
                a.tool = Known::Value("issue_refund".into());
                a.arguments = parameters(r#"{"order":{"id":"A7"}}"#);
            },
            "r",
        ),
        (
            "target: \"shop://orders/7\"",
            |a| {
                a.tool = Known::Value("issue_refund".into());
                a.target = Known::ABSENT;
                a.arguments = parameters(r#"{"order":{}}"#);
            },
            "r target_unknown",
        ),
    ];
    for (rule, change, want) in rows {
        assert_eq!(hits(&envelope(rule), change).join(", "), *want, "{rule}");
    }
}

#[test]
fn a_greater_authority_outranks_the_envelope_and_a_lesser_does_not() {
    let explicit = |role: Role| {
        move |action: &mut Action| {
            action.effect = Known::Value((Effect::Delete, Provenance::Explicit));
            let piece = &mut action.pieces[0];
            (piece.role, piece.provenance) = (role, Provenance::Explicit);
            let Says::Call(call) = &mut piece.says else { panic!("a call") };
            **call = CallSays { effect: Some(Effect::Delete), ..(**call).clone() };
        }
    };
    let effect = |text: &str, change: &dyn Fn(&mut Action)| {
        let mut action = sample::action();
        change(&mut action);
        rules(text).view(&action).deed.effect
    };
    let silent = "envelope: e\n";
    let declared = "envelope: e\ntools: { delete_row: { effect: update } }\n";
    let by = |authority| Some((Effect::Delete, authority));
    assert_eq!(effect(silent, &|_| {}), by(Authority::Defined));
    assert_eq!(effect(silent, &explicit(Role::Unspecified)), by(Authority::Claimed));
    assert_eq!(effect(silent, &explicit(Role::Gateway)), by(Authority::Testified));
    let guess = |a: &mut Action| a.effect = Known::Value((Effect::Delete, Provenance::Inferred));
    assert_eq!(effect(silent, &guess), by(Authority::Inferred));
    let update = Some((Effect::Update, Authority::Declared));
    assert_eq!(effect(declared, &|_| {}), update);
    assert_eq!(effect(declared, &explicit(Role::Unspecified)), update);
    assert_eq!(effect(declared, &explicit(Role::Gateway)), by(Authority::Testified));
}

#[test]
fn an_envelope_judges_by_its_own_word_of_a_tool() {
    let one = "envelope: one\ntools: { delete_row: { effect: update } }\nforbid: [{ id: r, effect: update }]\n";
    let two = "envelope: two\ntools: { \"*_row\": { effect: send } }\nforbid: [{ id: r, effect: [send, update] }]\n";
    let three = "envelope: three\nforbid: [{ id: r, effect: update }, { id: s, effect: delete }]\n";
    let action = sample::action();
    let rules = parse(&[("1", one), ("2", two), ("3", three)]).expect("right");
    let view = rules.view(&action);
    let names: Vec<&str> = view.hits.iter().map(|hit| hit.rule.name()).collect();
    // The third says nothing of the tool and believes the first.
    assert_eq!(names, ["envelope.one.r", "envelope.three.r", "envelope.two.r"]);
}

#[test]
fn a_deed_names_environments_surfaces_and_data() {
    let text = envelope("data: pii");
    let mut action = sample::action();
    action.arguments = parameters(r#"{"email":"a@b.c"}"#);
    let rules = rules(&text);
    let deed = rules.view(&action).deed;
    let names = |set: &BTreeSet<std::sync::Arc<str>>| set.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&deed.environments), ["prod"]);
    assert_eq!(names(&deed.surfaces), ["people"]);
    assert_eq!(names(&deed.data), ["pii"]);
    assert_eq!(deed.egress, Some((false, Authority::Declared)));
}

#[test]
fn what_is_not_listed_is_outside() {
    let allow =
        "envelope: e\nallow: [{ id: reads, effect: read }, { id: row, tool: delete_row, target: \"pg://dev/*\" }]\n";
    let listed = "envelope: e\nonly_listed: true\ntools: { read_*: {}, delete_row: {} }\n";
    let same: Change = |_| {};
    let rows: &[(&str, Change, &str)] = &[
        (allow, same, "allow"),
        (allow, |a| a.effect = Known::Value((Effect::Read, Provenance::Dialect)), ""),
        (allow, |a| a.target = Known::Value(("pg://dev/x".into(), Provenance::Dialect)), ""),
        (allow, |a| a.target = Known::ABSENT, "allow target_unknown"),
        (allow, |a| a.effect = Known::ABSENT, "allow effect_unknown"),
        // A guess neither puts a call outside nor inside.
        (allow, |a| a.effect = Known::Value((Effect::Read, Provenance::Inferred)), "allow effect_inferred"),
        (allow, |a| a.effect = Known::Value((Effect::Send, Provenance::Inferred)), "allow effect_inferred"),
        (listed, same, ""),
        (listed, |a| a.tool = Known::Value("drop_row".into()), "only-listed"),
        (listed, |a| a.tool = Known::ABSENT, "only-listed tool_unknown"),
        ("envelope: e\nagent: other\nallow: [{ id: r, tool: x }]\n", same, ""),
    ];
    for (text, change, want) in rows {
        assert_eq!(hits(text, change).join(", "), *want, "{text}");
    }
}

#[test]
fn a_freeze_is_about_everything_but_reading() {
    let freeze = |more: &str| {
        format!("envelope: e\nfreeze: [{{ id: f, from: 2026-11-01T00:00:00Z, until: 2026-12-01T00:00:00Z{more} }}]\n")
    };
    let same: Change = |_| {};
    let read: Change = |a| a.effect = Known::Value((Effect::Read, Provenance::Dialect));
    for (more, change, want) in [
        ("", same, vec!["f"]),
        ("", read, vec![]),
        (", effect: read", read, vec!["f"]),
        (", tool: other", same, vec![]),
        (", target: \"pg://dev/*\"", same, vec![]),
        ("", |a| a.effect = Known::ABSENT, vec!["f effect_unknown"]),
        ("", |a| a.end = crate::model::Nanos(0), vec![]),
    ] {
        assert_eq!(hits(&freeze(more), change), want, "{more}");
    }
    assert_eq!(forbidding(&freeze(""), same), ["f"]);
}

#[test]
fn who_is_not_covered_is_not_judged() {
    let text = "envelope: e\nagent: other\nforbid: [{ id: r, tool: \"*\" }]\n";
    let (rules, action) = (rules(text), sample::action());
    let view = rules.view(&action);
    assert!(!view.covered && view.hits.is_empty());
    assert_eq!(view.deed.effect, Some((Effect::Delete, Authority::Defined)));
    assert!(rules_without_selector().view(&action).covered);
}

fn rules_without_selector() -> Rules {
    rules("envelope: e\n")
}

/// A call in few words, so that rules and calls meet often.
fn call() -> impl Strategy<Value = Action> {
    let tool = proptest::option::of("[ab]{1,2}");
    let provenance = prop_oneof![Just(Provenance::Inferred), Just(Provenance::Dialect), Just(Provenance::Explicit)];
    let effect = proptest::option::of((proptest::sample::select(Effect::ALL), provenance.clone()));
    let target = proptest::option::of(("[ab]:/[ab]{0,2}|<REDACTED>", provenance));
    let arguments = prop_oneof![
        Just(None),
        "[a-z\"{}:,0-9\\[\\]]{0,12}".prop_map(Some),
        "[ab]{1,2}".prop_map(|value| Some(format!(r#"{{"a":"{value}","b":[1,{{"c":2}}]}}"#))),
    ];
    (tool, effect, target, arguments, "[ab]{0,2}").prop_map(|(tool, effect, target, arguments, agent)| Action {
        tool: Known::or_absent(tool.map(Into::into)),
        effect: Known::or_absent(effect),
        target: Known::or_absent(target.map(|(target, provenance)| (target.into(), provenance))),
        arguments: Known::or_absent(arguments.map(|json| sample::text(&json))),
        output: Known::Value(sample::text("{\"a\":1}")),
        agent: Known::or_absent((!agent.is_empty()).then(|| (agent.as_str().into(), None))),
        ..sample::action()
    })
}

/// An envelope with a few rules of every kind of selector.
fn file() -> impl Strategy<Value = String> {
    let selector = prop_oneof![
        "tool: \"[ab*?]{1,2}\"",
        "effect: (read|delete|send)",
        "tool: \"[ab]\", effect: (read|update)",
        "target: \"[ab]:/[ab*]{1,2}\"",
        "effect: (read|delete), target: \"[ab]:\\*\"",
        "environment: (one|two)",
        "surface: on, effect: delete",
        "egress: (true|false)",
        "data: some",
        Just("when: \"parameters.a == 'a' || tool.startsWith('b')\"".to_owned()),
    ];
    let rules = proptest::collection::vec(selector, 0..6);
    (rules.clone(), rules, "[ab*]{1,2}", any::<bool>()).prop_map(|(forbid, allow, agent, tools)| {
        let list = |prefix: &str, rules: &[String]| {
            let numbered = rules.iter().enumerate();
            numbered.map(|(number, rule)| format!("  - {{ id: {prefix}{number}, {rule} }}\n")).collect::<String>()
        };
        let mut text = format!(
            "agent: \"{agent}\"\nenvironments: {{ one: \"a:*\", two: \"*b\" }}\nsurfaces: {{ on: \"*a*\" }}\n\
             data: {{ some: {{ parameter: \"b.c\", pattern: \"^b\" }} }}\n"
        );
        if tools {
            text += "tools: { \"a*\": { effect: send, egress: true, target: \"a:/{a}\" } }\n";
        }
        for (key, prefix, rules) in [("forbid", "f", &forbid), ("allow", "a", &allow)] {
            if !rules.is_empty() {
                text += &format!("{key}:\n{}", list(prefix, rules));
            }
        }
        text
    })
}

proptest! {
    /// The index leaves nothing out: asking every rule gives the same. And nothing panics.
    #[test]
    fn the_index_finds_what_asking_every_rule_finds(one in file(), two in file(), action in call()) {
        let rules = parse(&[("1", &format!("envelope: one\n{one}")), ("2", &format!("envelope: two\n{two}"))]);
        let rules = rules.unwrap_or_else(|mistakes| panic!("{one}\n{two}\n{}", said(&mistakes)));
        let view = rules.view(&action);
        let told: Vec<String> = view.hits.iter().map(|hit| format!("{} {:?}", hit.rule.name(), hit.fit)).collect();
        prop_assert_eq!(told, rules.asked(&action));
        for hit in &view.hits {
            hit.rule.kept(&action);
        }
    }
}
