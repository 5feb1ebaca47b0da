//! Checks that come later, in another trace: which earlier action of the conversation they are about.
//!
//! A check that names a tool and a target, and no call, is about the latest action of that tool on that target which
//! began before it. Where two of them were under way at once, nobody knows which.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Check, Key, Nanos, Provenance, Service, Tenant, Tie};

use super::pair::REPEATED;
use super::read::says_call;
use super::state::{About, ActionState, Attached, Book, Handle, TurnState};

/// An action that a check may be about: when it began and ended, and whose it is.
struct Candidate<'a> {
    from: Nanos,
    to: Nanos,
    root: Handle,
    service: Option<&'a Service>,
}

impl Book {
    /// Checks of other turns of its conversation that are about an action with these keys.
    pub(super) fn later_checks<'a>(&self, turn: &TurnState, keys: impl Iterator<Item = &'a Key>) -> Vec<Check> {
        let chosen = self.checked_in(turn);
        if chosen.is_empty() {
            return Vec::new();
        }
        let own: Vec<Handle> =
            keys.filter_map(|key| self.by_key.get(&(turn.tenant.clone(), key.clone())).copied()).collect();
        chosen.into_iter().filter(|(_, root)| own.contains(root)).map(|(check, _)| computed(check)).collect()
    }

    /// What the checks of a turn's conversation are about, those for which one action can be meant.
    pub(super) fn checked_in(&self, turn: &TurnState) -> Vec<(&Check, Handle)> {
        let Some(conversation) = turn.conversation.as_ref().map(|it| &it.value) else { return Vec::new() };
        let mut found = Vec::new();
        for giver in self.givers(&turn.tenant, &Tie::Checks(conversation.clone())) {
            for (tool, target, check) in giver.latest() {
                found.extend(self.meant(conversation, giver, (tool, target), check).map(|root| (check, root)));
            }
        }
        found
    }

    /// Whether something is checked in a conversation that another turn of it may have done.
    pub(super) fn is_checked(&self, tenant: &Tenant, conversation: &Arc<str>) -> bool {
        self.givers(tenant, &Tie::Checks(conversation.clone())).next().is_some()
    }

    fn meant(
        &self,
        conversation: &Arc<str>,
        giver: &TurnState,
        about: (&Arc<str>, &Arc<str>),
        check: &Check,
    ) -> Option<Handle> {
        let independent = check.witness.as_ref().is_some_and(|witness| witness.role.is_independent());
        let turns = self.takers_of(&giver.tenant, &Tie::Conversation(conversation.clone()));
        let turns = turns.filter(|turn| independent || turn.service() == giver.service());
        let mut candidates: BTreeMap<Handle, Candidate<'_>> = BTreeMap::new();
        for turn in turns {
            let parts = turn.members.iter().filter_map(|handle| self.actions.get(handle));
            for part in parts.filter(|part| is_on(part, about)) {
                let Some(group) = self.group(part.handle).filter(|group| self.state(group).is_some()) else { continue };
                let pieces =
                    || group.all().filter_map(|handle| self.actions.get(&handle)).flat_map(|it| it.pieces.values());
                let calls = || pieces().filter(|piece| says_call(piece).is_some());
                let (Some(from), Some(to)) = (calls().map(|it| it.start).min(), calls().map(|it| it.end).max()) else {
                    continue;
                };
                if from < check.at {
                    candidates.insert(group.root, Candidate { from, to, root: group.root, service: turn.service() });
                }
            }
        }
        let mut candidates: Vec<Candidate<'_>> = candidates.into_values().collect();
        candidates.sort_by_key(|it| (it.from, it.to));
        let last = candidates.pop()?;
        let apart = candidates.iter().all(|it| it.to <= last.from && it.service == last.service);
        apart.then_some(last.root)
    }

    /// The turns that take a tie up. None of too many.
    fn takers_of<'a>(&'a self, tenant: &Tenant, tie: &Tie) -> impl Iterator<Item = &'a Arc<TurnState>> + use<'a> {
        let tied = self.by_tie.get(&(tenant.clone(), tie.clone())).filter(|tied| tied.takers.len() <= REPEATED);
        tied.into_iter().flat_map(|tied| &tied.takers).filter_map(|taker| self.turns.get(taker))
    }
}

impl TurnState {
    /// Checks of it that name a tool and a target.
    fn latest(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, &Check)> {
        let from = About::Latest("".into(), "".into());
        self.attached.range(from..).flat_map(|(about, said)| {
            said.iter().filter_map(move |it| match (about, it) {
                (About::Latest(tool, target), Attached::Check(check)) => Some((tool, target, &**check)),
                _ => None,
            })
        })
    }

    /// Whether another turn may have done what it checks.
    pub(super) fn checks_others(&self) -> bool {
        self.latest().next().is_some()
    }
}

/// Whether a component tells of a call of this tool on this target, now and not as history.
fn is_on(part: &ActionState, (tool, target): (&Arc<str>, &Arc<str>)) -> bool {
    let calls = || part.pieces.values().filter_map(says_call);
    calls().any(|call| call.tool.as_ref() == Some(tool)) && calls().any(|call| call.target.as_ref() == Some(target))
}

/// How a check reached an action that it does not name.
fn computed(check: &Check) -> Check {
    let mut check = check.clone();
    if let Some(witness) = &mut check.witness {
        witness.provenance = witness.provenance.min(Provenance::Computed);
    }
    check
}
