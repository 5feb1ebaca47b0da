//! Finds the rules that can be about a call without asking all of them.
//!
//! Each rule stands in one place: under the most telling of its selectors. Where that selector's fact is not known,
//! everything in that place has to be asked, because the answer may be unclear. Rules that look at targets therefore
//! stand a second time, for calls without one, under another selector.

use super::classes::Kind;
use super::demand::Demand;
use super::patterns::Patterns;
use super::rules::Envelope;
use super::selector::Selector;
use crate::model::{Action, Effect};

/// Where each rule can be found.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    /// Agents to envelopes.
    agents: Patterns<u32>,
    /// Tools to what envelopes say of them: envelope, and the place in its list.
    pub(super) tools: Patterns<(u32, u32)>,
    /// Targets to the names of environments and surfaces: envelope, kind, and the place in its list.
    pub(super) names: Patterns<(u32, Kind, u32)>,
    /// Invariants that a later call shows.
    pub(super) later: Vec<Entry>,
    /// Every rule, sorted by name; then everything allowed.
    pub(super) entries: Vec<Entry>,
    with_target: Places,
    without_target: Places,
    /// By envelope, what has to be known of it for every call.
    pub(super) envelopes: Vec<Traits>,
}

/// A rule, or something allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) envelope: u32,
    /// Its place in the envelope's list.
    pub(super) at: u32,
    pub(super) is_allowed: bool,
}

/// What has to be known of an envelope for every call.
#[derive(Debug, Clone, Default)]
pub(super) struct Traits {
    /// The rule of `allow`, as an entry.
    pub(super) allow: Option<u32>,
    /// The rule of `only_listed`, as an entry.
    pub(super) only_listed: Option<u32>,
    /// Some rule asks for a data class.
    pub(super) asks_data: bool,
}

/// Entries by one selector each.
#[derive(Debug, Clone, Default)]
struct Places {
    tools: Patterns<u32>,
    by_tool: Vec<u32>,
    effects: [Vec<u32>; Effect::ALL.len()],
    egress: [Vec<u32>; 2],
    targets: Patterns<u32>,
    rest: Vec<u32>,
}

/// What of a call an index looks at. `None`: not known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys<'a> {
    pub(super) tool: Option<&'a str>,
    pub(super) effect: Option<Effect>,
    pub(super) egress: Option<bool>,
    pub(super) target: Option<&'a str>,
}

impl Index {
    pub(super) fn of(envelopes: &[Envelope]) -> Self {
        let mut index = Self { entries: entries(envelopes), ..Self::default() };
        for (at, envelope) in (0..).zip(envelopes) {
            envelope.agents.iter().for_each(|glob| index.agents.add(glob, at));
            index.envelopes.push(Traits::default());
            for (order, tool) in (0..).zip(&envelope.known.0.tools) {
                index.tools.add(&tool.name, (at, order));
            }
            let classes = &envelope.known.0.classes;
            for (kind, named) in [(Kind::Environment, &classes.environments), (Kind::Surface, &classes.surfaces)] {
                for (order, (_, globs)) in (0..).zip(named) {
                    globs.iter().for_each(|glob| index.names.add(glob, (at, kind, order)));
                }
            }
        }
        for (number, entry) in (0..).zip(index.entries.clone()) {
            index.place(number, entry, envelopes);
        }
        index
    }

    fn place(&mut self, number: u32, entry: Entry, envelopes: &[Envelope]) {
        let envelope = &envelopes[entry.envelope as usize];
        let traits = &mut self.envelopes[entry.envelope as usize];
        let selector = entry.selector(envelopes);
        traits.asks_data |= !selector.data.is_empty() || selector.when.as_ref().is_some_and(|when| when.asks("data"));
        if !entry.is_allowed {
            let rule = &envelope.rules[entry.at as usize];
            if matches!(&rule.demand, Demand::Invariant(invariant) if invariant.read().is_some()) {
                self.later.push(entry);
            }
            match &*rule.id {
                super::sections::ALLOW => return traits.allow = Some(number),
                super::sections::ONLY_LISTED => return traits.only_listed = Some(number),
                _ => {}
            }
        }
        self.with_target.add(number, selector, true);
        self.without_target.add(number, selector, false);
    }

    /// The envelopes that apply, sorted.
    pub(super) fn applying(&self, action: &Action, envelopes: &[Envelope]) -> Vec<u32> {
        let mut applying = Vec::new();
        self.agents.find(action.agent_label(), |at| applying.push(at));
        applying.sort_unstable();
        applying.dedup();
        let service = &*action.service.name;
        applying.retain(|at| envelopes[*at as usize].services.iter().any(|glob| glob.matches(service)));
        applying
    }

    /// Adds every entry that may be about a call, and perhaps others.
    pub(super) fn find(&self, keys: &Keys<'_>, found: &mut Vec<u32>) {
        let places = if keys.target.is_some() { &self.with_target } else { &self.without_target };
        places.find(keys, found);
    }
}

impl Entry {
    pub(super) fn selector(self, envelopes: &[Envelope]) -> &Selector {
        let envelope = &envelopes[self.envelope as usize];
        match self.is_allowed {
            true => &envelope.allow[self.at as usize].selector,
            false => &envelope.rules[self.at as usize].selector,
        }
    }
}

impl Places {
    fn add(&mut self, number: u32, selector: &Selector, with_target: bool) {
        let only_tools = !selector.tools.is_empty() && selector.effects.is_empty();
        let globs = || {
            let named = |kind, names: &[std::sync::Arc<str>]| {
                names.iter().flat_map(|name| selector.classes.targets(kind, name)).cloned().collect::<Vec<_>>()
            };
            let environments = named(Kind::Environment, &selector.environments);
            let surfaces = named(Kind::Surface, &selector.surfaces);
            [selector.targets.clone(), environments, surfaces].into_iter().find(|globs| !globs.is_empty())
        };
        let about = if with_target && !only_tools { globs() } else { None };
        if let Some(globs) = about {
            globs.iter().for_each(|glob| self.targets.add(glob, number));
        } else if !selector.tools.is_empty() || !selector.effects.is_empty() {
            selector.tools.iter().for_each(|glob| self.tools.add(glob, number));
            self.by_tool.extend((!selector.tools.is_empty()).then_some(number));
            selector.effects.iter().for_each(|effect| self.effects[*effect as usize].push(number));
        } else if let Some(egress) = selector.egress {
            self.egress[usize::from(egress)].push(number);
        } else {
            self.rest.push(number);
        }
    }

    fn find(&self, keys: &Keys<'_>, found: &mut Vec<u32>) {
        match keys.tool {
            Some(tool) => self.tools.find(tool, |number| found.push(number)),
            None => found.extend(&self.by_tool),
        }
        match keys.effect {
            Some(effect) => found.extend(&self.effects[effect as usize]),
            None => found.extend(self.effects.iter().flatten()),
        }
        match keys.egress {
            Some(egress) => found.extend(&self.egress[usize::from(egress)]),
            None => found.extend(self.egress.iter().flatten()),
        }
        if let Some(target) = keys.target {
            self.targets.find(target, |number| found.push(number));
        }
        found.extend(&self.rest);
    }
}

/// Rules sorted by name, so that what is found in order is told in order; then everything allowed.
fn entries(envelopes: &[Envelope]) -> Vec<Entry> {
    let of = |is_allowed: bool| {
        (0..).zip(envelopes).flat_map(move |(envelope, it)| {
            let many = if is_allowed { it.allow.len() } else { it.rules.len() };
            (0..many as u32).map(move |at| Entry { envelope, at, is_allowed })
        })
    };
    let mut rules: Vec<Entry> = of(false).collect();
    rules.sort_by_key(|entry| &envelopes[entry.envelope as usize].rules[entry.at as usize].name);
    rules.extend(of(true));
    rules
}
