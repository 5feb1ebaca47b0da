//! CEL: what it may say, what it answers, and that nothing breaks it.

use proptest::prelude::*;

use super::*;

fn with(condition: &str) -> String {
    let quoted = serde_json::to_string(condition).expect("text");
    format!("envelope: e\nenvironments: {{ prod: \"pg://prod/*\" }}\nforbid: [{{ id: r, when: {quoted} }}]\n")
}

#[test]
fn conditions_are_true_false_or_unclear() {
    let arguments = r#"{"amount":50,"big":18446744073709551615,"half":0.5,"to":["a@x.org","b@y.org"],"who":{"name":"Ann"},
        "flag":true,"nothing":null,"secret":"<REDACTED>"}"#;
    for (condition, want) in [
        ("tool == 'delete_row' && agent == 'janitor' && service == 'ops'", "r"),
        ("effect == 'delete' && target.startsWith('pg://prod')", "r"),
        ("'prod' in environments", "r"),
        ("surfaces.size() == 0", "r"),
        ("at >= '2026-11-20T06:30:06Z' && at < '2026-11-20T06:30:07Z'", "r"),
        ("parameters.amount <= 100.0", "r"),
        ("parameters.amount <= 49", ""),
        ("parameters.half < 1 && parameters.big > 1", "r"),
        ("parameters.who.name == 'Ann' && parameters.flag && parameters.nothing == null", "r"),
        ("parameters['who']['name'] == 'Ann'", "r parameters_redacted"),
        ("parameters.to.all(to, to.endsWith('@x.org'))", ""),
        ("parameters.to.exists(to, to.matches('^b@'))", "r"),
        ("parameters.who.all(key, key in ['name'])", "r"),
        ("has(parameters.amount) && !has(parameters.other)", "r"),
        ("parameters.other == 1", "r when_unclear"),
        ("parameters.amount.other == 1", "r when_unclear"),
        ("parameters.amount == 'fifty'", ""),
        ("parameters.amount < 'fifty'", "r when_unclear"),
        ("parameters.amount + 'x' == ''", "r when_unclear"),
        ("parameters.amount / 0 == 1", "r when_unclear"),
        ("parameters.to[9] == ''", "r when_unclear"),
        ("parameters.amount", "r when_unclear"),
        // What is known for certain decides, whatever else is not.
        ("parameters.other == 1 || tool == 'delete_row'", "r"),
        ("parameters.other == 1 && tool == 'x'", ""),
        // The sample's output is no JSON.
        ("output.contains('1 row')", "r"),
        ("egress", "r when_unclear"),
        ("parameters.secret == 'x'", "r parameters_redacted"),
        ("has(parameters.secret)", "r parameters_redacted"),
        ("size(parameters) > 2", "r parameters_redacted"),
    ] {
        let got = hits(&with(condition), |action| action.arguments = parameters(arguments));
        assert_eq!(got.join(", "), want, "{condition}");
    }
}

#[test]
fn hidden_contents_make_conditions_unclear() {
    let long = format!(r#"{{"id":7,"note":"{}"}}"#, "x".repeat(5000));
    let many = format!(r#"{{"id":7,"many":[{}0]}}"#, "0,".repeat(300));
    let id = "parameters.id == 7";
    for (condition, change, want) in [
        (id, parameters(r#"{"id":7}"#), "r"),
        (id, parameters(&long), "r when_unclear"),
        (id, Known::Missing(crate::model::Missing::Withheld), "r when_unclear"),
        (id, parameters(&many), "r"),
        ("parameters.many.exists(x, x == 1)", parameters(&many), "r when_too_large"),
        ("parameters.many.size() == 301", parameters(&many), "r"),
    ] {
        let got = hits(&with(condition), |action| action.arguments = change.clone());
        assert_eq!(got.join(", "), want, "{condition}");
    }
}

#[test]
fn what_cannot_be_meant_is_a_mistake() {
    for (condition, want) in [
        (
            "parametres.id == 7",
            "`parametres` is none of tool, agent, service, effect, egress, target, environments, surfaces, data, parameters, output, at; did you mean `parameters`?",
        ),
        ("tool == 'x' && tol == 'y'", "`tol` is none of"),
        ("tool.startWith('x')", "`startWith` is no function of CEL's standard library; did you mean `startsWith`?"),
        ("later.output.ok", "`later` is known only where an invariant says what to `read`"),
        ("tool == ", "is no CEL expression"),
        ("'x'", "the expression is a constant, neither true nor false"),
        ("parameters == {'a': 1}", "no mapping can be written here"),
        ("parameters.a.all(x, x.all(y, y > 1))", "a macro inside a macro could cost too much"),
        ("tool.matches('(')", "`(` is no regular expression"),
        ("tool.matches(agent)", "`matches` needs its pattern as text in quotes"),
        ("timestamp(at) < timestamp('x')", "`timestamp` is no function"),
    ] {
        let text = format!("envelope: e\nforbid: [{{id: r, when: \"{condition}\"}}]\n");
        let mistakes = parse(&[("f", &text)]).expect_err(condition);
        let first = mistakes[0].to_string();
        let line = first.lines().next().unwrap_or_default();
        assert!(line.contains(want), "{condition}: {line}");
        assert!(line.starts_with("f:2:"), "{condition}: {line}");
    }
    let slip = parse(&[("f", "envelope: e\nforbid: [{id: r, when: \"tool == 'x' && tol == 'y'\"}]\n")]);
    assert!(said(&slip.expect_err("a slip")).starts_with("f:2:40: `tol`"), "the column is that of the word");
    let long = format!("envelope: e\nforbid: [{{id: r, when: \"tool == '{}'\"}}]\n", "x".repeat(1024));
    assert!(said(&parse(&[("f", &long)]).expect_err("long")).contains("longer than 1024 bytes"));
}

#[test]
fn mistakes_of_blocks_have_their_line() {
    let text = "envelope: e\nforbid:\n  - id: r\n    when: |\n      tool == 'x' &&\n      tol == 'y'\n";
    let mistakes = parse(&[("f", text)]).expect_err("a slip");
    assert!(mistakes[0].to_string().starts_with("f:6:7: `tol` is none of"), "{}", mistakes[0]);
}

#[test]
fn no_nesting_breaks_the_stack() {
    for text in [
        format!("{}tool == 'x'{}", "(".repeat(400), ")".repeat(400)),
        format!("{}true", "!".repeat(1000)),
        format!("{}1 == 1", "-".repeat(1000)),
        format!("{}1{} == []", "[".repeat(400), "]".repeat(400)),
        format!("1{} == 2", "+1".repeat(500)),
        format!("tool{}", ".a".repeat(500)),
        format!("tool{} == 'x'", "[0]".repeat(300)),
        format!("true{}", " && true".repeat(100)),
        format!("{}false", "true?true:".repeat(100)),
        "(".repeat(1000),
        "[".repeat(1000),
        "{".repeat(1000),
        "a.all(x,".repeat(120),
    ] {
        if let Ok(rules) = parse(&[("deep", &with(&text))]) {
            rules.view(&sample::action());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Pieces of expressions in any order, over any parameters.
    #[test]
    fn no_expression_panics(
        condition in concat!(
            "(tool|parameters|output|later|x|\\.a|\\.b|\\[0\\]|\\['a'\\]|\\.all\\(x, |\\.map\\(x, |\\.filter\\(x, |\\.exists\\(x, |has\\(|size\\(|",
            "int\\(|string\\(|double\\(|\\.matches\\('a+'\\)|\\.contains\\(|\\)|\\(| == | != | < | \\+ | - | \\* | / | % | && | \\|\\| | in |!|-|\\?|:|",
            "1|0|1u|2\\.5|9223372036854775807|-9223372036854775808|1e400|'a'|b'a'|\"a\"|true|null|\\[|\\]|,|\\{|\\}|[ -~]){1,12}"
        ),
        arguments in "[\\[\\]{}\":,a0-9 ]{0,20}|\\{\"a\":(1|\"a\"|\\[1,2\\]|\\{\"b\":1\\}),\"b\":(0|null|2.5)\\}",
    ) {
        if let Ok(rules) = parse(&[("any.yaml", &with(&condition))]) {
            let action = Action { arguments: parameters(&arguments), ..sample::action() };
            rules.view(&action);
        }
    }
}
