//! Live counters: one table of series for every metric that the engine counts, with a budget of label values.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalogue::{ALL_AGENTS, Exemplar, Kind, Metric, OVERFLOW, Sample, SampleValue};
use crate::model::{Known, Nanos, Sli, Span, Tenant, Value};

/// How many agents of a tenant have series of their own; the rest share [`OVERFLOW`].
const AGENTS: usize = 2_000;
/// How many tools, scopes and rules of a tenant have series of their own.
const NAMES: usize = 500;
/// Families whose series multiply, because two of their labels are unbounded. 2,000 series of a family (`slo.md` §8.5)
/// for each tenant, most of them whole, and the rest of a few words.
const FAMILIES: &[Family] = &[Family { metric: Metric::Actions, whole: 1_500, first: "tool", partial: 500 }];
/// A slot that was not used for this long is freed, and its series with it.
const IDLE_SLOT: Span = Span::days(7);
/// Exemplars of one series are at least this far apart (`slo.md` §8.3).
const EXEMPLAR_SPACING: Span = Span::seconds(1);
/// Labels whose values come from telemetry.
const UNBOUNDED: &[(&str, usize)] =
    &[("agent", AGENTS), ("tool", NAMES), ("scope", NAMES), ("rule", NAMES), ("service", NAMES)];

/// A budget of series. What has no room whole gives up one label and keeps the others, so that an agent's total stays
/// its own for as long as possible; what has no room then gives up every unbounded label.
struct Family {
    metric: Metric,
    /// How many series of a tenant keep all their labels.
    whole: usize,
    /// The label that is given up first.
    first: &'static str,
    /// How many series of a tenant have given up that label alone.
    partial: usize,
}

/// One counter.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Series {
    /// Its value.
    pub value: u64,
    /// The last trace it counted.
    pub exemplar: Option<Exemplar>,
}

/// A distribution, in milliseconds, 1 ms to 10 days, two significant digits.
pub type Histogram = hdrhistogram::Histogram<u64>;

/// All live series of the engine.
#[derive(Debug, Clone)]
pub struct Counters {
    series: BTreeMap<(Metric, Vec<Arc<str>>), Series>,
    /// (tenant, label) → value → last use.
    slots: BTreeMap<(Arc<str>, &'static str), BTreeMap<Arc<str>, Nanos>>,
    /// How many series take room of a family's budget.
    rooms: BTreeMap<Room, usize>,
    settle_lag: Histogram,
}

impl Default for Counters {
    fn default() -> Self {
        Self { series: BTreeMap::new(), slots: BTreeMap::new(), rooms: BTreeMap::new(), settle_lag: new_histogram() }
    }
}

fn new_histogram() -> Histogram {
    Histogram::new_with_bounds(1, 10 * 24 * 3_600_000, 2).expect("constant bounds are valid")
}

impl Counters {
    /// Puts series back that a checkpoint kept. Every label value gets its slot back.
    pub fn restore(
        series: impl IntoIterator<Item = (Metric, Vec<Arc<str>>, Series)>,
        settle_lag: Option<Histogram>,
        now: Nanos,
    ) -> Self {
        let mut counters = Self { settle_lag: settle_lag.unwrap_or_else(new_histogram), ..Self::default() };
        for (metric, mut labels, series) in series {
            counters.slot(metric, &mut labels, now);
            counters.fit(metric, &mut labels);
            let slot = counters.series.entry((metric, labels)).or_default();
            slot.value += series.value;
            slot.exemplar = series.exemplar.or(slot.exemplar);
        }
        counters
    }

    /// Adds to a counter; unbounded labels over their budget become [`OVERFLOW`].
    pub fn add(&mut self, metric: Metric, labels: &[&str], count: u64, now: Nanos, exemplar: Option<Exemplar>) {
        debug_assert_eq!(metric.def().kind, Kind::Counter);
        debug_assert_eq!(metric.def().labels.len(), labels.len(), "{metric:?}");
        let mut labels: Vec<Arc<str>> = labels.iter().map(|label| Arc::from(cut(label))).collect();
        self.slot(metric, &mut labels, now);
        self.fit(metric, &mut labels);
        let series = self.series.entry((metric, labels)).or_default();
        series.value += count;
        if let Some(new) = exemplar {
            let due = series.exemplar.is_none_or(|old| new.at.since(old.at) >= EXEMPLAR_SPACING);
            if due {
                series.exemplar = Some(new);
            }
        }
    }

    /// Makes the series of an agent before its first verdict: a counter born with 1 has no increase (`slo.md` §8.4).
    pub fn introduce(&mut self, tenant: &Tenant, agent: &str, now: Nanos) {
        for sli in Sli::ALL {
            for value in Value::ALL {
                self.add(Metric::SliEvents, &[tenant.as_str(), sli.as_str(), agent, value.as_str()], 0, now, None);
            }
        }
        self.add(Metric::DeniedRetries, &[tenant.as_str(), agent], 0, now, None);
    }

    /// Makes the series of a dialect's fields before its first action settles, for the same reason.
    pub fn introduce_dialect(&mut self, tenant: &Tenant, dialect: &str, now: Nanos) {
        for state in Known::<()>::WORDS {
            self.add(Metric::LineageFields, &[tenant.as_str(), dialect, state], 0, now, None);
        }
    }

    /// Records how long after its end an action settled.
    pub fn settled_after(&mut self, lag: Span) {
        self.settle_lag.saturating_record((lag.0 / 1_000_000).max(1));
    }

    /// One counter's value; zero when there is none.
    pub fn get(&self, metric: Metric, labels: &[&str]) -> u64 {
        let labels: Vec<Arc<str>> = labels.iter().map(|label| Arc::from(*label)).collect();
        self.series.get(&(metric, labels)).map_or(0, |series| series.value)
    }

    /// Every series.
    pub fn series(&self) -> impl Iterator<Item = (Metric, &[Arc<str>], &Series)> {
        self.series.iter().map(|((metric, labels), series)| (*metric, labels.as_slice(), series))
    }

    /// The distribution of settle lag.
    pub fn settle_lag(&self) -> &Histogram {
        &self.settle_lag
    }

    /// Frees slots that nobody used for a week, with their series.
    pub fn tidy(&mut self, now: Nanos) {
        let mut freed = Vec::new();
        for ((tenant, label), values) in &mut self.slots {
            values.retain(|value, used| {
                let keep = now.since(*used) < IDLE_SLOT;
                if !keep {
                    freed.push((tenant.clone(), *label, value.clone()));
                }
                keep
            });
        }
        for (tenant, label, value) in freed {
            self.series.retain(|(metric, labels), _| {
                let at = |name: &str| metric.def().labels.iter().position(|known| *known == name);
                let same_tenant = at("tenant").is_none_or(|index| labels[index] == tenant);
                // A violation that is counted again from 0 would look like a first one that Prometheus never saw grow.
                *metric == Metric::InvariantViolations
                    || !(same_tenant && at(label).is_some_and(|index| labels[index] == value))
            });
        }
        self.recount();
    }

    /// The agent as its series show it: its own name if it has a slot.
    pub fn shown_agent(&self, tenant: &Tenant, agent: &Arc<str>) -> Arc<str> {
        let slots = self.slots.get(&(tenant.as_str().into(), "agent"));
        match slots.is_some_and(|slots| slots.contains_key(agent)) {
            true => agent.clone(),
            false => OVERFLOW.into(),
        }
    }

    /// The series for exposition.
    pub fn samples(&self) -> Vec<Sample> {
        let counters = self.series.iter().map(|((metric, labels), series)| Sample {
            metric: *metric,
            labels: labels.clone(),
            value: SampleValue::Counter(series.value, series.exemplar),
        });
        counters.chain([histogram(Metric::SettleLag, &self.settle_lag, SETTLE_BUCKETS)]).collect()
    }

    /// Gives up labels of a new series that has no room in its family.
    fn fit(&mut self, metric: Metric, labels: &mut [Arc<str>]) {
        let Some(family) = FAMILIES.iter().find(|family| family.metric == metric) else {
            return;
        };
        if self.has_room(family, labels) {
            return;
        }
        self.overflowed("series");
        give_up(metric, labels, |name| name == family.first);
        if !self.has_room(family, labels) {
            give_up(metric, labels, |name| UNBOUNDED.iter().any(|(unbounded, _)| *unbounded == name));
        }
    }

    /// Whether a series is there or may be made. That of the rest always may: it is not one of the budget.
    fn has_room(&mut self, family: &Family, labels: &[Arc<str>]) -> bool {
        if self.series.contains_key(&(family.metric, labels.to_vec())) {
            return true;
        }
        let Some(room) = room(family, labels) else {
            return true;
        };
        let most = if room.2 { family.whole } else { family.partial };
        let used = self.rooms.entry(room).or_default();
        let free = *used < most;
        *used += usize::from(free);
        free
    }

    /// Counts again what there is.
    fn recount(&mut self) {
        self.rooms.clear();
        for (metric, labels) in self.series.keys() {
            let family = FAMILIES.iter().find(|family| family.metric == *metric);
            if let Some(room) = family.and_then(|family| room(family, labels)) {
                *self.rooms.entry(room).or_default() += 1;
            }
        }
    }

    fn overflowed(&mut self, label: &str) {
        self.series.entry((Metric::CardinalityOverflow, vec![label.into()])).or_default().value += 1;
    }

    /// Replaces what has no room left by the overflow slot.
    fn slot(&mut self, metric: Metric, labels: &mut [Arc<str>], now: Nanos) {
        let names = metric.def().labels;
        let tenant = tenant_of(metric, labels);
        let mut overflowed = None;
        for (name, label) in names.iter().zip(labels.iter_mut()) {
            let Some((name, budget)) = UNBOUNDED.iter().find(|(unbounded, _)| unbounded == name) else {
                continue;
            };
            if **label == *OVERFLOW {
                continue;
            }
            if **label == *ALL_AGENTS {
                // The fleet's own series carry this name.
                *label = OVERFLOW.into();
            }
            // The slot of the rest is not one of the budget: a restored table has to fit as it was.
            if **label == *OVERFLOW {
                continue;
            }
            let slots = self.slots.entry((tenant.clone(), name)).or_default();
            if let Some(used) = slots.get_mut(label) {
                *used = now;
            } else if slots.len() < *budget {
                slots.insert(label.clone(), now);
            } else {
                *label = OVERFLOW.into();
                overflowed = Some(*name);
            }
        }
        if let Some(name) = overflowed {
            self.overflowed(name);
        }
    }
}

fn tenant_of(metric: Metric, labels: &[Arc<str>]) -> Arc<str> {
    let at = metric.def().labels.iter().position(|name| *name == "tenant");
    at.map_or_else(|| "".into(), |at| labels[at].clone())
}

/// Puts a series into the overflow slot of some of its labels.
fn give_up(metric: Metric, labels: &mut [Arc<str>], which: impl Fn(&str) -> bool) {
    for (_, label) in metric.def().labels.iter().zip(labels).filter(|(name, _)| which(name)) {
        *label = OVERFLOW.into();
    }
}

/// The series of a tenant in a family that are whole, or those that gave up its first label.
type Room = (Arc<str>, Metric, bool);

/// What a series takes room of; nothing when it is that of the rest.
fn room(family: &Family, labels: &[Arc<str>]) -> Option<Room> {
    let names = family.metric.def().labels;
    let unbounded = || names.iter().zip(labels).filter(|(name, _)| UNBOUNDED.iter().any(|(known, _)| known == *name));
    let has_given_up = |label: &Arc<str>| **label == *OVERFLOW;
    if unbounded().all(|(_, label)| has_given_up(label)) {
        return None;
    }
    let is_whole = !unbounded().any(|(name, label)| *name == family.first && has_given_up(label));
    Some((tenant_of(family.metric, labels), family.metric, is_whole))
}

/// A label value is foreign text: this much of it tells series apart.
const LABEL: usize = 256;

fn cut(label: &str) -> &str {
    &label[..label.floor_char_boundary(LABEL)]
}

/// Upper bounds of settle lag in seconds: the grace, the idle time and the ask fall into buckets of their own.
const SETTLE_BUCKETS: &[f64] = &[1.0, 5.0, 15.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0, 172_800.0];

/// A distribution of milliseconds as classic buckets of seconds.
pub fn histogram(metric: Metric, histogram: &Histogram, bounds: &[f64]) -> Sample {
    let below = |seconds: f64| histogram.count_between(0, (seconds * 1000.0) as u64);
    let mut buckets: Vec<(f64, u64)> = bounds.iter().map(|bound| (*bound, below(*bound))).collect();
    buckets.push((f64::INFINITY, histogram.len()));
    let sum =
        histogram.iter_recorded().map(|it| it.value_iterated_to() as f64 * it.count_at_value() as f64).sum::<f64>();
    Sample { metric, labels: Vec::new(), value: SampleValue::Histogram { buckets, sum: sum / 1000.0 } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_is_counted_under_the_overflow_slot_and_totals_stay_exact() {
        let mut counters = Counters::default();
        for agent in 0..AGENTS + 5 {
            let agent = format!("agent-{agent}");
            counters.add(Metric::DeniedRetries, &["default", &agent], 1, Nanos(1), None);
        }
        assert_eq!(counters.get(Metric::DeniedRetries, &["default", "agent-0"]), 1);
        assert_eq!(counters.get(Metric::DeniedRetries, &["default", OVERFLOW]), 5);
        assert_eq!(counters.get(Metric::CardinalityOverflow, &["agent"]), 5);
        let total: u64 =
            counters.series().filter(|(metric, ..)| *metric == Metric::DeniedRetries).map(|it| it.2.value).sum();
        assert_eq!(total, (AGENTS + 5) as u64);

        // A restart puts every series back as it was.
        let restored = Counters::restore(kept(&counters), None, Nanos(2));
        assert_eq!(kept(&restored), kept(&counters));
    }

    /// Every counter as it is.
    fn kept(counters: &Counters) -> Vec<(Metric, Vec<Arc<str>>, Series)> {
        counters.series().map(|(metric, labels, series)| (metric, labels.to_vec(), *series)).collect()
    }

    /// 60,000 actions: 300 agents with 200 tools each, none called twice.
    fn fleet(counters: &mut Counters, tenant: &str) {
        for number in 0..60_000 {
            let (agent, tool) = (format!("agent-{}", number % 300), format!("tool-{}", number / 300));
            let state = ["executed", "refused"][number / 150 % 2];
            counters.add(Metric::Actions, &[tenant, &agent, &tool, state], 1, Nanos(number as u64), None);
        }
    }

    /// Series of a tenant's actions that are counted by the budget, and the sum of all.
    fn actions(counters: &Counters, tenant: &str) -> (usize, u64) {
        let of = || counters.series().filter(|(metric, labels, _)| *metric == Metric::Actions && *labels[0] == *tenant);
        let budgeted = of().filter(|(_, labels, _)| *labels[1] != *OVERFLOW || *labels[2] != *OVERFLOW);
        (budgeted.count(), of().map(|(.., series)| series.value).sum())
    }

    #[test]
    fn a_family_whose_series_multiply_has_a_budget_and_its_totals_stay_exact() {
        let mut counters = Counters::default();
        fleet(&mut counters, "a");
        assert_eq!(actions(&counters, "a"), (1_500 + 300, 60_000), "every agent keeps a series of its own");
        for agent in 0..300 {
            let agent = format!("agent-{agent}");
            let of = counters.series().filter(|(metric, labels, _)| *metric == Metric::Actions && *labels[1] == *agent);
            assert_eq!(of.map(|(.., series)| series.value).sum::<u64>(), 200, "{agent}");
        }
        assert_eq!(counters.get(Metric::CardinalityOverflow, &["series"]), 60_000 - 1_500);

        // Another tenant has its own room, agents without any room share one series for each state.
        counters.add(Metric::Actions, &["b", "agent-0", "tool-0", "executed"], 1, Nanos(0), None);
        assert_eq!(actions(&counters, "b"), (1, 1));
        for agent in 300..1_000 {
            let agent = format!("agent-{agent}");
            counters.add(Metric::Actions, &["a", &agent, "tool-0", "executed"], 1, Nanos(0), None);
        }
        assert_eq!(actions(&counters, "a"), (2_000, 60_700));
        assert_eq!(counters.get(Metric::Actions, &["a", OVERFLOW, OVERFLOW, "executed"]), 500);

        // A restart puts every series back as it was, and knows how much room is left.
        let mut restored = Counters::restore(kept(&counters), None, Nanos(60_000));
        assert_eq!(kept(&restored), kept(&counters));
        restored.add(Metric::Actions, &["a", "late", "tool-0", "executed"], 1, Nanos(60_000), None);
        assert_eq!(restored.get(Metric::Actions, &["a", OVERFLOW, OVERFLOW, "executed"]), 501);

        // What is not used any more makes room.
        restored.tidy(Nanos(60_000) + IDLE_SLOT);
        restored.add(Metric::Actions, &["a", "new", "tool", "executed"], 1, Nanos(60_000) + IDLE_SLOT, None);
        assert_eq!(restored.get(Metric::Actions, &["a", "new", "tool", "executed"]), 1);
    }

    #[test]
    fn a_slot_unused_for_a_week_is_freed_with_its_series() {
        let mut counters = Counters::default();
        counters.add(Metric::DeniedRetries, &["default", "old"], 1, Nanos(0), None);
        let later = Nanos(0) + IDLE_SLOT;
        counters.add(Metric::DeniedRetries, &["default", "new"], 1, later, None);
        counters.tidy(later);
        assert_eq!(counters.get(Metric::DeniedRetries, &["default", "old"]), 0);
        assert_eq!(counters.get(Metric::DeniedRetries, &["default", "new"]), 1);
    }
}
