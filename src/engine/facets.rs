//! What agents run with, and since when: prompt, tools, policies, versions. A value that came lately may explain a
//! finding.
//!
//! Follows processing order, so it is learnt only where learning is on; see [`profiles`](super::profiles) for the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalogue::OVERFLOW;
use crate::judge::Change;
use crate::lineage;
use crate::model::{Action, Class, Confidence, Nanos, Span, Tenant, Turn};

/// Agents of a tenant whose versions are kept: as many as have series of their own.
const AGENTS: usize = 2_000;
/// Values of one kind that an agent keeps: the latest.
const VALUES: usize = 8;
/// Kinds of one agent: its tools are one each.
const KINDS: usize = 64;
/// A value that was not seen for this long is forgotten.
const IDLE: Span = Span::days(7);
/// A value is new for so long after it was first seen.
const NEW: Span = Span::hours(24);
/// Longer values are cut: they are foreign text, and tell versions apart all the same.
const LONGEST: usize = 128;

/// One value of one kind, and when it was seen: first by the action that showed it, and last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facet {
    /// Whose.
    pub tenant: Tenant,
    /// Which agent.
    pub agent: Arc<str>,
    /// What kind: `prompt`, `service version`, `tool send_email`.
    pub kind: Arc<str>,
    /// The value.
    pub value: Arc<str>,
    /// End of the first action that ran with it, as sent.
    pub first: Nanos,
    /// When it was last seen, on the journal's clock.
    pub last: Nanos,
}

type Agent = (Tenant, Arc<str>);
type Kinds = BTreeMap<Arc<str>, BTreeMap<Arc<str>, (Nanos, Nanos)>>;

/// Every agent's values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facets {
    agents: BTreeMap<Agent, Kinds>,
}

impl Facets {
    /// Puts values back that a checkpoint kept.
    pub fn restore(facets: impl IntoIterator<Item = Facet>) -> Self {
        let mut restored = Self::default();
        for Facet { tenant, agent, kind, value, first, last } in facets {
            let kinds = restored.agents.entry((tenant, agent)).or_default();
            kinds.entry(kind).or_default().insert(value, (first, last));
        }
        restored
    }

    /// Every value.
    pub fn all(&self) -> impl Iterator<Item = Facet> + '_ {
        self.agents.iter().flat_map(|((tenant, agent), kinds)| {
            kinds.iter().flat_map(move |(kind, values)| {
                values.iter().map(move |(value, (first, last))| Facet {
                    tenant: tenant.clone(),
                    agent: agent.clone(),
                    kind: kind.clone(),
                    value: value.clone(),
                    first: *first,
                    last: *last,
                })
            })
        })
    }

    /// Learns what an action ran with. False when there is no room for its agent.
    pub fn learn(&mut self, action: &Action, turn: &Turn, now: Nanos) -> bool {
        let key = (action.tenant.clone(), Arc::from(action.agent_label()));
        let of_tenant = || self.agents.keys().filter(|(tenant, _)| *tenant == action.tenant).count();
        if *key.1 == *OVERFLOW || (!self.agents.contains_key(&key) && of_tenant() >= AGENTS) {
            return false;
        }
        let kinds = self.agents.entry(key).or_default();
        for (kind, value) in of(action, turn) {
            if kinds.len() >= KINDS && !kinds.contains_key(&kind) {
                continue;
            }
            let values = kinds.entry(kind).or_default();
            let seen = values.entry(value).or_insert((action.end, now));
            *seen = (seen.0.min(action.end), now);
            while values.len() > VALUES {
                let oldest = values.iter().min_by_key(|(_, (_, last))| *last).map(|(value, _)| value.clone());
                let Some(oldest) = oldest else { break };
                values.remove(&oldest);
            }
        }
        true
    }

    /// What an action runs with that is new, where something else was before.
    pub fn changes(&self, action: &Action, turn: &Turn) -> Vec<Change> {
        let key = (action.tenant.clone(), Arc::from(action.agent_label()));
        let Some(kinds) = self.agents.get(&key) else { return Vec::new() };
        let changed = of(action, turn).into_iter().filter_map(|(kind, value)| {
            let values = kinds.get(&kind)?;
            let (first, _) = values.get(&value)?;
            let before = values.iter().filter(|(other, (began, _))| **other != value && began < first);
            let (before, _) = before.max_by_key(|(_, (began, _))| *began)?;
            let is_new = action.end.since(*first) < NEW;
            let confidence = if kind.starts_with(TOOL) { Confidence::High } else { Confidence::Low };
            let what = format!("{kind} is `{value}` since {first}, it was `{before}`").into();
            is_new.then_some(Change { class: Class::Reliability, confidence, what })
        });
        changed.collect()
    }

    /// Forgets what was not seen for long.
    pub fn tidy(&mut self, now: Nanos) {
        for kinds in self.agents.values_mut() {
            for values in kinds.values_mut() {
                values.retain(|_, (_, last)| now.since(*last) < IDLE);
            }
            kinds.retain(|_, values| !values.is_empty());
        }
        self.agents.retain(|_, kinds| !kinds.is_empty());
    }
}

/// What the kind of a tool's definition begins with.
const TOOL: &str = "tool ";

/// What an action ran with, by kind.
fn of(action: &Action, turn: &Turn) -> Vec<(Arc<str>, Arc<str>)> {
    let short = |digest: String| Arc::from(digest.get(..16).unwrap_or(&digest));
    let cut = |text: &str| {
        let mut end = text.len().min(LONGEST);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        Arc::from(&text[..end])
    };
    let agent_version = action.agent.value().and_then(|(_, version)| version.as_deref());
    let prompt = turn.prompt_version.as_ref().map(|version| cut(&version.value));
    let prompt = prompt.or_else(|| turn.prompt.value().map(|it| short(it.value.digest.bytes.to_string())));
    let policies: Vec<Arc<str>> = action.policy.value().cloned().unwrap_or_default();
    let mut found: Vec<(Arc<str>, Arc<str>)> = Vec::new();
    found.extend(prompt.map(|prompt| ("prompt".into(), prompt)));
    found.extend(agent_version.map(|version| ("agent version".into(), cut(version))));
    found.extend(action.service_version.as_ref().map(|version| ("service version".into(), cut(version))));
    found.extend(lineage::instrumentation(action).map(|scope| ("instrumentation".into(), cut(scope))));
    for policy in policies {
        let (id, version) = policy.split_once('@').unwrap_or((&policy, ""));
        found.push((cut(&format!("policy {id}")), cut(version)));
    }
    if let Some(version) = &action.tool_version {
        found.push((cut(&format!("{TOOL}{}", action.tool_label())), short(version.bytes.to_string())));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{self, at};

    fn run(version: &str, second: u64) -> Action {
        Action { service_version: Some(version.into()), end: at(second), ..sample::action() }
    }

    fn changed(facets: &Facets, action: &Action) -> Vec<String> {
        facets.changes(action, &sample::turn()).into_iter().map(|change| change.what.to_string()).collect()
    }

    #[test]
    fn a_new_version_may_explain_a_finding_for_a_day() {
        let mut facets = Facets::default();
        facets.learn(&run("1.4", 0), &sample::turn(), at(0));
        assert!(changed(&facets, &run("1.4", 1)).is_empty(), "the first is no change");
        facets.learn(&run("1.5", 100), &sample::turn(), at(100));
        let [change] = &changed(&facets, &run("1.5", 200))[..] else { panic!("one change") };
        assert!(change.starts_with("service version is `1.5` since 2026-11-20T06:31:40"), "{change}");
        assert!(changed(&facets, &run("1.4", 200)).is_empty(), "the old one goes on beside it");
        assert!(changed(&facets, &run("1.5", 100 + 86_400)).is_empty());
    }

    #[test]
    fn what_is_restored_is_what_was_learnt_and_what_is_idle_is_forgotten() {
        let mut facets = Facets::default();
        facets.learn(&run("1.4", 0), &sample::turn(), at(0));
        assert_eq!(Facets::restore(facets.all()), facets);
        facets.tidy(at(0) + IDLE);
        assert_eq!(facets, Facets::default());
    }

    #[test]
    fn values_of_one_kind_are_bounded() {
        let mut facets = Facets::default();
        for second in 0..20 {
            facets.learn(&run(&second.to_string(), second), &sample::turn(), at(second));
        }
        let versions = facets.all().filter(|facet| &*facet.kind == "service version").count();
        assert_eq!(versions, VALUES);
    }
}
