//! What is known of the senders' instrumentations, as a list that a person reads: which scopes no dialect reads, and
//! what the others fill.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use crate::catalogue::Metric;
use crate::model::{Field, Tenant};

use super::Engine;
use super::profiles::{Profile, Scope};

/// What is known of the instrumentations of one tenant, or of all.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Instrumentations {
    /// Scopes with records that no dialect reads, those with most of them first. At most 500 of a tenant have a line of
    /// their own.
    pub unread: Vec<Unread>,
    /// What each version of a scope has shown in the actions that it tells of.
    pub profiles: Vec<Shown>,
}

/// A scope with records that no dialect reads.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unread {
    /// Whose.
    pub tenant: Arc<str>,
    /// Its name and version.
    #[serde(flatten)]
    pub scope: Scope,
    /// Such records.
    pub records: u64,
    /// Their share of all records of the tenant, in `[0, 1]`.
    pub share: f64,
}

/// What a version has shown, and what is asked of it for that.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shown {
    /// What it has shown.
    #[serde(flatten)]
    pub profile: Profile,
    /// The fields that are asked of its actions.
    pub asks: BTreeSet<Field>,
}

impl Engine {
    /// What is known of the instrumentations of one tenant, or of all.
    pub fn instrumentations(&self, tenant: Option<&Tenant>) -> Instrumentations {
        let profiles = self.profiles.all().filter(|profile| tenant.is_none_or(|tenant| *tenant == profile.tenant));
        let shown = |profile: &Profile| Shown { asks: profile.asks(), profile: profile.clone() };
        Instrumentations { unread: self.unread(tenant), profiles: profiles.map(shown).collect() }
    }

    fn unread(&self, tenant: Option<&Tenant>) -> Vec<Unread> {
        let mut all: BTreeMap<&Arc<str>, u64> = BTreeMap::new();
        let mut unread = Vec::new();
        for (metric, labels, series) in self.counters.series() {
            let ([whose, name], Metric::ReadRecords | Metric::UnreadRecords) = (labels, metric) else {
                continue;
            };
            if tenant.is_none_or(|tenant| *tenant.as_str() == **whose) {
                *all.entry(whose).or_default() += series.value;
                unread.extend((metric == Metric::UnreadRecords).then_some((whose, name, series.value)));
            }
        }
        let line = |(tenant, name, records): (&Arc<str>, &Arc<str>, u64)| {
            let share = records as f64 / all.get(tenant).copied().unwrap_or_default().max(1) as f64;
            Unread { tenant: tenant.clone(), scope: Scope::of(name), records, share }
        };
        let mut unread: Vec<Unread> = unread.into_iter().map(line).collect();
        unread.sort_by_key(|line| Reverse(line.records));
        unread
    }
}
