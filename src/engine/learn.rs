//! Learning: which fields are asked of an action without anybody having said so, and what its instrumentation has
//! shown by it. Follows processing order, so it can be switched off.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::catalogue::Metric;
use crate::judge::Learnt;
use crate::lineage::{self, Group};
use crate::model::{Action, Class, EvidenceId, Field, Finding, FindingId, FindingState, Severity, Tenant};

use super::profiles::{Regression, Scope, Share};
use super::{Account, Configuration, Engine};

/// What the rules of such findings begin with; the field follows.
const REGRESSION: &str = "telemetry_regression";

impl Engine {
    /// What is asked of an action that nobody has said: fixed when it settled, else what is known now.
    pub(super) fn asked_of(&self, account: &Account, configuration: &Configuration, action: &Action) -> Learnt {
        match (&account.asked, configuration.learning) {
            (_, false) => Learnt::Off,
            (Some(fields), true) => Learnt::Fields(fields.iter().copied().collect()),
            (None, true) => Learnt::Fields(self.learnt(action)),
        }
    }

    fn learnt(&self, action: &Action) -> BTreeSet<Field> {
        let scope = lineage::instrumentation(action).map(|scope| Scope::of(scope));
        scope.map(|scope| self.profiles.learnt(&action.tenant, &scope)).unwrap_or_default()
    }

    /// Fixes what is asked of a settled action, so that a revision is judged by the same. Once nothing more is expected
    /// of its turn, learns from it, once. What this brings to light is a finding of this action: it tipped the scale.
    pub(super) fn learn(&mut self, group: &Group, action: &mut Action) {
        if !self.configuration_of(action.judged_by).1.learning {
            return;
        }
        let asked = self.learnt(action).into_iter().collect();
        let late = self.standing(group, action).late;
        let closed = self.turns.get(&action.turn).is_some_and(|turn| turn.closed);
        let known = group.all().filter_map(|half| self.accounts.get(&half)).any(|half| half.learnt);
        let Some(account) = self.accounts.get_mut(&group.root) else {
            return;
        };
        account.asked.get_or_insert(asked);
        if known || !closed {
            return;
        }
        account.learnt = true;
        if late || action.marks.sampled {
            return;
        }
        if let Some(turn) = self.gist_of(action)
            && !self.facets.learn(action, &turn, self.now)
        {
            self.counters.add(Metric::CardinalityOverflow, &["facet"], 1, self.now, None);
        }
        let Some(scope) = lineage::instrumentation(action).map(|scope| Scope::of(scope)) else {
            return;
        };
        let together = self.book.acting(action.turn).max(1);
        if !self.profiles.learn(&scope, action, together, self.now) {
            self.counters.add(Metric::CardinalityOverflow, &["profile"], 1, self.now, None);
        }
        for regression in self.profiles.regressions(&action.tenant, &scope) {
            self.regressed(group, action, &regression);
        }
    }

    /// Makes the finding. It is told with the others of the action.
    fn regressed(&mut self, group: &Group, action: &mut Action, regression: &Regression) {
        let finding = finding(action, regression);
        self.profiles.told(&action.tenant, regression, finding.id);
        let labels = [action.tenant.as_str(), &regression.scope.to_string(), regression.field.as_str()];
        self.counters.add(Metric::TelemetryRegressions, &labels, 1, self.now, None);
        if let Some(account) = self.accounts.get_mut(&group.root) {
            account.tipped.push(finding.clone());
        }
        action.findings.push(finding);
    }

    /// What an action has tipped, whichever of its halves it was.
    pub(super) fn tipped(&self, group: &Group) -> impl Iterator<Item = &Finding> {
        group.all().filter_map(|half| self.accounts.get(&half)).flat_map(|half| &half.tipped)
    }
}

fn finding(action: &Action, regression: &Regression) -> Finding {
    let mut evidence: Vec<EvidenceId> = action.pieces.iter().map(|piece| piece.evidence).collect();
    evidence.sort_unstable();
    evidence.dedup();
    Finding {
        id: id(&action.tenant, regression),
        rule: format!("{REGRESSION}.{}", regression.field).into(),
        // Nobody is harmed tonight, and nobody sees what is missing until it is needed.
        severity: Severity::Ticket,
        class: Class::Reliability,
        state: FindingState::Open,
        tags: Vec::new(),
        envelope: None,
        message: message(regression).into(),
        evidence,
        at: action.end,
    }
}

/// Scope, both versions, field, both shares with their counts; and whether it is withheld, which is somebody's choice.
fn message(regression: &Regression) -> String {
    let Regression { field, scope, before, now, then } = regression;
    let withheld = match now.withheld {
        0 => String::new(),
        withheld => format!("; in {withheld} of them it is withheld: content capture was switched off there"),
    };
    format!(
        "`{}` {} fills {field} in {}, {} did in {}{withheld}",
        scope.name,
        version(&scope.version),
        share(now),
        version(before),
        share(then)
    )
}

fn version(version: &Arc<str>) -> &str {
    if version.is_empty() { "without a version" } else { version }
}

fn share(share: &Share) -> String {
    let percent = share.filled as f64 * 100.0 / (share.asked.max(1)) as f64;
    format!("{} of {} actions ({percent:.1} %)", share.filled, share.asked)
}

/// Hash of tenant, scope, version and field, each after its length.
fn id(tenant: &Tenant, Regression { scope, field, .. }: &Regression) -> FindingId {
    let mut hasher = blake3::Hasher::new_derive_key("wherefore telemetry regression v1");
    for part in [tenant.as_str(), &scope.name, &scope.version, field.as_str()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    FindingId(bytes)
}
