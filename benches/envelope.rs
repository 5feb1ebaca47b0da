//! What a look at a thousand rules costs, for each of many calls.

use std::fmt::Write;
use std::hint::black_box;

use wherefore::envelope::{Rules, parse};
use wherefore::judge::{self, Context};
use wherefore::model::{Action, Turn};

use crate::cpu;
use crate::table::{Rows, number};

const RULES: usize = 1_000;
const CALLS: usize = 200;
/// Looks at one call that are timed together, so that the clock's steps do not count.
const LOOKS: usize = 500;

/// The same thousand rules, in other envelopes.
struct Layout {
    name: &'static str,
    envelopes: usize,
    /// The agents of an envelope.
    agent: fn(usize) -> String,
}

const LAYOUTS: [Layout; 3] = [
    Layout { name: "100 envelopes, an agent each", envelopes: 100, agent: |number| format!("agent-{number}-*") },
    Layout { name: "100 envelopes for all agents", envelopes: 100, agent: |_| "*".to_owned() },
    Layout { name: "one envelope", envelopes: 1, agent: |_| "*".to_owned() },
];

pub fn run() {
    let mut rows = Rows::new(
        "a thousand rules: CPU microseconds per look at one call, over two hundred calls",
        &["rules", "median", "99th of 100", "hits", "median without target"],
    );
    let calls = calls(true);
    let aimless = self::calls(false);
    for layout in LAYOUTS {
        let rules = rules(&layout);
        let hits: usize = calls.iter().map(|call| rules.view(call).hits.len()).sum();
        let mut costs = costs(&rules, &calls);
        let mut without = self::costs(&rules, &aimless);
        rows.row([
            layout.name.to_owned(),
            number(quantile(&mut costs, 0.5)),
            number(quantile(&mut costs, 0.99)),
            number(hits as f64 / CALLS as f64),
            number(quantile(&mut without, 0.5)),
        ]);
    }
    rows.print();
}

/// What judging costs: every validator and the findings, with nothing around the call.
pub fn judging() {
    let mut rows = Rows::new(
        "judging: CPU microseconds per action, over two hundred calls that ran, most of them without a finding",
        &["rules", "median", "99th of 100", "findings"],
    );
    let calls = calls(true);
    let turn = Turn { closed: true, ..Turn::unseen(calls[0].turn, calls[0].tenant.clone()) };
    let none = ("no envelope", Rules::default());
    let laid_out = LAYOUTS.iter().map(|layout| (layout.name, self::rules(layout)));
    for (name, rules) in std::iter::once(none).chain(laid_out) {
        let judge = |call: &Action| judge::judge(&Context::alone(&rules, &turn), call);
        let findings: usize = calls.iter().map(|call| judge(call).1.len()).sum();
        let many = |call: &Action| (0..LOOKS).for_each(|_| drop(black_box(judge(black_box(call)))));
        calls.iter().for_each(many);
        let mut costs: Vec<f64> =
            calls.iter().map(|call| cpu::of(|| many(call)).0.as_secs_f64() * 1e6 / LOOKS as f64).collect();
        rows.row([
            name.to_owned(),
            number(quantile(&mut costs, 0.5)),
            number(quantile(&mut costs, 0.99)),
            number(findings as f64 / CALLS as f64),
        ]);
    }
    rows.print();
}

/// Microseconds per look, for each call.
fn costs(rules: &Rules, calls: &[Action]) -> Vec<f64> {
    let look = |call: &Action| (0..LOOKS).for_each(|_| drop(black_box(rules.view(black_box(call)))));
    calls.iter().for_each(look);
    calls.iter().map(|call| cpu::of(|| look(call)).0.as_secs_f64() * 1e6 / LOOKS as f64).collect()
}

fn quantile(costs: &mut [f64], share: f64) -> f64 {
    costs.sort_by(f64::total_cmp);
    costs[((costs.len() - 1) as f64 * share) as usize]
}

fn rules(layout: &Layout) -> Rules {
    let files: Vec<String> = (0..layout.envelopes).map(|number| envelope(layout, number)).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|text| ("bench.yaml", text.as_str())).collect();
    parse(&files).unwrap_or_else(|mistakes| panic!("{}", mistakes[0]))
}

/// One envelope with its share of the rules, section by section.
fn envelope(layout: &Layout, number: usize) -> String {
    let mut text = format!(
        "envelope: e-{number}\nagent: \"{}\"\n\
         environments: {{ prod: [\"pg://prod-*\", \"k8s://prod/*\"], staging: \"pg://staging/*\" }}\n\
         surfaces: {{ auth: [\"*iam*\", \"*/auth/*\"], billing: \"*billing*\" }}\n\
         tools: {{ \"mail_*\": {{ effect: send, egress: true }}, \"row_*\": {{ effect: update, egress: false }} }}\n",
        (layout.agent)(number)
    );
    let mine: Vec<usize> = (0..RULES).filter(|rule| rule % layout.envelopes == number).collect();
    for (kind, (section, body)) in KINDS.iter().enumerate() {
        let of_kind = mine.iter().filter(|rule| (*rule / layout.envelopes) % KINDS.len() == kind);
        let lines: Vec<String> = of_kind.map(|rule| format!("  - {{ id: r-{rule}, {} }}", body(*rule))).collect();
        if !lines.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{section}:\n{}", lines.join("\n"));
        }
    }
    text
}

/// A section, and what a rule of it says.
type Kind = (&'static str, fn(usize) -> String);

const KINDS: [Kind; 10] = [
    ("forbid", |rule| format!("tool: [tool_{rule}, drop_{rule}_*]")),
    ("parameters", |rule| format!("tool: tool_{rule}, check: {{ amount: {{ type: number, max: {rule} }} }}")),
    ("approval", |rule| format!("effect: [update, delete], target: \"pg://prod-{rule}/*\"")),
    ("limit", |rule| format!("tool: \"*_{rule}\", at_most: 10, per: 1h")),
    ("grant", |rule| format!("effect: read, target: \"pg://dev-{rule}/*\"")),
    ("hold", |rule| format!("effect: send, target: \"mailto:*@partner-{rule}.example\"")),
    ("two_phase", |rule| format!("tool: \"apply_{rule}*\", environment: prod")),
    ("output", |rule| format!("tool: get_{rule}, schema: {{ type: object, required: [id] }}")),
    ("freeze", |rule| {
        format!("target: \"k8s://prod/ns-{rule}/*\", from: 2026-01-01T00:00:00Z, until: 2026-02-01T00:00:00Z")
    }),
    ("invariant", |rule| format!("tool: close_{rule}, holds: \"output.status == 'closed'\"")),
];

/// Calls of many tools, effects, targets and agents. A unit test of an envelope is where a call can be written.
fn calls(with_target: bool) -> Vec<Action> {
    let mut text = "envelope: calls\ntests:\n".to_owned();
    for call in 0..CALLS {
        let rule = call * 7 % RULES;
        let (tool, effect, target) = match call % 5 {
            0 => (format!("tool_{rule}"), "update", format!("pg://prod-{rule}/accounts")),
            1 => (format!("row_{rule}"), "delete", format!("pg://prod-{rule}/customers")),
            2 => (format!("get_{rule}"), "read", format!("pg://dev-{rule}/orders")),
            3 => (format!("mail_{rule}"), "send", format!("mailto:ann@partner-{rule}.example")),
            _ => (format!("apply_{rule}"), "update", format!("k8s://prod/ns-{rule}/deployment/web")),
        };
        let target = if with_target { format!("target: \"{target}\", ") } else { String::new() };
        let _ = writeln!(
            text,
            "  - {{ name: call {call}, expect: {{ findings: [] }}, action: {{ agent: agent-{}-x, tool: {tool}, \
             effect: {effect}, {target}parameters: {{ amount: 7, note: words }} }} }}",
            call % 100
        );
    }
    let rules = parse(&[("calls.yaml", &text)]).unwrap_or_else(|mistakes| panic!("{}", mistakes[0]));
    rules.cases().map(|case| case.action().clone()).collect()
}
