//! Answers from the store alone: what a server adds to, and all there is without one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use crate::model::{Action, Lineage, Neighbour, Tenant, Text, Turn, TurnId};
use crate::store::{Reader, StoreError};

use super::filter::{Filter, From, Page, in_store};

/// How many neighbours a lineage shows.
const NEIGHBOURS: usize = 200;
/// How many lineages one alias may resolve to.
const LINEAGES: usize = 200;
/// How many pages of the store are read to fill one answer.
const ROUNDS: usize = 20;

/// The lineages of an alias, settled actions only; of one tenant or of all.
///
/// # Errors
/// When the store cannot be read.
pub fn lineages(reader: &Reader, tenant: Option<&Tenant>, alias: &str) -> Result<Vec<Lineage>, StoreError> {
    let mut turns: BTreeMap<TurnId, (Turn, Vec<Action>)> = BTreeMap::new();
    let mut found = Vec::new();
    for action in reader.lookup_of(tenant, alias)?.into_iter().filter(|action| !action.marks.merged).take(LINEAGES) {
        let id = action.turn;
        let (turn, others) = match turns.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                // A turn has a row once it is closed; until then its actions stand alone.
                let turn = reader.turn(id)?.unwrap_or_else(|| Turn::unseen(id, action.tenant.clone()));
                new.insert((turn, reader.lookup_of(tenant, &id.to_string())?))
            }
        };
        let others = others.iter().filter(|other| other.id != action.id && !other.marks.merged);
        let neighbours = others.take(NEIGHBOURS).map(neighbour).collect();
        found.push(Lineage { action, turn: turn.clone(), neighbours, settled: true });
    }
    Ok(found)
}

/// A page of settled actions.
///
/// # Errors
/// When the store cannot be read.
pub fn page(reader: &Reader, filter: &Filter, limit: usize) -> Result<Page, StoreError> {
    let query = filter.query();
    let mut cursor = match &filter.from {
        From::Store(cursor) => Some(cursor.clone()),
        From::Start | From::Memory(..) => None,
    };
    let mut actions = Vec::new();
    for _ in 0..ROUNDS {
        let page = reader.actions(&query, limit - actions.len(), cursor.as_deref())?;
        actions.extend(page.items.into_iter().filter(|action| filter.asks_for(action)));
        cursor = page.next;
        if cursor.is_none() || actions.len() >= limit {
            break;
        }
    }
    Ok(Page { actions, next: cursor.as_deref().map(in_store) })
}

/// An action in one line.
pub fn neighbour(action: &Action) -> Neighbour {
    let begins = |text: &Text| Arc::from(text.head.chars().take(80).collect::<String>());
    let target = action.target.value().map(|(target, _)| target.clone());
    Neighbour {
        id: action.id,
        start: action.start,
        tool: action.tool_label().into(),
        about: target.or_else(|| action.arguments.value().map(begins)).unwrap_or_default(),
        state: action.state.clone(),
    }
}
