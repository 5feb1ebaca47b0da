//! What the engine remembers of an action and a turn besides their evidence: what was published and counted. This
//! follows processing order; the lineage does not.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::judge::{Place, Topic};
use crate::lineage::{EndedBy, Handle};
use crate::model::{ActionId, Class, Digest, Field, Finding, FindingId, Hash, Nanos, Sli, Span, TurnId, Value};
use crate::sli::LedgerKey;

/// The books of one component: what was seen of it, and, if it was published, what was told and counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Fixed at first publication.
    pub id: Option<ActionId>,
    /// Of the last row.
    pub revision: u32,
    /// Digest of the configuration in force when its first evidence was folded.
    pub judged_by: Option<Digest>,
    /// When its first evidence was folded, on the engine's clock.
    pub first_seen: Nanos,
    /// When its last evidence was folded, on the engine's clock.
    pub last_seen: Nanos,
    /// When the last evidence came that it is read for, its own or its neighbours', on the journal's clock.
    pub heard: Nanos,
    /// The evidence that ends it. Decides what is late, and when its slice closes.
    pub ended: Option<Ended>,
    /// Its outcome was taken.
    pub settled: bool,
    /// Evidence came after its slice of the ledger had closed: no number moves any more.
    pub frozen: bool,
    /// SLIs whose deadline has passed, with the value that was due.
    pub due: BTreeMap<Sli, Value>,
    /// What the ledger holds of it.
    pub booked: BTreeMap<Sli, (LedgerKey, Value)>,
    /// When the slice closes that it is booked in, on the journal's clock.
    pub closes: Option<Nanos>,
    /// Findings that were opened and not taken back, by rule.
    pub raised: BTreeMap<Arc<str>, Raised>,
    /// Rules whose violation was counted at once.
    pub violated: BTreeSet<Arc<str>>,
    /// Where it stands among the denied attempts of a turn, under its id.
    pub denial: Option<Denial>,
    /// Hash of the last row without its revision.
    pub published: Option<Hash>,
    /// End of the last row, as sent.
    pub end: Nanos,
    /// The action this one was merged into, if its last row is a tombstone.
    pub merged_into: Option<ActionId>,
    /// The learnt fields that are asked of it, fixed when it settled.
    pub asked: Option<Vec<Field>>,
    /// Its instrumentation's profile was told of it, or it is nothing to learn from.
    pub learnt: bool,
    /// Findings about its instrumentation that it tipped. They stand with its own.
    pub tipped: Vec<Finding>,
    /// Notes that it left on boards: topic and place.
    pub notes: BTreeSet<(Topic, Place)>,
}

/// The evidence that ends an action, and when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// What kind of evidence.
    pub by: EndedBy,
    /// Its end, as sent.
    pub end: Nanos,
    /// When it was folded, on the journal's clock.
    pub arrived: Nanos,
}

impl Ended {
    /// The one that counts: a run's before an answer's before a proposal's, then the later end. Sent twice, it came
    /// when it came first.
    pub fn or(self, other: Self) -> Self {
        std::cmp::max_by_key(self, other, |it| (it.by, it.end, Reverse(it.arrived)))
    }

    /// How late it came. What ends in the future came in time.
    pub fn late(&self) -> Span {
        self.arrived.since(self.end)
    }

    /// Where it is booked: at its end as sent. One further ahead than the horizon is no time at all and counts as now,
    /// or its slice would never close.
    pub fn booked_at(&self, horizon: Span) -> Nanos {
        if self.end > self.arrived + horizon { self.arrived } else { self.end }
    }

    /// When that slice closes. What comes later moves no number.
    pub fn closes(&self, horizon: Span) -> Nanos {
        self.booked_at(horizon) + horizon
    }
}

/// A finding that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    /// Its id.
    pub finding: FindingId,
    /// It pages.
    pub pages: bool,
    /// Who was told to look.
    pub class: Class,
    /// The root of the lineage whose incident it is part of. `None` in rows of a former version: the action's turn.
    pub turn: Option<TurnId>,
}

/// What both halves of an action had found.
#[derive(Debug, Default)]
pub struct FoundTwice {
    /// Under two ids: these are superseded.
    pub other: Vec<(Arc<str>, Raised)>,
    /// Under one id, in the incidents of two lineages: it leaves those of these.
    pub same: Vec<Raised>,
}

/// Where an action stands in [`TurnAccount::denied`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// Whose books.
    pub turn: TurnId,
    /// The tool.
    pub tool: Arc<str>,
    /// The target, or the parameters where no target is known.
    pub about: Arc<str>,
    /// The attempt's start, as sent.
    pub start: Nanos,
}

impl Account {
    /// One whose first evidence is folded now.
    pub fn begun(judged_by: Digest, clock: Nanos) -> Self {
        Self { judged_by: Some(judged_by), first_seen: clock, ..Self::default() }
    }

    /// Adds what was seen of another component that turned out to be the same. Its books stay where they are, but for
    /// what was found: findings are told once, so those that both had are given back.
    pub fn absorb(&mut self, lost: &mut Self) -> FoundTwice {
        if lost.first_seen < self.first_seen {
            (self.first_seen, self.judged_by) = (lost.first_seen, lost.judged_by);
        }
        self.last_seen = self.last_seen.max(lost.last_seen);
        self.heard = self.heard.max(lost.heard);
        self.ended = match (self.ended, lost.ended) {
            (Some(own), Some(other)) => Some(own.or(other)),
            (own, other) => own.or(other),
        };
        self.end = self.end.max(lost.end);
        self.settled |= lost.settled;
        self.learnt |= lost.learnt;
        self.notes.append(&mut lost.notes);
        self.asked = self.asked.take().or(lost.asked.take());
        self.take_findings(lost)
    }

    /// Takes over what was found and counted of another half. Gives back what both had found.
    pub fn take_findings(&mut self, lost: &mut Self) -> FoundTwice {
        self.violated.append(&mut lost.violated);
        self.tipped.append(&mut lost.tipped);
        let mut twice = FoundTwice::default();
        for (rule, other) in std::mem::take(&mut lost.raised) {
            let own = self.raised.entry(rule.clone()).or_insert(other);
            if own.finding != other.finding {
                // One that pages stays: somebody may be looking at it.
                let dropped = if other.pages && !own.pages { std::mem::replace(own, other) } else { other };
                twice.other.push((rule, dropped));
            } else if own.turn != other.turn {
                twice.same.push(other);
            }
        }
        twice
    }

    /// Goes on under the name of one that was published, with its books.
    pub fn inherit(&mut self, former: &mut Self) {
        self.id = former.id.take();
        self.revision = std::mem::take(&mut former.revision);
        self.frozen |= std::mem::take(&mut former.frozen);
        self.due = std::mem::take(&mut former.due);
        self.booked = std::mem::take(&mut former.booked);
        self.closes = former.closes.take();
        self.denial = former.denial.take();
        self.published = former.published.take();
        self.end = std::mem::take(&mut former.end);
        self.merged_into = former.merged_into.take();
        self.learnt |= std::mem::take(&mut former.learnt);
        self.asked = former.asked.take().or(self.asked.take());
        self.notes.append(&mut former.notes);
        // It has none of its own: what is found is found under a name.
        self.take_findings(former);
    }
}

/// The books of one turn.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TurnAccount {
    /// Of the last row.
    pub revision: u32,
    /// When its last evidence was folded, on the engine's clock.
    pub last_seen: Nanos,
    /// When its first root's end was folded, on the engine's clock.
    pub root_seen: Option<Nanos>,
    /// Nothing more is expected.
    pub closed: bool,
    /// Hash of the last row without its revision.
    pub published: Option<Hash>,
    /// Denied attempts in it: (tool, target or parameters) → (start, action). [`Account::denial`] points here.
    pub denied: BTreeMap<(Arc<str>, Arc<str>), BTreeSet<(Nanos, ActionId)>>,
    /// Containment steps already told to the incidents.
    pub contained: usize,
    /// Actions of it whose judgement rests on their neighbours: what was denied, or has a finding.
    pub watch: BTreeSet<Handle>,
    /// Hash of what its actions were last read with from the turns above it.
    pub inherited: Option<Hash>,
    /// When evidence of another turn last came that may change its edges, on the journal's clock.
    pub told: Nanos,
}

#[cfg(test)]
mod tests {
    use super::*;

    const HORIZON: Span = Span::hours(48);

    #[test]
    fn a_slice_closes_a_horizon_after_its_end_as_sent_unless_that_is_no_time() {
        let hour = |hour| Nanos(0) + Span::hours(hour);
        for (end, arrived, booked) in [(100, 100, 100), (100, 150, 100), (101, 100, 101), (999, 100, 100)] {
            let ended = Ended { by: EndedBy::Run, end: hour(end), arrived: hour(arrived) };
            assert_eq!(ended.booked_at(HORIZON), hour(booked));
            assert_eq!(ended.closes(HORIZON), hour(booked + 48));
        }
    }
}
