//! Golden table of `envelope`, first half: which calls a rule is about, and how loud it is.
//!
//! From `docs/envelopes.md`: any value of a key is enough, keys hold together, `tool` or `effect` is enough, what is
//! not known or only guessed matches nothing for certain and makes nothing good. The sample deletes account 7 from
//! `pg://prod/accounts` and ends at 06:30:06.

use super::*;
use crate::model::{Execution, State};
use Provenance::{Dialect, Inferred};

#[test]
fn it_is_asked_of_calls_that_ran_under_an_envelope() {
    let forbid = "forbid: [{ id: r, effect: delete }]";
    golden(
        Sli::Envelope,
        forbid,
        &[
            ("it ran", |_| {}, "bad forbidden by r", "page r"),
            (
                "it ran and failed",
                |s| s.action.state = State::Executed(Execution::Failed("x".into())),
                "bad forbidden by r",
                "page r",
            ),
            (
                "nothing proves that it ran",
                |s| s.action.state = State::Executed(Execution::UnknownResult),
                "unknown execution_not_proven",
                "ticket r",
            ),
            ("it was refused", |s| s.action.state = State::Refused(By::Policy), "-", "info r.attempt"),
            ("it was proposed", |s| s.action.state = State::Proposed, "-", "info r.attempt"),
            ("it was stopped", |s| s.action.state = State::Aborted, "-", "info r.attempt"),
            (
                "a human approved it",
                |s| s.decided(Decision { at: at(3), ..allowed(human()) }),
                "bad forbidden by r",
                "page r",
            ),
        ],
    );
    for elsewhere in ["agent: bouncer", "service: [billing, crm]"] {
        golden(Sli::Envelope, &format!("{elsewhere}\n{forbid}"), &[("of another", |_| {}, "unknown no_envelope", "")]);
    }
    for here in ["agent: [bouncer, \"jan*\"]", "service: o?s"] {
        golden(Sli::Envelope, &format!("{here}\n{forbid}"), &[("its own", |_| {}, "bad forbidden by r", "page r")]);
    }
}

#[test]
fn by_tool() {
    golden(
        Sli::Envelope,
        "forbid: [{ id: r, tool: [drop_table, \"delete_*\"] }]",
        &[
            ("one of them", |_| {}, "bad forbidden by r", "page r"),
            ("none of them", |s| s.action.tool = Known::Value("undelete_row".into()), "good inside", ""),
            ("nobody named it", |s| s.action.tool = Known::ABSENT, "unknown tool_unknown by r", ""),
        ],
    );
}

#[test]
fn by_effect() {
    golden(
        Sli::Envelope,
        "forbid: [{ id: r, effect: [delete, send] }]",
        &[
            ("one of them", |s| s.does(Effect::Send, Dialect), "bad forbidden by r", "page r"),
            ("none of them", |s| s.does(Effect::Update, Dialect), "good inside", ""),
            ("nobody told", |s| s.action.effect = Known::ABSENT, "unknown effect_unknown by r", ""),
            ("a guess accuses nobody", |s| s.does(Effect::Delete, Inferred), "unknown effect_inferred by r", ""),
            ("a guess excuses nothing", |s| s.does(Effect::Read, Inferred), "unknown effect_inferred by r", ""),
        ],
    );
    golden(
        Sli::Envelope,
        "forbid: [{ id: r, tool: drop_table, effect: delete }]",
        &[
            ("the effect is enough", |_| {}, "bad forbidden by r", "page r"),
            (
                "the tool is enough",
                |s| {
                    s.action.tool = Known::Value("drop_table".into());
                    s.action.effect = Known::ABSENT;
                },
                "bad forbidden by r",
                "page r",
            ),
            ("neither", |s| s.does(Effect::Read, Dialect), "good inside", ""),
        ],
    );
}

#[test]
fn by_target() {
    for rules in [
        "forbid: [{ id: r, target: [\"pg://prod/*\", \"s3://*\"] }]",
        "environments: { prod: [\"pg://prod/*\"] }\nforbid: [{ id: r, environment: prod }]",
        "surfaces: { accounts: \"*/prod/accounts*\" }\nforbid: [{ id: r, surface: accounts }]",
        "data: { secret: { target: \"pg://prod/*\" } }\nforbid: [{ id: r, data: secret }]",
    ] {
        golden(
            Sli::Envelope,
            rules,
            &[
                ("there", |_| {}, "bad forbidden by r", "page r"),
                ("elsewhere", |s| s.is_about("pg://dev/accounts", Dialect), "good inside", ""),
                ("nobody told", |s| s.action.target = Known::ABSENT, "unknown target_unknown by r", ""),
                ("a guess", |s| s.is_about("pg://prod/accounts", Inferred), "unknown target_inferred by r", ""),
                ("a guess elsewhere", |s| s.is_about("pg://dev/x", Inferred), "unknown target_inferred by r", ""),
            ],
        );
    }
}

#[test]
fn by_data_in_parameters() {
    for class in ["parameter: [ssn, id]", "pattern: \"^acc\""] {
        golden(
            Sli::Envelope,
            &format!("data: {{ secret: {{ {class} }} }}\nforbid: [{{ id: r, data: secret }}]"),
            &[
                ("there", |_| {}, "bad forbidden by r", "page r"),
                ("not there", |s| s.action.arguments = Known::Value(text(r#"{"table":"bills"}"#)), "good inside", ""),
                ("withheld", Setting::withhold_parameters, "unknown parameters_withheld by r", ""),
            ],
        );
    }
}

#[test]
fn by_egress() {
    golden(
        Sli::Envelope,
        "forbid: [{ id: r, egress: true }]",
        &[
            ("out", |s| s.action.egress = Known::Value((true, Dialect)), "bad forbidden by r", "page r"),
            ("not out", |s| s.action.egress = Known::Value((false, Dialect)), "good inside", ""),
            ("nobody told", |_| {}, "unknown egress_unknown by r", ""),
            ("a guess", |s| s.action.egress = Known::Value((true, Inferred)), "unknown egress_inferred by r", ""),
        ],
    );
}

#[test]
fn by_condition_and_by_time() {
    golden(
        Sli::Envelope,
        "forbid: [{ id: r, when: \"parameters.id > 5 && effect == 'delete'\" }]",
        &[
            ("fulfilled", |_| {}, "bad forbidden by r", "page r"),
            ("not fulfilled", |s| s.action.arguments = Known::Value(text(r#"{"id":5}"#)), "good inside", ""),
            (
                "one half is surely not",
                |s| {
                    s.does(Effect::Read, Dialect);
                    s.withhold_parameters();
                },
                "good inside",
                "",
            ),
            ("withheld", Setting::withhold_parameters, "unknown when_unclear by r", ""),
        ],
    );
    let (bad, good) = (("bad forbidden by r", "page r"), ("good inside", ""));
    for (window, (verdict, findings)) in [
        ("from: 2026-11-20T06:30:06Z", bad),
        ("from: 2026-11-20T07:30:07+01:00", good),
        ("until: 2026-11-20T06:30:06Z", good),
        ("until: 2026-11-20T06:30:07Z", bad),
    ] {
        let rules = format!("forbid: [{{ id: r, effect: delete, {window} }}]");
        golden(Sli::Envelope, &rules, &[(window, |_| {}, verdict, findings)]);
    }
}

/// Mode and severity: what counts in the SLI, and how loud the finding is.
#[test]
fn by_mode() {
    for (head, verdict, findings) in [
        ("mode: enforce", "bad forbidden by r", "page r"),
        ("mode: enforce, severity: ticket", "bad forbidden by r", "ticket r"),
        ("mode: warn", "good inside", "ticket r"),
        ("mode: warn, severity: info", "good inside", "info r"),
        ("mode: shadow", "good inside", "info r"),
    ] {
        let rules = format!("forbid: [{{ id: r, effect: delete, {head} }}]");
        golden(Sli::Envelope, &rules, &[(head, |_| {}, verdict, findings)]);
    }
    let rules = "mode: shadow\nforbid: [{ id: r, effect: delete }, { id: s, tool: delete_row, mode: enforce }]";
    golden(Sli::Envelope, rules, &[("the rule's own mode", |_| {}, "bad forbidden by s", "info r, page s")]);
}

/// A sure breach outweighs what nobody can tell.
#[test]
fn bad_wins() {
    let rules = "forbid: [{ id: a, egress: true }, { id: b, effect: delete }]";
    golden(Sli::Envelope, rules, &[("one unclear, one broken", |_| {}, "bad forbidden by b", "page b")]);
}
