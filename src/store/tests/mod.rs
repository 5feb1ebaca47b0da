//! What the store promises, tried on real files: faults between its two commits, full disks, readers that look while
//! it writes. What this does not prove: that the disk keeps what it says it has synced.

use std::cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::convert::tests::{Any, Source};
use super::*;
use crate::engine::parts::{ActionState, TurnState};
use crate::engine::{Account, FindingEvent, TurnAccount, TurnRow};
use crate::model::*;

mod faults;
mod files;
mod format;
mod lists;
mod lookups;
mod rows;

thread_local! {
    static FAILING: cell::Cell<bool> = const { cell::Cell::new(false) };
}

/// Fails between a partition's commit and state.db's while [`failing`] runs.
pub(super) fn fail_point() -> Result<(), StoreError> {
    if FAILING.get() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        return Err(full).on("fail on purpose in", Path::new("a test"));
    }
    Ok(())
}

fn failing<T>(work: impl FnOnce() -> T) -> T {
    FAILING.set(true);
    let done = work();
    FAILING.set(false);
    done
}

const HOUR: u64 = 3_600_000_000_000;

/// A value with fields of every kind, the same for the same seed.
fn any<T: Any>(seed: &str) -> T {
    let mut bytes = vec![0; 4000];
    blake3::Hasher::new_derive_key(seed).finalize_xof().fill(&mut bytes);
    T::any(&mut Source::new(bytes))
}

/// Revision `revision` of action `n`, known by its span, its call id `call-n` and its turn.
fn action(n: u8, revision: u32) -> Action {
    let keys = vec![
        Key::Span(TraceId([n; 16]), SpanId([n; 8])),
        Key::Call(TurnId([n; 16]), format!("call-{n}").into()),
        any(&format!("key {n} {revision}")),
    ];
    let action: Action = any(&format!("action {n} {revision}"));
    Action {
        id: ActionId([n; 16]),
        revision,
        keys,
        merged_into: None,
        turn: TurnId([n; 16]),
        turns: vec![TurnId([n; 16])],
        call_id: Some(format!("call-{n}").into()),
        marks: Marks { merged: false, ..action.marks },
        ..action
    }
}

fn turn(n: u8, revision: u32) -> Turn {
    let conversation = (ConversationId([n; 16]), Arc::from(format!("chat-{}", n / 2)));
    let conversation = Shared { value: conversation, ..any("shared") };
    Turn { id: TurnId([n; 16]), revision, conversation: Some(conversation), ..any(&format!("turn {n} {revision}")) }
}

fn body(n: u8) -> Body {
    let text = format!("body {n} ").repeat(usize::from(n) + 500);
    let hash = Hash(*blake3::hash(text.as_bytes()).as_bytes());
    Body { digest: Digest { algorithm: Algorithm::Blake3, key: 0, bytes: hash }, bytes: text.into() }
}

fn finding(n: u8, state: FindingState) -> FindingEvent {
    let event: FindingEvent = any(&format!("finding {n}"));
    FindingEvent { finding: Finding { id: FindingId([n; 16]), state, ..event.finding }, ..event }
}

/// What one commit is made of.
#[derive(Debug)]
struct Step {
    applied: u64,
    changes: Changes,
    published: Vec<Published>,
}

impl Step {
    fn at(applied: u64, now: u64, output: Output) -> Self {
        let mut changes = Changes::default();
        changes.small.now = Nanos(now);
        Self { applied, changes, published: vec![Published { position: applied, output }] }
    }

    fn commit(&self, store: &mut Store) -> Result<(), StoreError> {
        store.commit(self.applied, &self.changes, &self.published, &[])
    }
}

fn rows(actions: Vec<Action>) -> Output {
    Output { actions, ..Output::default() }
}

fn open(dir: &TempDir) -> Store {
    Store::open(dir.path()).expect("the store opens").store
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Every row, key and byte of content, by partition; each as a hash, so that a difference can be read.
fn dump(store: &Store) -> BTreeMap<String, Vec<String>> {
    let short = |bytes: &[u8]| blake3::hash(bytes).to_hex()[..8].to_owned();
    let mut all = BTreeMap::new();
    for part in &store.parts {
        let (rows, content) = partition::files(&partitions(&store.dir), &part.name);
        let db = sql::open_to_read(&rows, part.sealed).expect("readable");
        let mut lines = vec![format!("content {}", short(&std::fs::read(content).expect("readable")))];
        for table in ["actions", "turns", "keys", "bodies", "findings"] {
            let mut select = db.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2, 3")).expect("a table");
            let columns = select.column_count();
            let mut rows = select.query([]).expect("rows");
            while let Some(row) = rows.next().expect("a row") {
                let values = (0..columns).map(|column| row.get_ref(column).expect("a value"));
                let values = format!("{:?}", values.collect::<Vec<_>>());
                lines.push(format!("{table} {}", short(values.as_bytes())));
            }
        }
        all.insert(part.name.clone(), lines);
    }
    all
}

/// Commits that publish everything there is, over several hours.
fn steps() -> Vec<Step> {
    let output = |n: u8| Output {
        actions: vec![action(n, 1), action(n / 2, 2 + u32::from(n))],
        turns: vec![turn(n, 1), turn(n / 2, 2 + u32::from(n))],
        bodies: vec![body(n), body(n / 3)],
        findings: vec![finding(n, FindingState::Open), finding(n / 2, FindingState::Retracted)],
    };
    (1..9).map(|n| Step::at(10 * u64::from(n), u64::from(n) * HOUR / 2, output(n))).collect()
}

/// A turn that keeps components with these handles and call ids.
fn kept_turn(n: u8, members: &[u64], kept: &[(u64, &str)]) -> TurnRow {
    let id = TurnId([n; 16]);
    let mut state: TurnState = any(&format!("state {n}"));
    (state.id, state.tenant, state.members) = (id, Tenant::default(), members.iter().copied().collect());
    let component = |(handle, call): &(u64, &str)| {
        let state = ActionState {
            handle: *handle,
            tenant: Tenant::default(),
            home: id,
            keys: BTreeSet::from([Key::Call(id, (*call).into())]),
            pieces: BTreeMap::new(),
            ..any(&format!("component {handle}"))
        };
        (state.into(), Account { settled: true, ..any(&format!("account {handle}")) })
    };
    let account = TurnAccount { closed: true, last_seen: Nanos(u64::from(n)), ..any(&format!("books {n}")) };
    TurnRow { state: state.into(), account, actions: kept.iter().map(component).collect() }
}

fn keep(rows: &[TurnRow]) -> Changes {
    let mut changes = Changes::default();
    for row in rows {
        changes.turns.push((row.state.clone(), row.account.clone()));
        changes.wants.push((Want::Turn(row.state.id), row.state.id));
        for (state, account) in &row.actions {
            changes.actions.push((state.clone(), account.clone()));
            for key in &state.keys {
                if let Key::Call(_, id) = key {
                    changes.wants.push((Want::Call(Tenant::default(), id.clone()), row.state.id));
                }
            }
        }
    }
    changes
}
