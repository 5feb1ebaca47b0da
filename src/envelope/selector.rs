//! Which calls a rule is about.
//!
//! Inside one key any value is enough. Keys hold together, except that of `tool` and `effect` either is enough.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use super::Glob;
use super::answer::{self, Answer};
use super::classes::{Classes, Kind};
use super::condition::{Condition, Moment};
use super::contents::{Contents, is_mark};
use super::deed::{Authority, Doing};
use super::read::{effect, globs};
use crate::model::{Action, Effect};
use crate::values::document::{Page, Table};

/// Selects calls.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Selector {
    pub(super) tools: Vec<Glob>,
    pub(super) effects: BTreeSet<Effect>,
    pub(super) targets: Vec<Glob>,
    pub(super) environments: Vec<Arc<str>>,
    pub(super) surfaces: Vec<Arc<str>>,
    pub(super) data: Vec<Arc<str>>,
    pub(super) egress: Option<bool>,
    pub(super) when: Option<Condition>,
    /// What the names mean. The envelope says it in its own place.
    #[serde(skip)]
    pub(super) classes: Arc<Classes>,
}

/// What is asked about one call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) action: &'a Action,
    pub(super) doing: &'a Doing,
    pub(super) contents: &'a Contents<'a>,
}

impl Selector {
    /// The keys of selectors.
    pub(super) const KEYS: &'static [&'static str] =
        &["tool", "effect", "target", "environment", "surface", "data", "egress", "when"];

    /// Reads the keys of a rule that select.
    pub(super) fn read(page: &mut Page, table: Table<'_>, classes: &Arc<Classes>) -> Self {
        let mut named = |key: &str, kind: Kind| {
            page.maybe(table, key, |page, node| page.list(node, |page, node| kind.read(page, node, classes)))
        };
        let environments = named("environment", Kind::Environment).unwrap_or_default();
        let surfaces = named("surface", Kind::Surface).unwrap_or_default();
        let data = named("data", Kind::Data).unwrap_or_default();
        let effects = page.maybe(table, "effect", |page, node| page.list(node, effect));
        Self {
            tools: page.maybe(table, "tool", globs).unwrap_or_default(),
            effects: effects.map(BTreeSet::from_iter).unwrap_or_default(),
            targets: page.maybe(table, "target", globs).unwrap_or_default(),
            environments,
            surfaces,
            data,
            egress: page.maybe(table, "egress", Page::flag),
            when: page.maybe(table, "when", |page, node| Condition::read(page, node, Moment::Call)),
            classes: Arc::clone(classes),
        }
    }

    /// Whether it selects a call: the cheap questions first.
    pub(super) fn answer(&self, facts: &Facts<'_>) -> Answer {
        let named = |kind, names: &[Arc<str>]| match names.is_empty() {
            true => Answer::Yes,
            false => self.classes.answer(kind, names, facts),
        };
        let questions: [&dyn Fn() -> Answer; 7] = [
            &|| self.does(facts),
            &|| if self.targets.is_empty() { Answer::Yes } else { facts.is_about(&self.targets) },
            &|| named(Kind::Environment, &self.environments),
            &|| named(Kind::Surface, &self.surfaces),
            &|| self.egress.map_or(Answer::Yes, |egress| facts.has_egress(egress)),
            &|| named(Kind::Data, &self.data),
            &|| self.when.as_ref().map_or(Answer::Yes, |when| when.answer(facts, &self.classes, None)),
        ];
        answer::all(questions.iter().map(|question| question()))
    }

    /// By tool or by effect; every call when neither is given.
    fn does(&self, facts: &Facts<'_>) -> Answer {
        if self.tools.is_empty() && self.effects.is_empty() {
            return Answer::Yes;
        }
        let by_tool = if self.tools.is_empty() { Answer::No } else { facts.is_tool(&self.tools) };
        let by_effect = || if self.effects.is_empty() { Answer::No } else { facts.has_effect(&self.effects) };
        if by_tool == Answer::Yes { by_tool } else { by_tool.max(by_effect()) }
    }
}

impl Facts<'_> {
    fn is_tool(&self, globs: &[Glob]) -> Answer {
        match self.action.tool.value() {
            Some(tool) => Answer::known(globs.iter().any(|glob| glob.matches(tool))),
            None => Answer::Maybe("tool_unknown"),
        }
    }

    fn has_effect(&self, effects: &BTreeSet<Effect>) -> Answer {
        match &self.doing.effect {
            Some((effect, Authority::Inferred)) => Answer::guessed(effects.contains(effect), "effect_inferred"),
            Some((effect, _)) => Answer::known(effects.contains(effect)),
            None => Answer::Maybe("effect_unknown"),
        }
    }

    fn has_egress(&self, wanted: bool) -> Answer {
        match self.doing.egress {
            Some((egress, Authority::Inferred)) => Answer::guessed(egress == wanted, "egress_inferred"),
            Some((egress, _)) => Answer::known(egress == wanted),
            None => Answer::Maybe("egress_unknown"),
        }
    }

    pub(super) fn is_about(&self, globs: &[Glob]) -> Answer {
        let matches = |target: &str| globs.iter().any(|glob| glob.matches(target));
        match &self.doing.target {
            None => Answer::Maybe("target_unknown"),
            Some((target, _)) if is_mark(target) => Answer::Maybe("target_redacted"),
            Some((target, Authority::Inferred)) => Answer::guessed(matches(target), "target_inferred"),
            Some((target, _)) => Answer::known(matches(target)),
        }
    }
}
