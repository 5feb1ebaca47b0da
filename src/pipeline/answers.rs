//! Answers of the query API: open actions from the engine's owner, settled ones from the store, and what a checkpoint
//! has not written yet from in between. Of one action the latest revision counts.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::api::{
    Answers, Filter, LINEAGES, NAMESAKES, NEIGHBOURS, Page, Problem, Recent, beginning, neighbour, page, page_of_open,
    the_one,
};
use crate::catalogue::Sample;
use crate::engine::Instrumentations;
use crate::export;
use crate::model::{Action, ActionId, Lineage, Neighbour, Tenant, TurnId};
use crate::store::{Reader, StoreError};
use crate::telemetry::causes;

use super::fold::{Fold, OPEN_LOOKED_AT, View};
use super::health::Health;

/// Connects the query API.
pub fn answers(fold: &Arc<Fold>, health: &Arc<Health>) -> Answers {
    let (samples, readiness) = (health.clone(), health.clone());
    let (one, many, incidents, senders) = (fold.clone(), fold.clone(), fold.clone(), fold.clone());
    Answers {
        exposition: Arc::new(move |accept, tenant| {
            let format = export::negotiate(accept);
            let mut samples = samples.samples()?;
            samples.retain(|sample| tenant.is_none_or(|tenant| of_tenant(sample, tenant)));
            Some((format.content_type(), export::exposition(&samples, format)))
        }),
        readiness: Arc::new(move || readiness.readiness()),
        lineages: Arc::new(move |(tenant, alias)| Box::pin(lineages(one.clone(), tenant, alias))),
        actions: Arc::new(move |filter| Box::pin(actions(many.clone(), filter))),
        incidents: Arc::new(move |tenant| Box::pin(open_incidents(incidents.clone(), tenant))),
        instrumentations: Arc::new(move |tenant| Box::pin(instrumentations(senders.clone(), tenant))),
    }
}

/// Whether a series is about this tenant, or about no tenant at all.
fn of_tenant(sample: &Sample, tenant: &Tenant) -> bool {
    let at = sample.metric.def().labels.iter().position(|label| *label == "tenant");
    at.is_none_or(|at| *sample.labels[at] == *tenant.as_str())
}

/// By an alias; by the beginning of an id, where no alias is so called.
async fn lineages(fold: Arc<Fold>, tenant: Option<Tenant>, name: String) -> Result<Vec<Lineage>, Problem> {
    let found = known_as(&fold, tenant.clone(), name.clone()).await?;
    let Some(range) = beginning(&name).filter(|_| found.is_empty()) else {
        return Ok(found);
    };
    let (whose, ids) = (tenant.clone(), range.clone());
    let mut known = asked(fold.ask_open(move |view| ids_in_memory(view, whose.as_ref(), &ids)).await)?;
    let whose = tenant.clone();
    let (stored, all) = read(&fold, move |reader| reader.ids_in(whose.as_ref(), &range, NAMESAKES + 1)).await?;
    known.extend(stored);
    match the_one(&name, &known, all)? {
        Some(id) => known_as(&fold, tenant, id.to_string()).await,
        None => Ok(found),
    }
}

async fn known_as(fold: &Fold, tenant: Option<Tenant>, alias: String) -> Result<Vec<Lineage>, Problem> {
    let (whose, name) = (tenant.clone(), alias.clone());
    let mut found = asked(fold.ask_open(move |view| in_memory(view, whose.as_ref(), &name)).await)?;
    let known: BTreeSet<ActionId> = found.iter().map(|lineage| lineage.action.id).collect();
    let stored = read(fold, move |reader| crate::api::lineages(reader, tenant.as_ref(), &alias)).await?;
    found.extend(stored.into_iter().filter(|lineage| !known.contains(&lineage.action.id)));
    found.retain(|lineage| !lineage.action.marks.merged);
    found.sort_by_key(|lineage| (lineage.action.start, lineage.action.id));
    found.truncate(LINEAGES);
    Ok(found)
}

async fn actions(fold: Arc<Fold>, filter: Filter) -> Result<Page, Problem> {
    let wanted = filter.clone();
    let recent = asked(match filter.settled {
        Some(true) => fold.ask(move |view| recent(view, &wanted)).await,
        _ => fold.ask_open(move |view| recent(view, &wanted)).await,
    })?;
    if filter.settled == Some(false) {
        return Ok(page_of_open(&filter, recent));
    }
    read(&fold, move |reader| page(reader, &filter, recent)).await
}

async fn open_incidents(fold: Arc<Fold>, tenant: Option<Tenant>) -> Result<Vec<serde_json::Value>, Problem> {
    let incidents = fold.ask(move |view| {
        let of = view.engine.incidents().filter(|it| tenant.as_ref().is_none_or(|tenant| *tenant == it.tenant));
        of.map(|incident| serde_json::to_value(incident).unwrap_or_default()).collect()
    });
    asked(incidents.await)
}

async fn instrumentations(fold: Arc<Fold>, tenant: Option<Tenant>) -> Result<Instrumentations, Problem> {
    asked(fold.ask(move |view| view.engine.instrumentations(tenant.as_ref())).await)
}

fn asked<T>(answer: Option<T>) -> Result<T, Problem> {
    answer.ok_or_else(|| Problem::unavailable("the engine is busy; try again"))
}

/// Reads the store on a thread that may block.
async fn read<T: Send + 'static>(
    fold: &Fold,
    question: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    let reader = fold.reader.clone();
    let answer = in_turn(&fold.readers, move || question(&reader)).await?;
    answer.map_err(|error| {
        tracing::error!(error = causes(&error), "cannot read the store");
        Problem::internal()
    })
}

/// Works on a thread that may block, if there is a turn left. The work holds its turn to its end, whether or not
/// somebody still waits for it: a client that went away must not let another one in beside its work.
async fn in_turn<T: Send + 'static>(
    turns: &Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let Ok(turn) = turns.clone().try_acquire_owned() else {
        return Err(Problem::unavailable("too many questions at once; try again"));
    };
    let working = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    working.await.map_err(|_| Problem::internal())
}

/// Lineages of actions whose state is in memory, or whose row waits for the next checkpoint.
fn in_memory(view: &View<'_>, tenant: Option<&Tenant>, alias: &str) -> Vec<Lineage> {
    let mut turns: BTreeMap<TurnId, Vec<Action>> = BTreeMap::new();
    let mut found: BTreeMap<ActionId, Lineage> = BTreeMap::new();
    let handles = view.engine.find(alias).into_iter().filter_map(|handle| view.engine.preview(handle));
    let own = handles.filter(|(action, _)| tenant.is_none_or(|tenant| *tenant == action.tenant));
    for (action, settled) in own.take(LINEAGES) {
        let Some(turn) = view.engine.turn(action.turn) else { continue };
        let others = turns.entry(turn.id).or_insert_with(|| actions_of(view, turn.id));
        let others = others.iter().filter(|other| other.id != action.id);
        let neighbours: Vec<Neighbour> = others.take(NEIGHBOURS).map(neighbour).collect();
        found.insert(action.id, Lineage { action, turn, neighbours, settled });
    }
    found.into_values().collect()
}

/// The actions of a turn, oldest first.
fn actions_of(view: &View<'_>, turn: TurnId) -> Vec<Action> {
    let members = view.engine.members(turn).into_iter().take(NEIGHBOURS * 2);
    let all: BTreeMap<ActionId, Action> =
        members.filter_map(|handle| view.engine.preview(handle)).map(|(action, _)| (action.id, action)).collect();
    let mut all: Vec<Action> = all.into_values().collect();
    all.sort_by_key(|action| (action.start, action.id));
    all
}

/// Ids in a range of actions in memory.
fn ids_in_memory(view: &View<'_>, tenant: Option<&Tenant>, range: &RangeInclusive<ActionId>) -> BTreeSet<ActionId> {
    let pending = view.pending.range(range.clone()).map(|(_, action)| action.clone());
    let all = pending.chain(open_actions(view).filter(|action| range.contains(&action.id)));
    let own = all.filter(|action| tenant.is_none_or(|tenant| *tenant == action.tenant));
    own.map(|action| action.id).collect()
}

/// What a list shows of memory.
fn recent(view: &View<'_>, filter: &Filter) -> Recent {
    let mut latest: BTreeMap<ActionId, Action> = BTreeMap::new();
    if filter.settled != Some(false) {
        latest.extend(view.pending.iter().map(|(id, action)| (*id, action.clone())));
    }
    let mut cut = false;
    if filter.settled != Some(true) {
        latest.extend(open_actions(view).map(|action| (action.id, action)));
        cut = view.engine.open().len() > OPEN_LOOKED_AT || !view.engine.open_elsewhere(1).is_empty();
    }
    let known = latest.keys().copied().collect();
    let actions = latest.into_values().filter(|action| filter.which.asks_for(action)).collect();
    Recent { actions, known, cut }
}

/// Open actions, those that came last first: at most so many as one question looks at.
fn open_actions<'a>(view: &'a View<'_>) -> impl Iterator<Item = Action> + 'a {
    let handles = view.engine.open().into_iter().take(OPEN_LOOKED_AT);
    handles.filter_map(|handle| view.engine.preview(handle)).filter(|(_, settled)| !settled).map(|(action, _)| action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_nobody_waits_for_keeps_its_turn() {
        let turns = Arc::new(Semaphore::new(1));
        let (started, begun) = tokio::sync::oneshot::channel();
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let waiting = tokio::spawn({
            let turns = turns.clone();
            async move {
                let work = move || (started.send(()), finished.recv());
                in_turn(&turns, work).await.map(drop)
            }
        });
        begun.await.expect("the work began");
        waiting.abort();
        assert!(waiting.await.is_err_and(|ended| ended.is_cancelled()), "the client went away");
        assert!(in_turn(&turns, || ()).await.is_err(), "its work goes on, so there is no turn");
        finish.send(()).expect("the work waits");
        turns.acquire().await.expect("its turn comes back").forget();
    }
}
