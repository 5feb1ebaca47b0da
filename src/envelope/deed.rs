//! What a call does, and on whose word: effect, egress and target.
//!
//! Sources in order of authority, the greatest first: an attribute from a source that may testify, the envelope, an
//! attribute of the agent itself, a definition (a tool's, or what a producer's convention says), what was learnt, and a
//! guess by the name. A guess convicts nobody and makes nothing good.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Glob;
use super::contents::{Contents, is_mark};
use super::read::{effect, glob};
use crate::model::{Action, CallSays, Effect, Provenance, Says, words};
use crate::values::document::{Key, Node, Page};

words!(
    /// On whose word something about a call is known. Ordered: the greatest counts.
    Authority {
        /// A guess, by the tool's name or by neighbours.
        Inferred = "inferred",
        /// Learnt from what was seen before.
        Learnt = "learnt",
        /// The tool's definition, or a producer's convention.
        Defined = "defined",
        /// An attribute that the agent set.
        Claimed = "claimed",
        /// The envelope.
        Declared = "declared",
        /// An attribute of a source that may testify.
        Testified = "testified",
    }
);

/// What a call does, as the envelopes that apply see it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deed {
    /// What it does to its target.
    pub effect: Option<(Effect, Authority)>,
    /// Whether it sends data out.
    pub egress: Option<(bool, Authority)>,
    /// The resource.
    pub target: Option<(Arc<str>, Authority)>,
    /// The environments that the target is in.
    pub environments: BTreeSet<Arc<str>>,
    /// The surfaces that the target is on.
    pub surfaces: BTreeSet<Arc<str>>,
    /// The data classes that it surely handles, as far as a rule of an envelope that applies asks for any.
    pub data: BTreeSet<Arc<str>>,
}

/// The part of a deed that does not depend on an envelope's names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Doing {
    pub(super) effect: Option<(Effect, Authority)>,
    pub(super) egress: Option<(bool, Authority)>,
    pub(super) target: Option<(Arc<str>, Authority)>,
}

/// What an envelope says that tools do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Tool {
    pub(super) name: Glob,
    effect: Option<Effect>,
    egress: Option<bool>,
    target: Option<Template>,
}

impl Tool {
    /// Whether another says the same, whatever its name.
    pub(super) fn says_as(&self, other: &Self) -> bool {
        (self.effect, self.egress, &self.target) == (other.effect, other.egress, &other.target)
    }
}

impl Deed {
    pub(super) fn doing(&self) -> Doing {
        Doing { effect: self.effect, egress: self.egress, target: self.target.clone() }
    }
}

impl Doing {
    /// What telemetry says.
    pub(super) fn said(action: &Action) -> Self {
        let effect = action
            .effect
            .value()
            .map(|(effect, provenance)| (*effect, authority(action, *provenance, |call| call.effect == Some(*effect))));
        let target = action.target.value().map(|(target, provenance)| {
            (Arc::clone(target), authority(action, *provenance, |call| call.target.as_ref() == Some(target)))
        });
        let egress = action
            .egress
            .value()
            .map(|(egress, provenance)| (*egress, authority(action, *provenance, |call| call.egress == Some(*egress))));
        Self { effect, egress, target }
    }

    /// With what an envelope declares, where no greater authority speaks.
    pub(super) fn declared(mut self, tool: &Tool, contents: &Contents<'_>) -> Self {
        put(&mut self.effect, tool.effect);
        put(&mut self.egress, tool.egress);
        if self.target.as_ref().is_none_or(|(_, authority)| *authority <= Authority::Declared) {
            put(&mut self.target, tool.target.as_ref().and_then(|template| template.fill(contents)));
        }
        self
    }
}

fn put<T>(place: &mut Option<(T, Authority)>, declared: Option<T>) {
    let yields = place.as_ref().is_none_or(|(_, authority)| *authority <= Authority::Declared);
    if let (Some(declared), true) = (declared, yields) {
        *place = Some((declared, Authority::Declared));
    }
}

/// On whose word an action's fact stands. An explicit attribute testifies when a record of a source that is not the
/// agent says the same.
fn authority(action: &Action, provenance: Provenance, says: impl Fn(&CallSays) -> bool) -> Authority {
    match provenance {
        Provenance::Inferred => Authority::Inferred,
        Provenance::Computed | Provenance::Dialect => Authority::Defined,
        Provenance::Explicit => {
            let witnesses = action.pieces.iter().filter(|piece| piece.role.is_independent());
            let mut explicit = witnesses.filter(|piece| piece.provenance == Provenance::Explicit);
            let testified = explicit.any(|piece| matches!(&piece.says, Says::Call(call) if says(call)));
            if testified { Authority::Testified } else { Authority::Claimed }
        }
    }
}

/// A target whose parts stand in the parameters: `shop://orders/{order_id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
enum Part {
    Literal(Box<str>),
    /// The steps of a dotted path.
    Path(Vec<Box<str>>),
}

impl Template {
    fn read(page: &mut Page, node: &Node) -> Option<Self> {
        let text = page.text(node)?;
        let parts = Self::parts(&text);
        if parts.is_none() {
            page.wrong(node.at, format!("`{text}` is no target: braces hold a parameter, such as `{{order_id}}`"));
        }
        parts.map(Self)
    }

    fn parts(text: &str) -> Option<Vec<Part>> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, behind)) = rest.split_once('{') {
            let (path, tail) = behind.split_once('}')?;
            let steps: Vec<Box<str>> = path.split('.').map(Into::into).collect();
            if literal.contains('}') || path.contains('{') || steps.iter().any(|step| step.is_empty()) {
                return None;
            }
            parts.extend([Part::Literal(literal.into()), Part::Path(steps)]);
            rest = tail;
        }
        parts.push(Part::Literal(rest.into()));
        (!rest.contains('}')).then_some(parts)
    }

    /// The target of a call; nothing when a part of it is not known.
    fn fill(&self, contents: &Contents<'_>) -> Option<Arc<str>> {
        let mut target = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(literal) => target.push_str(literal),
                Part::Path(steps) => {
                    let parameters = contents.parameters().ok()?;
                    match steps.iter().try_fold(parameters, |value, step| value.get(&**step))? {
                        Value::String(text) if !is_mark(text) => target.push_str(text),
                        Value::Number(number) => target.push_str(&number.to_string()),
                        _ => return None,
                    }
                }
            }
        }
        Some(target.into())
    }
}

/// `tools`: what each does.
pub(super) fn tools(page: &mut Page, node: &Node) -> Option<Vec<Tool>> {
    let entries = page.entries(node)?;
    let read: Vec<_> = entries.iter().map(|(key, value)| tool(page, key, value)).collect();
    read.into_iter().collect()
}

fn tool(page: &mut Page, name: &Key, node: &Node) -> Option<Tool> {
    let name = glob(page, name.at, &name.name);
    let table = page.table(node, "a tool", &["effect", "egress", "target"])?;
    let effect = page.maybe(table, "effect", effect);
    let egress = page.maybe(table, "egress", Page::flag);
    let target = page.maybe(table, "target", Template::read);
    Some(Tool { name: name?, effect, egress, target })
}

/// `effects`: the short form, a tool and its effect.
pub(super) fn effects(page: &mut Page, node: &Node) -> Option<Vec<Tool>> {
    let entries = page.entries(node)?;
    let read = |page: &mut Page, (key, value): &(Key, Node)| {
        let name = glob(page, key.at, &key.name);
        let effect = effect(page, value);
        Some(Tool { name: name?, effect: Some(effect?), egress: None, target: None })
    };
    let read: Vec<_> = entries.iter().map(|entry| read(page, entry)).collect();
    read.into_iter().collect()
}
