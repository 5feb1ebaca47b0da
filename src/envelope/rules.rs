//! Checked rules, and the questions that judging asks of them. Rules come from [`parse`](super::parse) alone; no rule
//! at all is [`Rules::default`], which forbids nothing and asks for nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Glob;
use crate::model::{Action, Algorithm, Digest, Effect, Field, Hash, Nanos, Provenance, Severity, Span, words};

words!(
    /// What it means when a rule matches.
    Mode {
        /// It counts in the SLI and makes a finding of the rule's severity.
        Enforce = "enforce",
        /// It makes a finding that never pages.
        Warn = "warn",
        /// It is recorded.
        Shadow = "shadow",
    }
);

/// Every envelope, checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// Sorted by name, so that the order of files means nothing.
    envelopes: Vec<Envelope>,
}

/// One envelope, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Envelope {
    pub(super) name: Arc<str>,
    pub(super) agents: Vec<Glob>,
    pub(super) services: Vec<Glob>,
    pub(super) effects: Vec<(Glob, Effect)>,
    pub(super) forbid: Vec<Rule>,
    pub(super) profile: BTreeSet<Field>,
    pub(super) check_within: Option<Span>,
}

/// One thing that an envelope forbids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    pub(super) envelope: Arc<str>,
    pub(super) id: Arc<str>,
    pub(super) tools: Vec<Glob>,
    pub(super) effects: BTreeSet<Effect>,
    pub(super) targets: Vec<Glob>,
    pub(super) from: Option<Nanos>,
    pub(super) until: Option<Nanos>,
    pub(super) mode: Mode,
    pub(super) severity: Severity,
    pub(super) because: Option<Arc<str>>,
}

impl Rules {
    pub(super) fn new(mut envelopes: Vec<Envelope>) -> Self {
        envelopes.sort_by(|a, b| a.name.cmp(&b.name));
        Self { envelopes }
    }

    /// Whether there is no envelope.
    pub fn is_empty(&self) -> bool {
        self.envelopes.is_empty()
    }

    /// How many envelopes, and how many rules that forbid.
    pub fn len(&self) -> (usize, usize) {
        (self.envelopes.len(), self.envelopes.iter().map(|envelope| envelope.forbid.len()).sum())
    }

    /// Digest of what the rules mean: comments, layout and the order of files do not change it.
    pub fn digest(&self) -> Digest {
        let meaning = serde_json::to_vec(&self.envelopes).expect("rules are plain data with text keys");
        Digest { algorithm: Algorithm::Blake3, key: 0, bytes: Hash(blake3::hash(&meaning).into()) }
    }

    /// The rules that forbid this call, whether or not it ran.
    pub fn forbidding<'a>(&'a self, action: &'a Action) -> impl Iterator<Item = &'a Rule> {
        self.of(action).flat_map(move |envelope| {
            let effect = envelope.effect(action);
            envelope.forbid.iter().filter(move |rule| rule.forbids(action, effect))
        })
    }

    /// The rules that count when they are broken.
    pub fn enforced(&self) -> impl Iterator<Item = &Rule> {
        self.envelopes.iter().flat_map(|envelope| &envelope.forbid).filter(|rule| rule.mode == Mode::Enforce)
    }

    /// The fields that `lineage_complete` asks of this action: those of every envelope that applies, together.
    /// `None` when no envelope has a profile.
    pub fn profile(&self, action: &Action) -> Option<BTreeSet<Field>> {
        let fields: BTreeSet<Field> = self.of(action).flat_map(|envelope| &envelope.profile).copied().collect();
        (!fields.is_empty()).then_some(fields)
    }

    /// How long to wait for a post-action check of this action: the shortest of the envelopes that apply.
    pub fn check_within(&self, action: &Action) -> Option<Span> {
        self.of(action).filter_map(|envelope| envelope.check_within).min()
    }

    /// The envelopes that apply. An agent without a name goes by its service's.
    fn of<'a>(&'a self, action: &'a Action) -> impl Iterator<Item = &'a Envelope> {
        self.envelopes.iter().filter(|envelope| {
            any(&envelope.agents, action.agent_label()) && any(&envelope.services, &action.service.name)
        })
    }
}

impl Envelope {
    /// What the action does: as declared here for its tool, else as telemetry says it.
    fn effect(&self, action: &Action) -> Option<Effect> {
        let declared = action.tool.value().and_then(|tool| self.effects.iter().find(|(glob, _)| glob.matches(tool)));
        let said = || action.effect.value().filter(|(_, provenance)| *provenance != Provenance::Inferred);
        declared.map(|(_, effect)| *effect).or_else(|| said().map(|(effect, _)| *effect))
    }
}

impl Rule {
    /// The name of its envelope.
    pub fn envelope(&self) -> &str {
        &self.envelope
    }

    /// Its id in the envelope.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it means when it matches.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// How loud its findings are: as written, but `warn` never pages and `shadow` only records.
    pub fn severity(&self) -> Severity {
        match self.mode {
            Mode::Enforce => self.severity,
            Mode::Warn => self.severity.min(Severity::Ticket),
            Mode::Shadow => Severity::Info,
        }
    }

    /// Why, in the words of who wrote it.
    pub fn because(&self) -> Option<&str> {
        self.because.as_deref()
    }

    /// `envelope.<envelope>.<id>`: its name in findings.
    pub fn name(&self) -> String {
        format!("envelope.{}.{}", self.envelope, self.id)
    }

    fn forbids(&self, action: &Action, effect: Option<Effect>) -> bool {
        self.selects(action, effect) && self.is_about(action) && self.is_in_force_at(action.end)
    }

    /// By tool or by effect; every call when neither is given.
    fn selects(&self, action: &Action, effect: Option<Effect>) -> bool {
        let by_tool = || action.tool.value().is_some_and(|tool| any(&self.tools, tool));
        let by_effect = || effect.is_some_and(|effect| self.effects.contains(&effect));
        (self.tools.is_empty() && self.effects.is_empty()) || by_tool() || by_effect()
    }

    fn is_about(&self, action: &Action) -> bool {
        let known = || action.target.value().filter(|(_, provenance)| *provenance != Provenance::Inferred);
        self.targets.is_empty() || known().is_some_and(|(target, _)| any(&self.targets, target))
    }

    fn is_in_force_at(&self, at: Nanos) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

fn any(globs: &[Glob], name: &str) -> bool {
    globs.iter().any(|glob| glob.matches(name))
}
