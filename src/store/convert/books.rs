//! The books of actions and turns, and the checkpoint.

use std::collections::BTreeSet;
use std::sync::Arc;

use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};

use crate::engine::parts::{ActionState, EndedBy, Exemplar, Histogram, LedgerKey, Metric, Series, TurnState};
use crate::engine::{Account, Checkpoint, Denial, Ended, Facet, Profile, Raised, Share, TurnAccount};
use crate::model::{ActionId, Class, Field, Nanos, Sli, Span, Tenant, Value};
use crate::proto::records as v1;

use super::{Entry, Malformed, Wire, entry, record, required, tuple};

record! { Account = Account {
    id, revision, judged_by, first_seen, last_seen, ended, settled, due, booked, raised, violated, published,
    end, merged_into, frozen, heard, closes, denial, asked, learnt, tipped, notes,
} }
record! { Profile = Profile { tenant, scope, version, begun, used, actions, fields } }
record! { Share = Share { asked, filled, withheld, turns_asked, turns_filled, regressed } }
entry! { Field => Share = FieldShare { field, share } }

impl Wire<v1::Asked> for Vec<Field> {
    fn put(&self) -> v1::Asked {
        v1::Asked { fields: self.put() }
    }

    fn take(stored: v1::Asked) -> Result<Self, Malformed> {
        Wire::take(stored.fields)
    }
}
record! { Facet = Facet { tenant, agent, kind, value, first, last } }
record! { Denial = Denial { turn, tool, about, start } }
record! { TurnAccount = TurnAccount {
    revision, last_seen, root_seen, closed, published, denied, contained, inherited, told, watch,
} }
record! { LedgerKey = LedgerKey { slice, tenant, sli, agent } }
record! { Exemplar = Exemplar { trace, span, at } }
tuple! { (Nanos, ActionId) = DeniedAttempt { 0: start, 1: action } }
tuple! { (Tenant, Nanos) = LastEvidence { 0: tenant, 1: at } }
tuple! { (Arc<TurnState>, TurnAccount) = TurnRecord { 0: state, 1: account } }
tuple! { (Arc<ActionState>, Account) = ActionRecord { 0: state, 1: account } }
entry! { Sli => Value = DueValue { sli, value } }

impl Entry<Sli, (LedgerKey, Value)> for v1::Booked {
    fn of(sli: &Sli, (key, value): &(LedgerKey, Value)) -> Self {
        Self { sli: sli.put(), key: key.put(), value: value.put() }
    }

    fn parts(self) -> Result<(Sli, (LedgerKey, Value)), Malformed> {
        let sli = Wire::take(self.sli).map_err(|at| at.within("sli"))?;
        let key = Wire::take(self.key).map_err(|at| at.within("key"))?;
        let value = Wire::take(self.value).map_err(|at| at.within("value"))?;
        Ok((sli, (key, value)))
    }
}

impl Entry<Arc<str>, Raised> for v1::Raised {
    fn of(rule: &Arc<str>, Raised { finding, pages, class, turn }: &Raised) -> Self {
        let class = Some(class.put());
        Self { rule: rule.put(), finding: finding.put(), pages: *pages, turn: turn.put(), class }
    }

    fn parts(self) -> Result<(Arc<str>, Raised), Malformed> {
        let finding = Wire::take(self.finding).map_err(|at| at.within("finding"))?;
        let turn = Wire::take(self.turn).map_err(|at| at.within("turn"))?;
        // A former version told everything apart from nothing.
        let class = self.class.map(Wire::take).transpose()?.unwrap_or(Class::Ambiguous);
        Ok((self.rule.into(), Raised { finding, pages: self.pages, class, turn }))
    }
}

impl Wire<v1::Ended> for Ended {
    fn put(&self) -> v1::Ended {
        let by = match self.by {
            EndedBy::Proposal => 1,
            EndedBy::Answer => 2,
            EndedBy::Run => 3,
        };
        v1::Ended { end: self.end.put(), late: self.late().put(), by, arrived: Some(self.arrived.put()) }
    }

    fn take(stored: v1::Ended) -> Result<Self, Malformed> {
        let by = match stored.by {
            1 => EndedBy::Proposal,
            2 => EndedBy::Answer,
            // A former version did not say: the strongest is replaced by a later one alone, as it was then.
            _ => EndedBy::Run,
        };
        let end = Nanos(stored.end);
        let arrived = stored.arrived.map_or(end + Span(stored.late), Nanos);
        Ok(Self { by, end, arrived })
    }
}

type Attempt = (Arc<str>, Arc<str>);

impl Entry<Attempt, BTreeSet<(Nanos, ActionId)>> for v1::Denied {
    fn of((tool, about): &Attempt, attempts: &BTreeSet<(Nanos, ActionId)>) -> Self {
        Self { tool: tool.put(), about: about.put(), attempts: attempts.put() }
    }

    fn parts(self) -> Result<(Attempt, BTreeSet<(Nanos, ActionId)>), Malformed> {
        let attempts = Wire::take(self.attempts).map_err(|at| at.within("attempts"))?;
        Ok(((self.tool.into(), self.about.into()), attempts))
    }
}

impl Wire<v1::Checkpoint> for Checkpoint {
    fn put(&self) -> v1::Checkpoint {
        v1::Checkpoint {
            now: self.now.put(),
            held: self.held.put(),
            last_handle: self.last_handle,
            counters: self.counters.iter().map(series).collect(),
            settle_lag: self.settle_lag.as_ref().map(histogram),
            last_evidence: self.last_evidence.put(),
            configurations: self.configurations.put(),
            ledger_from: self.ledger_from.put(),
            profiles: self.profiles.put(),
            steps: self.steps.put(),
            facets: self.facets.put(),
        }
    }

    fn take(stored: v1::Checkpoint) -> Result<Self, Malformed> {
        let counters = stored.counters.into_iter().filter_map(known_series);
        Ok(Self {
            now: Nanos(stored.now),
            held: Wire::take(stored.held)?,
            last_handle: stored.last_handle,
            counters: counters.collect::<Result<_, _>>().map_err(|at| at.within("counters"))?,
            settle_lag: stored
                .settle_lag
                .map(|bytes| {
                    Deserializer::new()
                        .deserialize(&mut &bytes[..])
                        .map_err(|_| Malformed::new("is not a histogram").within("settle_lag"))
                })
                .transpose()?,
            last_evidence: Wire::take(stored.last_evidence).map_err(|at| at.within("last_evidence"))?,
            configurations: Wire::take(stored.configurations).map_err(|at| at.within("configurations"))?,
            ledger_from: Nanos(stored.ledger_from),
            profiles: Wire::take(stored.profiles).map_err(|at| at.within("profiles"))?,
            steps: Wire::take(stored.steps).map_err(|at| at.within("steps"))?,
            facets: Wire::take(stored.facets).map_err(|at| at.within("facets"))?,
        })
    }
}

fn series((metric, labels, series): &(Metric, Vec<Arc<str>>, Series)) -> v1::CounterSeries {
    v1::CounterSeries {
        metric: metric.def().name.to_owned(),
        labels: labels.put(),
        value: series.value,
        exemplar: series.exemplar.put(),
    }
}

type Counted = (Metric, Vec<Arc<str>>, Series);

/// A series, unless its metric is no longer in the catalogue or has other labels now.
fn known_series(stored: v1::CounterSeries) -> Option<Result<Counted, Malformed>> {
    let metric = Metric::ALL.iter().find(|metric| {
        let def = metric.def();
        def.name == stored.metric && def.labels.len() == stored.labels.len()
    })?;
    let take = || {
        let series =
            Series { value: stored.value, exemplar: Wire::take(stored.exemplar).map_err(|at| at.within("exemplar"))? };
        Ok((*metric, Wire::take(stored.labels)?, series))
    };
    Some(take())
}

fn histogram(histogram: &Histogram) -> bytes::Bytes {
    let mut bytes = Vec::new();
    V2Serializer::new().serialize(histogram, &mut bytes).expect("writing to memory does not fail");
    bytes.into()
}
