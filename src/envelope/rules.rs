//! Checked rules, and the questions that judging asks of them. Rules come from [`parse`](super::parse) alone; no rule
//! at all is [`Rules::default`], which forbids nothing and asks for nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Glob;
use super::case::Case;
use super::contents::Contents;
use super::demand::{Demand, Known};
use super::index::{Entry, Index};
use super::selector::Selector;
use crate::model::{Action, Algorithm, Digest, Field, Hash, Nanos, Severity, Span, words};

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
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Sorted by name, so that the order of files means nothing.
    pub(super) envelopes: Arc<[Envelope]>,
    pub(super) index: Arc<Index>,
}

/// One envelope, checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Envelope {
    pub(super) name: Arc<str>,
    pub(super) agents: Vec<Glob>,
    pub(super) services: Vec<Glob>,
    #[serde(flatten)]
    pub(super) known: KnownAs,
    /// Everything under `forbid`, `freeze` and so on, in the order of the file. Rules that no section says, `allow` and
    /// `only-listed`, are among them.
    pub(super) rules: Vec<Rule>,
    /// What `allow` lists; with nothing in it nothing is outside.
    pub(super) allow: Vec<Allowed>,
    pub(super) profile: BTreeSet<Field>,
    pub(super) check_within: Option<Span>,
    /// What tests a file does not change what it means.
    #[serde(skip)]
    pub(super) cases: Vec<Case>,
}

/// What an envelope says of tools and names, once for everything that needs it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct KnownAs(pub(super) Arc<Known>);

impl Serialize for KnownAs {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("tools", &self.0.tools)?;
        map.serialize_entry("classes", &*self.0.classes)?;
        map.end()
    }
}

/// One thing that an envelope allows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Allowed {
    pub(super) id: Arc<str>,
    pub(super) selector: Selector,
    pub(super) from: Option<Nanos>,
    pub(super) until: Option<Nanos>,
    pub(super) because: Option<Arc<str>>,
}

/// One rule of an envelope.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rule {
    pub(super) envelope: Arc<str>,
    pub(super) id: Arc<str>,
    #[serde(skip)]
    pub(super) name: Arc<str>,
    pub(super) selector: Selector,
    pub(super) from: Option<Nanos>,
    pub(super) until: Option<Nanos>,
    pub(super) mode: Mode,
    pub(super) severity: Severity,
    pub(super) because: Option<Arc<str>>,
    pub(super) demand: Demand,
    #[serde(skip)]
    pub(super) envelope_digest: Digest,
}

/// How surely a rule is about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It is.
    Yes,
    /// Nobody knows, for this reason: a stable word such as `target_unknown`.
    Unclear(&'static str),
}

/// Whether an action keeps what a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It does.
    Yes,
    /// It does not.
    No {
        /// Where: a dotted path into the parameters, a JSON pointer into the output, or `holds`.
        path: Arc<str>,
        /// What is wrong, as the end of a sentence, without what the parameters and the output hold.
        message: Arc<str>,
    },
    /// Nobody knows, for this reason: a stable word such as `parameters_withheld`.
    Unclear(&'static str),
}

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        self.envelopes == other.envelopes
    }
}

impl Rules {
    pub(super) fn new(mut envelopes: Vec<Envelope>) -> Self {
        envelopes.sort_by(|a, b| a.name.cmp(&b.name));
        for envelope in &mut envelopes {
            let digest = digest(envelope);
            envelope.rules.iter_mut().for_each(|rule| rule.envelope_digest = digest);
        }
        let index = Arc::new(Index::of(&envelopes));
        Self { envelopes: envelopes.into(), index }
    }

    /// Whether there is no envelope.
    pub fn is_empty(&self) -> bool {
        self.envelopes.is_empty()
    }

    /// How many envelopes, and how many rules in all of their sections.
    pub fn len(&self) -> (usize, usize) {
        let rules = |envelope: &Envelope| envelope.rules.len() + envelope.allow.len();
        (self.envelopes.len(), self.envelopes.iter().map(rules).sum())
    }

    /// Digest of what the rules mean: comments, layout, unit tests and the order of files do not change it.
    pub fn digest(&self) -> Digest {
        digest(&self.envelopes)
    }

    /// The rules that surely forbid this call, by name or by time, whether or not it ran. What is outside of `allow`
    /// or of `tools` is not among them.
    pub fn forbidding<'a>(&'a self, action: &'a Action) -> impl Iterator<Item = &'a Rule> {
        let forbids = |rule: &&Rule| matches!(rule.demand, Demand::Forbid | Demand::Freeze);
        let sure = self.view(action).hits.into_iter().filter(|hit| hit.fit == Fit::Yes);
        sure.map(|hit| hit.rule).filter(forbids)
    }

    /// The rules that count when they are broken, and can be found broken at once.
    pub fn enforced(&self) -> impl Iterator<Item = &Rule> {
        let rules = self.envelopes.iter().flat_map(|envelope| &envelope.rules);
        rules.filter(|rule| rule.mode == Mode::Enforce && matches!(rule.demand, Demand::Forbid | Demand::Freeze))
    }

    /// Invariants of which a call may be the later read. What it is read for, the call that waits for it knows.
    pub fn reading<'a>(&'a self, action: &'a Action) -> impl Iterator<Item = &'a Rule> {
        let rule = |entry: &Entry| &self.envelopes[entry.envelope as usize].rules[entry.at as usize];
        self.index.later.iter().map(rule).filter(move |rule| match &rule.demand {
            Demand::Invariant(invariant) => invariant.may_read(action),
            _ => false,
        })
    }

    /// The unit tests of every file.
    pub fn cases(&self) -> impl Iterator<Item = &Case> {
        self.envelopes.iter().flat_map(|envelope| &envelope.cases)
    }

    /// One envelope alone, as its unit tests see it. None of that name: no rules.
    pub fn only(&self, envelope: &str) -> Self {
        Self::new(self.envelopes.iter().filter(|it| &*it.name == envelope).cloned().collect())
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

    /// The envelopes that apply, by name. An agent without a name goes by its service's.
    fn of<'a>(&'a self, action: &'a Action) -> impl Iterator<Item = &'a Envelope> {
        self.index.applying(action, &self.envelopes).into_iter().map(|at| &self.envelopes[at as usize])
    }
}

/// Digest of what a value means.
fn digest(meaning: &(impl Serialize + ?Sized)) -> Digest {
    let meaning = serde_json::to_vec(meaning).expect("rules are plain data with text keys");
    Digest { algorithm: Algorithm::Blake3, key: 0, bytes: Hash(blake3::hash(&meaning).into()) }
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

    /// `envelope.<envelope>.<id>`: its name in findings.
    pub fn name(&self) -> &str {
        &self.name
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

    /// What it asks for.
    pub fn demand(&self) -> &Demand {
        &self.demand
    }

    /// Digest of what its own envelope means.
    pub fn envelope_digest(&self) -> Digest {
        self.envelope_digest
    }

    /// Whether an action that the rule is about keeps what it asks for, as far as the action itself shows it: of
    /// `parameters`, of `output`, and of an invariant without `read`. Every other demand needs more than the action.
    pub fn kept(&self, action: &Action) -> Kept {
        match &self.demand {
            Demand::Parameters(parameters) => parameters.kept(&Contents::of(action)),
            Demand::Output(schema) => schema.kept(&Contents::of(action)),
            Demand::Invariant(invariant) => invariant.holds_now(action),
            _ => Kept::Unclear("needs_more_than_the_call"),
        }
    }
}

/// Whether a time lies in a window, which holds its beginning and not its end.
pub(super) fn is_between(from: Option<Nanos>, until: Option<Nanos>, at: Nanos) -> bool {
    from.is_none_or(|from| from <= at) && until.is_none_or(|until| at < until)
}
