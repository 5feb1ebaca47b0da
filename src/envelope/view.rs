//! Everything that envelopes say about one action.

use std::sync::Arc;

use super::answer::{self, Answer};
use super::classes::Kind;
use super::contents::{Contents, is_mark};
use super::deed::{Authority, Deed, Doing, Tool};
use super::index::{Entry, Keys};
use super::rules::{Fit, Rule, Rules, is_between};
use super::selector::Facts;
use crate::model::Action;

/// What the envelopes say about one action.
#[derive(Debug)]
pub struct View<'a> {
    /// What the call does.
    pub deed: Deed,
    /// Some envelope applies.
    pub covered: bool,
    /// The rules that are about the call, sorted by name.
    pub hits: Vec<Hit<'a>>,
}

/// A rule that is about a call.
#[derive(Debug, Clone, Copy)]
pub struct Hit<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// How surely it is.
    pub fit: Fit,
}

impl Rules {
    /// Everything the envelopes say about one action, in one indexed pass. Nothing is said about how the call ended.
    pub fn view<'r>(&'r self, action: &Action) -> View<'r> {
        let applying = self.index.applying(action, &self.envelopes);
        if applying.is_empty() {
            let Doing { effect, egress, target } = Doing::said(action);
            let deed = Deed { effect, egress, target, ..Deed::default() };
            return View { deed, covered: false, hits: Vec::new() };
        }
        let contents = Contents::of(action);
        let look = Look { rules: self, action, doings: self.doings(action, &applying, &contents), applying, contents };
        View { deed: look.deed(), covered: true, hits: look.hits() }
    }

    /// What the call does, in the words of the envelopes that apply.
    fn doings(&self, action: &Action, applying: &[u32], contents: &Contents<'_>) -> Doings {
        let said = Doing::said(action);
        let mut declared = Vec::new();
        if let Some(tool) = action.tool.value() {
            self.index.tools.find(tool, |(envelope, order)| declared.push((envelope, order)));
        }
        declared.retain(|(envelope, _)| applying.binary_search(envelope).is_ok());
        declared.sort_unstable();
        declared.dedup_by_key(|(envelope, _)| *envelope);
        let mut tools: Vec<&Tool> = Vec::new();
        let mut doings = Doings { base: said.clone(), distinct: Vec::new(), own: Vec::new() };
        for (envelope, order) in declared {
            let tool = &self.envelopes[envelope as usize].known.0.tools[order as usize];
            let at = tools.iter().position(|other| other.says_as(tool)).unwrap_or_else(|| {
                tools.push(tool);
                doings.distinct.push(said.clone().declared(tool, contents));
                tools.len() - 1
            });
            doings.own.push((envelope, at));
        }
        // An envelope that says nothing of the tool believes the first that does: both are the operator's.
        if let Some(first) = doings.distinct.first() {
            doings.base = first.clone();
        }
        doings
    }
}

/// What a call does: for most envelopes, and for those that say it themselves.
struct Doings {
    base: Doing,
    /// What envelopes say themselves, each once. The first is the base.
    distinct: Vec<Doing>,
    /// By envelope, sorted: which of those.
    own: Vec<(u32, usize)>,
}

impl Doings {
    fn of(&self, envelope: u32) -> &Doing {
        let at = self.own.binary_search_by_key(&envelope, |(envelope, _)| *envelope);
        at.map_or(&self.base, |at| &self.distinct[self.own[at].1])
    }

    /// Whether an envelope lists the tool.
    fn lists(&self, envelope: u32) -> bool {
        self.own.binary_search_by_key(&envelope, |(envelope, _)| *envelope).is_ok()
    }

    /// Each once.
    fn each(&self) -> impl Iterator<Item = &Doing> {
        std::iter::once(&self.base).chain(self.distinct.iter().skip(1))
    }
}

/// One look at one action.
struct Look<'r, 'a> {
    rules: &'r Rules,
    action: &'a Action,
    applying: Vec<u32>,
    doings: Doings,
    contents: Contents<'a>,
}

impl<'r> Look<'r, '_> {
    fn facts(&self, envelope: u32) -> Facts<'_> {
        Facts { action: self.action, doing: self.doings.of(envelope), contents: &self.contents }
    }

    fn deed(&self) -> Deed {
        let Doing { effect, egress, target } = self.doings.base.clone();
        let mut deed = Deed { effect, egress, target, ..Deed::default() };
        if !self.rules.index.names.is_empty() {
            self.doings.each().filter_map(known_target).for_each(|target| self.name(target, &mut deed));
        }
        for at in &self.applying {
            let classes = &self.rules.envelopes[*at as usize].known.0.classes;
            if self.rules.index.envelopes[*at as usize].asks_data {
                let facts = self.facts(*at);
                let is =
                    |name: &&Arc<str>| classes.answer(Kind::Data, std::slice::from_ref(*name), &facts) == Answer::Yes;
                deed.data.extend(classes.data.iter().map(|class| &class.name).filter(is).cloned());
            }
        }
        deed
    }

    /// The environments and surfaces of a target.
    fn name(&self, target: &str, deed: &mut Deed) {
        self.rules.index.names.find(target, |(envelope, kind, order)| {
            let its_own = || self.doings.distinct.len() < 2 || known_target(self.doings.of(envelope)) == Some(target);
            if self.applying.binary_search(&envelope).is_ok() && its_own() {
                let classes = &self.rules.envelopes[envelope as usize].known.0.classes;
                let (names, named) = match kind {
                    Kind::Environment => (&mut deed.environments, &classes.environments),
                    Kind::Surface | Kind::Data => (&mut deed.surfaces, &classes.surfaces),
                };
                let name = &named[order as usize].0;
                if !names.contains(name) {
                    names.insert(Arc::clone(name));
                }
            }
        });
    }

    fn hits(&self) -> Vec<Hit<'r>> {
        let mut fits = Vec::new();
        let mut allowed: Vec<(u32, Answer)> = Vec::new();
        for number in self.candidates() {
            let entry = self.rules.index.entries[number as usize];
            if self.applying.binary_search(&entry.envelope).is_err() {
                continue;
            }
            match (entry.is_allowed, self.answer(entry)) {
                (true, answer) => allowed.push((entry.envelope, answer)),
                (false, Answer::Yes) => fits.push((number, Fit::Yes)),
                (false, Answer::Maybe(reason)) => fits.push((number, Fit::Unclear(reason))),
                // That a limit is about another call is only a guess, and a guess makes nothing good.
                (false, Answer::Hardly(reason)) if self.rule(number).demand().limits() => {
                    fits.push((number, Fit::Unclear(reason)));
                }
                (false, Answer::Hardly(_) | Answer::No) => {}
            }
        }
        for envelope in &self.applying {
            self.outside(*envelope, &allowed, &mut fits);
        }
        fits.sort_unstable_by_key(|(number, _)| *number);
        fits.into_iter().map(|(number, fit)| Hit { rule: self.rule(number), fit }).collect()
    }

    /// Entries that may be about the call, sorted, each once.
    fn candidates(&self) -> Vec<u32> {
        let mut found = Vec::with_capacity(64);
        // A guess excludes no rule, so it narrows nothing.
        let sure = |authority: &Authority| *authority > Authority::Inferred;
        for doing in self.doings.each() {
            let keys = Keys {
                tool: self.action.tool.value().map(|tool| &**tool),
                effect: doing.effect.filter(|(_, by)| sure(by)).map(|(effect, _)| effect),
                egress: doing.egress.filter(|(_, by)| sure(by)).map(|(egress, _)| egress),
                target: known_target(doing).filter(|target| !is_mark(target)),
            };
            self.rules.index.find(&keys, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn answer(&self, entry: Entry) -> Answer {
        let envelope = &self.rules.envelopes[entry.envelope as usize];
        let (from, until) = match entry.is_allowed {
            true => (envelope.allow[entry.at as usize].from, envelope.allow[entry.at as usize].until),
            false => (envelope.rules[entry.at as usize].from, envelope.rules[entry.at as usize].until),
        };
        match is_between(from, until, self.action.end) {
            true => entry.selector(&self.rules.envelopes).answer(&self.facts(entry.envelope)),
            false => Answer::No,
        }
    }

    /// Whether the call is outside of what an envelope lists.
    fn outside(&self, envelope: u32, allowed: &[(u32, Answer)], fits: &mut Vec<(u32, Fit)>) {
        let traits = &self.rules.index.envelopes[envelope as usize];
        if let Some(number) = traits.allow {
            match self.inside(envelope, allowed) {
                Answer::Yes => {}
                Answer::Maybe(reason) | Answer::Hardly(reason) => fits.push((number, Fit::Unclear(reason))),
                Answer::No => fits.push((number, Fit::Yes)),
            }
        }
        match traits.only_listed {
            Some(number) if !self.action.tool.is_present() => fits.push((number, Fit::Unclear("tool_unknown"))),
            Some(number) if !self.doings.lists(envelope) => fits.push((number, Fit::Yes)),
            _ => {}
        }
    }

    /// Whether something allowed is about the call. A guess finds less than there may be, so then all are asked.
    fn inside(&self, envelope: u32, allowed: &[(u32, Answer)]) -> Answer {
        if !is_guessed(self.doings.of(envelope)) {
            return answer::any(allowed.iter().filter(|(of, _)| *of == envelope).map(|(_, answer)| *answer));
        }
        let many = self.rules.envelopes[envelope as usize].allow.len() as u32;
        answer::any((0..many).map(|at| self.answer(Entry { envelope, at, is_allowed: true })))
    }

    fn rule(&self, number: u32) -> &'r Rule {
        let entry = self.rules.index.entries[number as usize];
        &self.rules.envelopes[entry.envelope as usize].rules[entry.at as usize]
    }
}

#[cfg(test)]
impl Rules {
    /// The definition: every rule of every envelope that applies is asked, without an index.
    pub(super) fn asked(&self, action: &Action) -> Vec<String> {
        let applying = self.index.applying(action, &self.envelopes);
        let contents = Contents::of(action);
        let look = Look { rules: self, action, doings: self.doings(action, &applying, &contents), applying, contents };
        let mut told = Vec::new();
        for at in &look.applying {
            let envelope = &self.envelopes[*at as usize];
            for (number, rule) in (0..).zip(envelope.rules.iter()) {
                let entry = Entry { envelope: *at, at: number, is_allowed: false };
                let all = (0..envelope.allow.len() as u32).map(|at| Entry { at, is_allowed: true, ..entry });
                let answer = match rule.id() {
                    "allow" => match answer::any(all.map(|entry| look.answer(entry))) {
                        Answer::No => Answer::Yes,
                        Answer::Yes => Answer::No,
                        Answer::Maybe(reason) | Answer::Hardly(reason) => Answer::Maybe(reason),
                    },
                    _ => look.answer(entry),
                };
                match answer {
                    Answer::Yes => told.push(format!("{} {:?}", rule.name(), Fit::Yes)),
                    Answer::Maybe(reason) => told.push(format!("{} {:?}", rule.name(), Fit::Unclear(reason))),
                    Answer::Hardly(reason) if rule.demand().limits() => {
                        told.push(format!("{} {:?}", rule.name(), Fit::Unclear(reason)));
                    }
                    Answer::Hardly(_) | Answer::No => {}
                }
            }
        }
        told.sort();
        told
    }
}

fn known_target(doing: &Doing) -> Option<&str> {
    let known = doing.target.as_ref().filter(|(_, authority)| *authority > Authority::Inferred);
    known.map(|(target, _)| &**target)
}

fn is_guessed(doing: &Doing) -> bool {
    let guess = Some(Authority::Inferred);
    let by = [
        doing.effect.map(|(_, authority)| authority),
        doing.egress.map(|(_, authority)| authority),
        doing.target.as_ref().map(|(_, authority)| *authority),
    ];
    by.contains(&guess)
}
