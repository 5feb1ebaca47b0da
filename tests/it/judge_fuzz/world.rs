//! What a case comes to: the records assembled, under rules of a pool, among arbitrary surroundings.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use wherefore::envelope::{self, Demand, Rules};
use wherefore::judge::{Around, Clock, Context, Learnt, Load, Read, judge};
use wherefore::lineage::{assemble, is_denied};
use wherefore::model::{Action, ActionId, Evidence, EvidenceId, Field, Finding, Sli, Span, State, Stop, Turn, Verdict};

use super::records::record;
use super::script::{Choices, Line, Script};
use super::stories::story;
use crate::lineage::{at, root};

/// Envelopes of every section. Small ones, so that good verdicts are not rare.
const POOL: &[&str] = &[
    "profile: [tool, parameters]\ngrant: [{ id: g, effect: delete }]",
    "forbid: [{ id: f, effect: delete, target: \"pg://prod/*\" }]\ntwo_phase: [{ id: t, effect: delete }]",
    "approval: [{ id: a, effect: delete }]\nprofile: [intent, output]",
    "approval: [{ id: a, tool: \"*\", by: [human, policy], principal: ann }]\ntwo_phase: [{ id: t, tool: delete_row }]",
    "hold: [{ id: h, effect: [delete, send] }]\ntask: [{ id: t, intent: \"*account 7*\", intent_id: \"DEL-*\", allow: [{ effect: [read, delete] }] }]",
    "allow: [{ id: reads, effect: read }, { id: dev, target: \"pg://dev/*\" }]\nlimit: [{ id: l, tool: \"*\", at_most: 2, per: turn }]",
    "only_listed: true\ntools: { \"delete_*\": { effect: delete }, read_row: { effect: read } }\nforbid: [{ id: e, egress: true }]",
    "invariant: [{ id: i, tool: \"*\", holds: \"output.deleted == 1\" }, { id: j, effect: delete, read: { tool: find }, holds: \"later.output == 'gone'\" }]\nbreaker: [{ id: b, consecutive: 2 }]",
    "parameters: [{ id: p, tool: \"*\", check: { id: { max: 7 } } }]\noutput: [{ id: o, tool: \"*\", schema: { type: object } }]",
    "freeze: [{ id: z, from: 2026-11-20T06:30:05Z, until: 2026-11-20T06:31:00Z }]\nforbid: [{ id: w, when: \"parameters.id == 8\", mode: warn }]",
];

/// The rules of one case: none, or one of the pool.
fn rules(which: u8) -> &'static Rules {
    static PARSED: OnceLock<Vec<Rules>> = OnceLock::new();
    let parsed = PARSED.get_or_init(|| {
        let parse =
            |text: &&str| envelope::parse(&[("e.yaml", &format!("envelope: e\n{text}\n"))]).expect("an envelope");
        POOL.iter().map(parse).chain([Rules::default()]).collect()
    });
    &parsed[usize::from(which) % parsed.len()]
}

/// A case, assembled.
pub struct World {
    pub records: Vec<Evidence>,
    pub actions: Vec<Action>,
    turns: Vec<Turn>,
    rules: &'static Rules,
    around: Line,
}

/// One action, judged.
#[derive(Debug, PartialEq)]
pub struct Judged {
    pub verdict: Option<Verdict>,
    pub findings: Vec<Finding>,
}

impl World {
    /// Of all records of a script; or of all but the one that is added.
    pub fn of(script: &Script, without: bool) -> Self {
        let lines = script.records.iter().enumerate().map(|(number, line)| record(number, line));
        let mut records: Vec<Evidence> = story(script.story).into_iter().chain(lines).chain([root(30)]).collect();
        let added = usize::from(script.added) % records.len();
        if without {
            records.remove(added);
        }
        let assembled = assemble(&records);
        let (actions, turns) = (assembled.actions, assembled.turns);
        Self { records, actions, turns, rules: rules(script.rules), around: script.around }
    }

    /// What one SLI says of an action, and everything that is found.
    pub fn judged(&self, action: &Action, sli: Sli) -> Judged {
        let turn = self.turns.iter().find(|turn| turn.id == action.turn).expect("an action stands in a turn");
        let (around, learnt) = self.surroundings(action);
        let (verdicts, findings) = judge(&Context::new(self.rules, turn, &learnt, &around), action);
        Judged { verdict: verdicts.into_iter().find(|verdict| verdict.sli == sli), findings }
    }

    /// The action that has a key of another, if there is one.
    pub fn same(&self, other: &Action) -> Option<&Action> {
        self.actions.iter().find(|action| other.keys.iter().any(|key| action.keys.contains(key)))
    }

    /// The record of an id, if it is one of these.
    pub fn record(&self, id: EvidenceId) -> Option<&Evidence> {
        self.records.iter().find(|record| record.id == id)
    }

    fn surroundings(&self, action: &Action) -> (Around, Learnt) {
        let mut c = Choices(&self.around);
        let learnt = match c.below(3) {
            0 => Learnt::Off,
            1 => Learnt::Fields(BTreeSet::new()),
            _ => Learnt::Fields(BTreeSet::from([c.of(Field::ALL), c.of(Field::ALL)])),
        };
        let incident = c.one_in(2).then(|| clock(&mut c));
        let before = u64::from(c.below(4));
        let limits = self.rules.view(action).hits.into_iter().map(|hit| hit.rule);
        let limits = limits.filter(|rule| matches!(rule.demand(), Demand::Limit(_)));
        let counted = limits.filter(|_| before < 3).map(|rule| (Arc::from(rule.name()), before)).collect();
        let reads = ["gone", "here"].into_iter().take(usize::from(c.below(3))).map(|output| {
            let read = Read { tool: "find".into(), parameters: None, output: Some(output.into()), target: None };
            ((at(40), ActionId([9; 16])), read)
        });
        let later = [("envelope.e.j".into(), reads.collect())].into();
        let load = c.one_in(3).then(|| Load {
            decisions: 20,
            approvals: 20,
            rubber_stamps: 20,
            tips: true,
            ..Load::default()
        });
        let others = self.actions.iter().filter(|other| other.keys != action.keys);
        let denied = others.filter(|other| is_denied(other) && other.start < action.start).cloned().collect();
        let attempts = match action.state {
            State::Refused(_) => vec![true; usize::from(c.below(4))],
            _ => Vec::new(),
        };
        (Around { incident, counted, later, load, denied, attempts }, learnt)
    }
}

/// Any state of an incident's clock.
fn clock(c: &mut Choices<'_>) -> Clock {
    let by = c.of(&[None, Some(Stop::Command), Some(Stop::Abort), Some(Stop::Refusal)]);
    let seconds = c.of(&[10, 299, 300, 301]);
    Clock {
        contained_after: by.map(|_| Span::seconds(seconds)),
        by,
        on: by.filter(|by| *by == Stop::Command).map(|_| EvidenceId([0xcc; 16])),
        leaked: u32::from(c.below(3)),
        within: Span::minutes(5),
        is_over: c.one_in(2),
    }
}
