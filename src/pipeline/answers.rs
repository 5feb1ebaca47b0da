//! Answers of the query API: open actions from the engine's owner, settled ones from the store, and what a checkpoint
//! has not written yet from in between. Of one action the latest revision counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::{Answers, Filter, From, Page, Problem, after, neighbour, newest_first, page};
use crate::catalogue::Sample;
use crate::export;
use crate::model::{Action, ActionId, Lineage, Neighbour, Tenant, TurnId};
use crate::store::{Reader, StoreError};
use crate::telemetry::causes;

use super::fold::{Fold, OPEN_LOOKED_AT, View};
use super::health::Health;

/// How many neighbours a lineage shows.
const NEIGHBOURS: usize = 200;
/// How many lineages one alias may resolve to in one answer.
const LINEAGES: usize = 200;

/// Connects the query API.
pub fn answers(fold: &Arc<Fold>, health: &Arc<Health>) -> Answers {
    let (samples, readiness) = (health.clone(), health.clone());
    let (one, many, incidents) = (fold.clone(), fold.clone(), fold.clone());
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
    }
}

/// Whether a series is about this tenant, or about no tenant at all.
fn of_tenant(sample: &Sample, tenant: &Tenant) -> bool {
    let at = sample.metric.def().labels.iter().position(|label| *label == "tenant");
    at.is_none_or(|at| *sample.labels[at] == *tenant.as_str())
}

async fn lineages(fold: Arc<Fold>, tenant: Option<Tenant>, alias: String) -> Result<Vec<Lineage>, Problem> {
    let (whose, name) = (tenant.clone(), alias.clone());
    let mut found = asked(fold.ask_open(move |view| in_memory(view, whose.as_ref(), &name)).await)?;
    let known: BTreeSet<ActionId> = found.iter().map(|lineage| lineage.action.id).collect();
    let stored = read(&fold, move |reader| crate::api::lineages(reader, tenant.as_ref(), &alias)).await?;
    found.extend(stored.into_iter().filter(|lineage| !known.contains(&lineage.action.id)));
    found.retain(|lineage| !lineage.action.marks.merged);
    found.sort_by_key(|lineage| (lineage.action.start, lineage.action.id));
    found.truncate(LINEAGES);
    Ok(found)
}

async fn actions(fold: Arc<Fold>, filter: Filter) -> Result<Page, Problem> {
    let wanted = filter.clone();
    let recent = asked(match filter.settled {
        Some(true) => fold.ask(move |view| recent_actions(view, &wanted)).await,
        _ => fold.ask_open(move |view| recent_actions(view, &wanted)).await,
    })?;
    // Pages of the store come after all of memory, and must not show an older revision of what is there.
    let mut actions = match filter.from {
        From::Store(_) => Vec::new(),
        _ => recent.actions,
    };
    actions.sort_by(newest_first);
    if let From::Memory(end, id) = filter.from {
        actions.retain(|action| (action.end, action.id) < (end, id));
    }
    if actions.len() >= filter.limit {
        actions.truncate(filter.limit);
        let next = actions.last().map(after);
        return Ok(Page { actions, next });
    }
    if filter.settled == Some(false) {
        return Ok(Page { actions, next: None });
    }
    let room = filter.limit - actions.len();
    let mut stored = read(&fold, move |reader| page(reader, &filter, room)).await?;
    stored.actions.retain(|action| !recent.known.contains(&action.id));
    actions.append(&mut stored.actions);
    actions.sort_by(newest_first);
    Ok(Page { actions, next: stored.next })
}

async fn open_incidents(fold: Arc<Fold>, tenant: Option<Tenant>) -> Result<Vec<serde_json::Value>, Problem> {
    let incidents = fold.ask(move |view| {
        let of = view.engine.incidents().filter(|it| tenant.as_ref().is_none_or(|tenant| *tenant == it.tenant));
        of.map(|incident| serde_json::to_value(incident).unwrap_or_default()).collect()
    });
    asked(incidents.await)
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
    let Ok(_turn) = fold.readers.try_acquire() else {
        return Err(Problem::unavailable("too many questions at once; try again"));
    };
    match tokio::task::spawn_blocking(move || question(&reader)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(StoreError::Cursor { .. })) => Err(Problem::bad_request("`cursor` is not one of this list")),
        Ok(Err(error)) => {
            tracing::error!(error = causes(&error), "cannot read the store");
            Err(Problem::internal())
        }
        Err(_) => Err(Problem::internal()),
    }
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

/// Actions of memory that a list asks for, and all that the store must not show an older revision of.
#[derive(Default)]
struct Recent {
    actions: Vec<Action>,
    known: BTreeSet<ActionId>,
}

fn recent_actions(view: &View<'_>, filter: &Filter) -> Recent {
    let mut latest: BTreeMap<ActionId, Action> = BTreeMap::new();
    if filter.settled != Some(false) {
        latest.extend(view.pending.iter().map(|(id, action)| (*id, action.clone())));
    }
    if filter.settled != Some(true) {
        for handle in view.engine.open().into_iter().take(OPEN_LOOKED_AT) {
            if let Some((action, false)) = view.engine.preview(handle) {
                latest.insert(action.id, action);
            }
        }
    }
    let known = latest.keys().copied().collect();
    let actions = latest.into_values().filter(|action| filter.asks_for(action)).collect();
    Recent { actions, known }
}
