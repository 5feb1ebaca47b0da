//! Answers from the store, and what a server knows besides: without one, the store alone.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::model::{Action, ActionId, Lineage, Neighbour, Tenant, Text, Turn, TurnId};
use crate::store::{self, Cursor, Reader, StoreError};

use super::Problem;
use super::filter::{Filter, Page};

/// How many neighbours a lineage shows.
pub const NEIGHBOURS: usize = 200;
/// How many lineages one alias may resolve to in one answer.
pub const LINEAGES: usize = 200;

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

/// Digits of an id that tell it from others: what a table shows.
const BEGINNING: RangeInclusive<usize> = 8..=31;
/// How many ids with one beginning are listed.
pub const NAMESAKES: usize = 10;

/// The ids that begin with these hex digits, if they are enough of them.
pub fn beginning(text: &str) -> Option<RangeInclusive<ActionId>> {
    let digits = BEGINNING.contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    digits.then_some(())?;
    Some(ActionId::from_hex(&format!("{text:0<32}"))?..=ActionId::from_hex(&format!("{text:f<32}"))?)
}

/// The one id that begins with `text`, of those that were found; `all`: everything was looked at.
///
/// # Errors
/// When it is several, they are named. When it is none and not everything was looked at.
pub fn the_one(text: &str, found: &BTreeSet<ActionId>, all: bool) -> Result<Option<ActionId>, Problem> {
    match found.first() {
        Some(one) if found.len() == 1 => Ok(Some(*one)),
        Some(_) => {
            let ids: Vec<String> = found.iter().take(NAMESAKES).map(ToString::to_string).collect();
            let more = if found.len() > NAMESAKES { " and more" } else { "" };
            Err(Problem::bad_request(&format!("`{text}` begins several ids: {}{more}", ids.join(", "))))
        }
        None if all => Ok(None),
        None => Err(Problem::not_found(&format!("`{text}` begins no recent id; give the whole id of an older one"))),
    }
}

/// What a server knows besides the store: open actions, and rows that no checkpoint has written yet.
#[derive(Debug, Default)]
pub struct Recent {
    /// Actions that are asked for, in any order.
    pub actions: Vec<Action>,
    /// Every action that memory knows better: the store must not show an older revision of it.
    pub known: BTreeSet<ActionId>,
    /// More actions are open than were looked at.
    pub cut: bool,
}

/// A page of actions: those of memory and of the store in one order.
///
/// # Errors
/// When the store cannot be read.
pub fn page(reader: &Reader, filter: &Filter, recent: Recent) -> Result<Page, StoreError> {
    let stored = reader.actions(&filter.which, filter.limit, filter.from, &recent.known)?;
    Ok(merged(filter, recent, stored))
}

/// A page of actions that are not settled: the store has none.
pub fn page_of_open(filter: &Filter, recent: Recent) -> Page {
    merged(filter, recent, store::Page { items: Vec::new(), next: None, complete: true })
}

/// Up to where the store has answered, everything is known; what comes later waits for the next page.
fn merged(filter: &Filter, recent: Recent, stored: store::Page<Action>) -> Page {
    let begins = |action: &Action| filter.from.is_none_or(|from| Cursor::of(action) <= from);
    let mut actions: Vec<Action> = recent.actions.into_iter().filter(begins).chain(stored.items).collect();
    actions.sort_by_key(|action| std::cmp::Reverse(Cursor::of(action)));
    let answered = actions.partition_point(|action| stored.next.is_none_or(|next| Cursor::of(action) > next));
    let shown = answered.min(filter.limit);
    let next = actions.get(shown).map(Cursor::of).max(stored.next);
    actions.truncate(shown);
    let complete = !recent.cut && (stored.complete || shown == filter.limit);
    Page { actions, next: next.map(|next| next.to_string()), complete }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::{Changes, Output};
    use crate::model::{Nanos, sample};
    use crate::store::{Published, Store};

    fn action(n: u8, revision: u32, end: u64) -> Action {
        Action { id: ActionId([n; 16]), revision, end: Nanos(end), ..sample::action() }
    }

    /// Each revision in a partition of its own.
    fn stored(dir: &std::path::Path, actions: &[Action]) -> Store {
        let mut store = Store::open(dir).expect("the store opens").store;
        for (position, action) in (1..).zip(actions) {
            let mut changes = Changes::default();
            changes.small.now = Nanos(position * 3_600_000_000_000);
            let output = Output { actions: vec![action.clone()], ..Output::default() };
            store.commit(position, &changes, &[Published { position, output }], &[]).expect("committed");
        }
        store
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6))]

        /// Pages over memory and store are one list: every action once, at its latest revision, newest first.
        #[test]
        fn memory_and_store_are_one_list(
            in_store in prop::collection::vec((0_u8..9, 0_u64..20), 0..12),
            in_memory in prop::collection::btree_map(0_u8..12, 0_u64..20, 0..9),
            limit in 1_usize..6,
        ) {
            let old: Vec<Action> =
                (1..).zip(&in_store).map(|(revision, (n, end))| action(*n, revision, *end)).collect();
            let recent: Vec<Action> = in_memory.iter().map(|(n, end)| action(*n, 99, *end)).collect();
            let latest: BTreeMap<ActionId, &Action> = old.iter().chain(&recent).map(|it| (it.id, it)).collect();
            let mut want: Vec<_> = latest.values().map(|it| (it.end, it.id, it.revision)).collect();
            want.sort_by(|a, b| b.cmp(a));

            let dir = tempfile::tempdir().expect("a folder");
            let reader = stored(dir.path(), &old).reader().expect("a reader");
            let mut filter = Filter { limit, ..Filter::default() };
            let mut got = Vec::new();
            loop {
                let known = recent.iter().map(|it| it.id).collect();
                let recent = Recent { actions: recent.clone(), known, cut: false };
                let page = page(&reader, &filter, recent).expect("a page");
                prop_assert!(page.complete && (page.actions.len() == limit || page.next.is_none()), "{page:?}");
                got.extend(page.actions.iter().map(|it| (it.end, it.id, it.revision)));
                filter.from = page.next.map(|next| Cursor::parse(&next).expect("a cursor"));
                if filter.from.is_none() {
                    break;
                }
            }
            prop_assert_eq!(got, want);
        }
    }

    #[test]
    fn a_list_that_leaves_open_actions_out_says_so() {
        let recent = |cut| Recent { actions: vec![action(1, 1, 5)], known: BTreeSet::new(), cut };
        let filter = Filter { settled: Some(false), ..Filter::default() };
        assert!(page_of_open(&filter, recent(false)).complete);
        assert!(!page_of_open(&filter, recent(true)).complete);
    }

    #[test]
    fn enough_digits_of_an_id_are_its_beginning() {
        let range = beginning("0A0b0c0D").expect("eight digits");
        let inside = ActionId([[0x0a, 0x0b, 0x0c, 0x0d].as_slice(), &[7; 12]].concat().try_into().expect("sixteen"));
        assert!(range.contains(&inside) && !range.contains(&ActionId([0x0b; 16])));
        assert!(beginning("0a0b0c0d5").expect("nine digits").start().to_string().starts_with("0a0b0c0d50"));
        for wrong in ["0a0b0c0", "0a0b0c0g", "0a 0b0c0d", "+a0b0c0d", "call-123456", &"0".repeat(32)] {
            assert_eq!(beginning(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_beginning_of_several_ids_names_them() {
        let (one, other) = (ActionId([1; 16]), ActionId([2; 16]));
        assert_eq!(the_one("01", &BTreeSet::from([one]), false), Ok(Some(one)));
        assert_eq!(the_one("01", &BTreeSet::new(), true), Ok(None));
        assert!(the_one("01", &BTreeSet::new(), false).is_err(), "older partitions were not looked at");
        let several = the_one("0", &BTreeSet::from([one, other]), true).expect_err("two");
        assert!(several.detail().contains(&one.to_string()) && several.detail().contains(&other.to_string()));
    }
}
