//! Rows for the engine: what [`Engine::wants`](crate::engine::Engine::wants) names comes back as it was committed.
//!
//! A turn comes with all components it keeps, and with the turns that those cannot be read without: the keepers of
//! its other members, the turns its components also stand in or are spoken of in, and turns with a call of the same
//! id, which may be the other half of an approval; and so on, until nothing is missing or [`ALONG`] came along.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rusqlite::{Connection, OptionalExtension};

use crate::engine::parts::Handle;
use crate::engine::{Rows, TurnRow, Want};
use crate::model::{Key, TurnId};
use crate::proto::records as v1;

use super::convert::decode;
use super::error::{Doing, In, StoreError};
use super::lookup::Reader;
use super::{aliases, shelf};

/// Turns per call id. One more than the engine takes for an identity (`lineage`), so that it sees there are too many.
const PER_CALL: i64 = 65;
/// Turns that come along besides those that were named: a bound on one step's memory, far above what one lineage has.
const ALONG: usize = 256;

impl Reader {
    /// The rows of the turns that are wanted, as of the last commit, by turn. A name that is unknown gives nothing,
    /// and costs no look at the disk when a writer in this process keeps a filter over names.
    pub fn load(&self, wants: &BTreeSet<Want>) -> Result<Rows, StoreError> {
        self.load_without(wants, |_| false)
    }

    /// The same without turns that are there already, and without what would come along with those alone.
    pub fn load_without(&self, wants: &BTreeSet<Want>, there: impl Fn(TurnId) -> bool) -> Result<Rows, StoreError> {
        let known: Vec<&Want> = wants.iter().filter(|want| self.may_know(want)).collect();
        if known.is_empty() {
            return Ok(Vec::new());
        }
        let mut state = self.state();
        let moment = state.transaction().doing("begin to load rows")?;
        let mut rows = BTreeMap::new();
        let mut named = BTreeSet::new();
        for want in known {
            named.extend(turns(&moment, want)?.into_iter().filter(|turn| !there(*turn)));
        }
        let mut waiting: VecDeque<TurnId> = named.iter().copied().collect();
        let most = named.len() + ALONG;
        while let Some(turn) = waiting.pop_front() {
            let Some(row) = load(&moment, turn)? else {
                continue;
            };
            for other in related(&moment, &row)? {
                if named.len() < most && !there(other) && named.insert(other) {
                    waiting.push_back(other);
                }
            }
            rows.insert(turn, row);
        }
        Ok(rows.into_values().collect())
    }

    fn may_know(&self, want: &Want) -> bool {
        match (&self.names, aliases::of_want(want)) {
            (Some(names), Some(hash)) => shelf::holds(names, hash),
            _ => true,
        }
    }
}

/// The turns that a name stands for.
fn turns(state: &Connection, want: &Want) -> Result<Vec<TurnId>, StoreError> {
    let find = || -> rusqlite::Result<Vec<Vec<u8>>> {
        match (want, aliases::of_want(want)) {
            (Want::Turn(turn), _) => Ok(vec![turn.0.to_vec()]),
            (Want::Handle(handle), _) => {
                let mut select = state.prepare_cached("SELECT turn FROM actions WHERE handle = ?1")?;
                let turn = select.query_row([handle.cast_signed()], |row| row.get(0)).optional()?;
                Ok(turn.into_iter().collect())
            }
            (_, hash) => {
                let mut select = state.prepare_cached("SELECT turn FROM wants WHERE hash = ?1 LIMIT ?2")?;
                select.query_map((hash, PER_CALL), |row| row.get(0))?.collect()
            }
        }
    };
    Ok(find().doing("look for a turn")?.iter().filter_map(|id| TurnId::from_slice(id)).collect())
}

/// One turn with the components it keeps.
fn load(db: &Connection, turn: TurnId) -> Result<Option<TurnRow>, StoreError> {
    let record = || {
        let mut select = db.prepare_cached("SELECT record FROM turns WHERE id = ?1")?;
        select.query_row([turn.0], |row| row.get::<_, Vec<u8>>(0)).optional()
    };
    let Some(record) = record().doing("load a turn")? else {
        return Ok(None);
    };
    let (state, account) = decode::<v1::TurnRecord, _>(&record).of_table("turns")?;
    let components = || -> rusqlite::Result<Vec<Vec<u8>>> {
        let mut select = db.prepare_cached("SELECT record FROM actions WHERE turn = ?1 ORDER BY handle")?;
        select.query_map([turn.0], |row| row.get(0))?.collect()
    };
    let components = components().doing("load the components of a turn")?;
    let actions = components.iter().map(|record| decode::<v1::ActionRecord, _>(record).of_table("actions"));
    Ok(Some(TurnRow { state, account, actions: actions.collect::<Result<_, _>>()? }))
}

/// The turns without which a turn's components cannot be read.
fn related(state: &Connection, row: &TurnRow) -> Result<BTreeSet<TurnId>, StoreError> {
    let own: BTreeSet<Handle> = row.actions.iter().map(|(action, _)| action.handle).collect();
    let mut along = BTreeSet::new();
    for member in row.state.members.difference(&own) {
        along.extend(turns(state, &Want::Handle(*member))?);
    }
    for (action, _) in &row.actions {
        along.extend(action.read_with());
        for key in &action.keys {
            if let Key::Call(_, id) = key {
                along.extend(turns(state, &Want::Call(action.tenant.clone(), id.clone()))?);
            }
        }
    }
    Ok(along)
}
