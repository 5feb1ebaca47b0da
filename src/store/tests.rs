//! What the store promises, tried on real files: faults between its two commits, full disks, readers that look while
//! it writes. What this does not prove: that the disk keeps what it says it has synced.

use std::cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use tempfile::TempDir;

use super::convert::tests::{Any, Source};
use super::*;
use crate::engine::parts::{ActionState, TurnState};
use crate::engine::{Account, FindingEvent, TurnAccount, TurnRow};
use crate::model::*;

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
    Action {
        id: ActionId([n; 16]),
        revision,
        keys,
        merged_into: None,
        turn: TurnId([n; 16]),
        turns: vec![TurnId([n; 16])],
        call_id: Some(format!("call-{n}").into()),
        ..any(&format!("action {n} {revision}"))
    }
}

fn turn(n: u8, revision: u32) -> Turn {
    let conversation = (ConversationId([n; 16]), Arc::from(format!("chat-{}", n / 2)));
    let conversation = Shared { value: conversation, ..any("shared") };
    Turn { id: TurnId([n; 16]), revision, conversation: Some(conversation), ..any(&format!("turn {n} {revision}")) }
}

fn body(n: u8) -> Body {
    let text = format!("body {n} ").repeat(usize::from(n) + 500);
    Body { digest: crate::values::digest_bytes(text.as_bytes()), bytes: text.into() }
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

#[test]
fn after_a_fault_between_the_two_commits_a_replay_writes_the_same_bytes() {
    let calm = folder();
    let mut undisturbed = open(&calm);
    for step in &steps() {
        step.commit(&mut undisturbed).expect("committed");
    }
    for restart in [false, true] {
        let dir = folder();
        let mut store = open(&dir);
        for step in &steps() {
            let refused = failing(|| step.commit(&mut store)).expect_err("the fail point");
            assert!(refused.is_retryable());
            assert_eq!(store.applied() + 10, step.applied, "nothing is committed");
            if restart {
                drop(store);
                store = open(&dir);
            }
            for (n, number) in (1..9).zip(1_u64..) {
                let known = !store.reader().expect("a reader").lookup(&format!("call-{n}")).expect("found").is_empty();
                assert_eq!(known, number * 10 < step.applied, "nothing of the future is shown");
            }
            step.commit(&mut store).expect("committed the second time");
        }
        assert_eq!(dump(&store), dump(&undisturbed));
        let counts = |store: &Store| Stats { bytes: 0, ..store.stats() };
        assert_eq!(counts(&store), counts(&undisturbed));
    }
}

#[test]
fn a_commit_that_grew_after_a_fault_is_written_whole() {
    let dir = folder();
    let mut store = open(&dir);
    let [first, second, ..] = &mut steps()[..] else { panic!("there are more") };
    failing(|| first.commit(&mut store)).expect_err("the fail point");
    let both = Step {
        applied: second.applied,
        changes: std::mem::take(&mut second.changes),
        published: [std::mem::take(&mut first.published), std::mem::take(&mut second.published)]
            .into_iter()
            .flatten()
            .collect(),
    };
    both.commit(&mut store).expect("committed");
    let reader = store.reader().expect("a reader");
    assert_eq!(reader.lookup("call-1").expect("found"), [action(1, 4)]);
    assert_eq!(reader.lookup("call-2").expect("found"), [action(2, 1)]);
}

#[test]
fn an_older_state_db_takes_partitions_back_to_where_it_stands() {
    let dir = folder();
    let mut store = open(&dir);
    let steps = steps();
    for step in &steps[..2] {
        step.commit(&mut store).expect("committed");
    }
    let (then, rows_then) = (store.stats(), dump(&store));
    drop(store);
    assert!(!dir.path().join("state.db-wal").exists(), "a store that was closed has nothing beside state.db");
    let older = std::fs::read(dir.path().join("state.db")).expect("readable");
    let mut store = open(&dir);
    for step in &steps[2..] {
        step.commit(&mut store).expect("committed");
    }
    drop(store);
    std::fs::write(dir.path().join("state.db"), older).expect("writable");
    let mut store = open(&dir);
    // A partition that was closed since has its search indexes already; its rows are those of then.
    assert_eq!((dump(&store), store.stats().actions), (rows_then, then.actions));
    for step in &steps[2..] {
        step.commit(&mut store).expect("committed again");
    }
    let found = store.reader().expect("a reader").lookup("call-4").expect("found");
    assert_eq!(found, [action(4, 10)]);
}

#[test]
fn a_later_revision_is_a_new_row_and_the_one_that_is_found() {
    let dir = folder();
    let mut store = open(&dir);
    for (revision, hour) in [(1, 1), (2, 1), (3, 5)] {
        let step = Step::at(u64::from(revision), hour * HOUR, rows(vec![action(7, revision)]));
        step.commit(&mut store).expect("committed");
    }
    assert_eq!((store.stats().actions, store.stats().partitions), (3, 2));
    let reader = store.reader().expect("a reader");
    let latest = action(7, 3);
    let first_key = action(7, 1).keys[2].to_string();
    let (trace, span) = (TraceId([7; 16]), SpanId([7; 8]));
    for alias in [
        latest.id.to_string(),
        format!("{trace}/{span}"),
        trace.to_string(),
        trace.to_string().to_uppercase(),
        span.to_string(),
        "call-7".into(),
        latest.keys[0].to_string(),
        latest.keys[1].to_string(),
        latest.turn.to_string(),
        first_key,
    ] {
        assert_eq!(reader.lookup(&alias).expect("found"), std::slice::from_ref(&latest), "{alias}");
    }
    for nothing in ["", "call-8", "span:", &ActionId([8; 16]).to_string()] {
        assert_eq!(reader.lookup(nothing).expect("looked"), [], "{nothing}");
    }
}

#[test]
fn a_tombstone_leads_to_the_survivor_and_is_in_no_list() {
    let dir = folder();
    let mut store = open(&dir);
    let grave = Action { merged_into: Some(ActionId([2; 16])), revision: 2, ..action(1, 2) };
    let early = rows(vec![action(1, 1), action(2, 1)]);
    Step::at(1, HOUR, early).commit(&mut store).expect("committed");
    Step::at(2, 9 * HOUR, rows(vec![grave.clone(), action(2, 2)])).commit(&mut store).expect("committed");
    let reader = store.reader().expect("a reader");
    for alias in ["call-1", "call-2", &ActionId([1; 16]).to_string()] {
        assert_eq!(reader.lookup(alias).expect("found"), [action(2, 2)], "{alias}");
    }
    assert_eq!(reader.action(ActionId([1; 16])).expect("found"), Some(grave));
    let page = reader.actions(&ActionFilter::default(), 10, None).expect("a list");
    assert_eq!(page, Page { items: vec![action(2, 2)], next: None });
}

#[test]
fn a_conversation_finds_the_actions_of_its_turns() {
    let dir = folder();
    let mut store = open(&dir);
    let output =
        Output { turns: vec![turn(4, 1), turn(5, 1), turn(6, 1)], ..rows((4..7).map(|n| action(n, 1)).collect()) };
    Step::at(1, HOUR, output).commit(&mut store).expect("committed");
    let reader = store.reader().expect("a reader");
    let ids = |alias: &str| -> BTreeSet<ActionId> {
        reader.lookup(alias).expect("found").iter().map(|action| action.id).collect()
    };
    assert_eq!(ids("chat-2"), BTreeSet::from([ActionId([4; 16]), ActionId([5; 16])]));
    assert_eq!(ids(&ConversationId([6; 16]).to_string()), BTreeSet::from([ActionId([6; 16])]));
    assert_eq!(reader.turn(TurnId([6; 16])).expect("found"), Some(turn(6, 1)));
    assert_eq!(reader.turn(TurnId([9; 16])).expect("looked"), None);
}

#[test]
fn bodies_are_kept_once_per_partition_and_come_back_whole() {
    let dir = folder();
    let mut store = open(&dir);
    let output = || Output { bodies: vec![body(1), body(2), body(1)], ..Output::default() };
    Step::at(1, HOUR, output()).commit(&mut store).expect("committed");
    let once = store.parts[0].content;
    Step::at(2, HOUR, output()).commit(&mut store).expect("committed");
    assert_eq!(store.parts[0].content, once);
    Step::at(3, 9 * HOUR, output()).commit(&mut store).expect("committed");
    let reader = store.reader().expect("a reader");
    for n in [1, 2] {
        let found = reader.body(&body(n).digest).expect("looked").expect("there");
        assert_eq!(found, body(n).bytes);
    }
    assert_eq!(reader.body(&body(3).digest).expect("looked"), None);
}

#[test]
fn what_was_committed_is_what_opening_gives_back() {
    let dir = folder();
    let mut store = open(&dir);
    let mut changes = Changes { small: any("small"), ..Changes::default() };
    changes.small.now = Nanos(100 * HOUR);
    changes.small.settle_lag = None;
    changes.dues = [Due::Close(TurnId([1; 16])), Due::Settle(2), Due::Check(u64::MAX), Due::Revise(4)]
        .into_iter()
        .zip([Some(Nanos(1)), Some(Nanos(u64::MAX)), Some(Nanos(3)), None])
        .collect();
    let cell = Cell { good: 1, bad: 2, unknown: 3 };
    let key = |slice, agent: &str| crate::engine::parts::LedgerKey {
        slice: Nanos(slice),
        tenant: Tenant::default(),
        sli: Sli::DeniedActions,
        agent: agent.into(),
    };
    changes.ledger = vec![(key(3 * HOUR, "old"), cell), (key(50 * HOUR, "new"), cell)];
    let incident = |n: u8, contained| crate::engine::parts::Incident {
        id: IncidentId([n; 16]),
        contained,
        ..any(&format!("incident {n}"))
    };
    let kept = [incident(1, None), incident(2, Some(Nanos(99 * HOUR)))];
    changes.incidents = kept.iter().map(|it| (it.id, Some(it.clone()))).collect();
    changes.incidents.push((IncidentId([3; 16]), None));
    let configurations: Vec<(Digest, Vec<u8>)> = (0..3).map(|n| (body(n).digest, vec![n; 10])).collect();
    changes.small.configurations = vec![configurations[2].0, configurations[0].0];
    store.commit(77, &changes, &[], &configurations).expect("committed");
    drop(store);

    let opened = Store::open(dir.path()).expect("the store opens");
    let (applied, small) = opened.checkpoint.expect("there is one");
    assert_eq!((applied, format!("{small:?}")), (77, format!("{:?}", changes.small)));
    let due = |due, at| (due, Nanos(at));
    let dues: BTreeSet<_> = opened.dues.into_iter().collect();
    assert_eq!(
        dues,
        BTreeSet::from([
            due(Due::Close(TurnId([1; 16])), 1),
            due(Due::Settle(2), u64::MAX),
            due(Due::Check(u64::MAX), 3)
        ])
    );
    assert_eq!(opened.ledger, [(key(50 * HOUR, "new"), cell)], "the engine gets two horizons");
    assert_eq!(opened.store.reader().expect("a reader").ledger(Nanos(0)).expect("read").len(), 2);
    assert_eq!(opened.configurations, [configurations[2].clone(), configurations[0].clone()]);
    let by_id = |incidents: &[crate::engine::parts::Incident]| -> BTreeMap<_, _> {
        incidents.iter().map(|it| (it.id, it.clone())).collect()
    };
    assert_eq!(by_id(&opened.incidents), by_id(&kept));
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
        (state, Account { settled: true, ..any(&format!("account {handle}")) })
    };
    let account = TurnAccount { closed: true, last_seen: Nanos(u64::from(n)), ..any(&format!("books {n}")) };
    TurnRow { state, account, actions: kept.iter().map(component).collect() }
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

#[test]
fn a_wanted_turn_comes_with_all_that_its_components_are_read_with() {
    let dir = folder();
    let mut store = open(&dir);
    let kept = [
        kept_turn(1, &[10, 20], &[(10, "a"), (11, "b")]),
        kept_turn(2, &[20], &[(20, "c")]),
        kept_turn(3, &[30], &[(30, "a")]),
        kept_turn(4, &[40], &[(40, "z")]),
    ];
    store.commit(1, &keep(&kept), &[], &[]).expect("committed");
    for restart in [false, true] {
        if restart {
            drop(store);
            store = open(&dir);
        }
        let load = |want: Want| store.load(&BTreeSet::from([want])).expect("loaded");
        let call = |id: &str| Want::Call(Tenant::default(), id.into());
        assert_eq!(load(Want::Turn(TurnId([1; 16]))), kept[..3]);
        assert_eq!(load(Want::Handle(11)), kept[..3], "an open ask is found by its handle");
        assert_eq!(load(call("z")), kept[3..]);
        assert_eq!(load(Want::Handle(20)), kept[1..2]);
        for unknown in [Want::Turn(TurnId([9; 16])), Want::Handle(99), call("nobody's")] {
            assert_eq!(load(unknown), []);
        }
    }
    let moved = ActionState { home: TurnId([4; 16]), ..kept[1].actions[0].0.clone() };
    let changes = Changes { actions: vec![(moved, Account::default())], gone: vec![30], ..Changes::default() };
    store.commit(2, &changes, &[], &[]).expect("committed");
    let homes = |want| -> Vec<(TurnId, usize)> {
        let rows = store.load(&BTreeSet::from([want])).expect("loaded");
        rows.iter().map(|row| (row.state.id, row.actions.len())).collect()
    };
    // Its old home still has its call's name, and comes along.
    assert_eq!(homes(Want::Handle(20)), [(TurnId([2; 16]), 0), (TurnId([4; 16]), 2)]);
    assert_eq!(homes(Want::Handle(30)), []);
}

#[test]
fn a_call_id_that_everybody_uses_brings_a_bounded_number_of_turns() {
    let dir = folder();
    let mut store = open(&dir);
    let kept: Vec<TurnRow> = (0..200).map(|n| kept_turn(n, &[u64::from(n)], &[(u64::from(n), "call_1")])).collect();
    store.commit(1, &keep(&kept), &[], &[]).expect("committed");
    let call = Want::Call(Tenant::default(), "call_1".into());
    assert_eq!(store.load(&BTreeSet::from([call])).expect("loaded").len(), 65);
}

#[test]
fn purging_takes_what_is_closed_settled_and_old_and_nothing_else() {
    let dir = folder();
    let mut store = open(&dir);
    let mut kept: Vec<TurnRow> = (1..5).map(|n| kept_turn(n, &[u64::from(n)], &[(u64::from(n), "a")])).collect();
    kept[0].account.closed = false;
    kept[1].actions[0].1.settled = false;
    store.commit(1, &keep(&kept), &[], &[]).expect("committed");
    assert_eq!(store.purge(Nanos(4)).expect("purged"), Purged { turns: 1, more: false });
    let left = |store: &Store| -> Vec<u8> {
        let wants = (1..5).map(|n| Want::Turn(TurnId([n; 16]))).collect();
        store.load(&wants).expect("loaded").iter().map(|row| row.state.id.0[0]).collect()
    };
    assert_eq!(left(&store), [1, 2, 4]);
    drop(store);
    let mut store = open(&dir);
    assert_eq!(left(&store), [1, 2, 4]);
    assert_eq!(store.load(&BTreeSet::from([Want::Handle(3)])).expect("loaded"), []);
    assert_eq!(store.purge(Nanos(4)).expect("purged"), Purged { turns: 0, more: false });
}

/// Fills a database until it refuses, then gives it room again.
#[test]
fn a_full_disk_is_retryable_and_leaves_everything_as_it_was() {
    let dir = folder();
    let mut store = open(&dir);
    let many = |position: u64| {
        let output = rows((0..40).map(|n| Action { revision: position as u32, ..action(n, 1) }).collect());
        let mut step = Step::at(position, HOUR, output);
        step.changes = Changes {
            small: step.changes.small,
            ..keep(&[kept_turn(1, &[], &[]), kept_turn(position as u8, &[], &[])])
        };
        step
    };
    many(1).commit(&mut store).expect("committed");
    let (calm, before) = (dump(&store), store.stats());
    let unlimited = 1_000_000;
    for partition in [true, false] {
        let limit = |store: &Store, pages: i64| {
            let db = if partition { store.current.as_ref().map(partition::Writer::db) } else { Some(&store.state) };
            let set = |db: &Connection| db.pragma_update(None, "max_page_count", pages).expect("a limit");
            db.map(set);
        };
        store.recover().expect("the current partition is open");
        limit(&store, 1);
        let large = many(2);
        let large = Step {
            changes: if partition {
                Changes::default()
            } else {
                keep(&(0..200).map(|n| kept_turn(n, &[], &[])).collect::<Vec<_>>())
            },
            ..large
        };
        let refused = large.commit(&mut store).expect_err("there is no room");
        assert!(refused.is_retryable(), "{refused:?}");
        limit(&store, unlimited);
        assert_eq!(store.stats(), before);
        store.recover().expect("the current partition is open");
        assert_eq!(dump(&store), calm);
        let reader = store.reader().expect("a reader");
        assert_eq!(reader.action(ActionId([3; 16])).expect("read").expect("there").revision, 1);
    }
    many(2).commit(&mut store).expect("committed when there is room");
    assert_eq!(store.stats().actions, 80);
}

#[test]
fn files_of_others_and_of_other_versions_are_refused_and_left_alone() {
    let dir = folder();
    drop(open(&dir));
    let path = dir.path().join("state.db");
    let db = Connection::open(&path).expect("a database");
    db.pragma_update(None, "user_version", 99).expect("set");
    drop(db);
    let refused = Store::open(dir.path()).expect_err("from the future").to_string();
    assert!(refused.ends_with("it has format 99, and this version reads format 1"), "{refused}");
    assert!(Reader::open(dir.path()).is_err());

    let other = folder();
    let path = other.path().join("state.db");
    let db = Connection::open(&path).expect("a database");
    db.execute_batch("CREATE TABLE theirs (a)").expect("a table");
    drop(db);
    let before = std::fs::read(&path).expect("readable");
    assert!(matches!(Store::open(other.path()), Err(StoreError::Foreign { .. })));
    assert!(matches!(Reader::open(other.path()), Err(StoreError::Foreign { .. })));
    assert_eq!(std::fs::read(&path).expect("readable"), before);

    let third = folder();
    std::fs::write(third.path().join("state.db"), "no database at all, but long enough to be looked into".repeat(100))
        .expect("writable");
    assert!(matches!(Store::open(third.path()), Err(StoreError::Foreign { .. })));
    assert!(Reader::open(folder().path()).is_err(), "reading makes nothing");
}

#[test]
fn one_process_writes_and_others_read() {
    let dir = folder();
    let mut store = open(&dir);
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Locked { .. })));
    Step::at(1, HOUR, rows(vec![action(1, 1)])).commit(&mut store).expect("committed");
    let reader = Reader::open(dir.path()).expect("reading needs no lock");
    assert_eq!(reader.lookup("call-1").expect("found"), [action(1, 1)]);
    failing(|| Step::at(2, HOUR, rows(vec![action(1, 2)])).commit(&mut store)).expect_err("the fail point");
    assert_eq!(reader.lookup("call-1").expect("found"), [action(1, 1)], "what is not committed is not shown");
    Step::at(2, 9 * HOUR, rows(vec![action(1, 2)])).commit(&mut store).expect("committed");
    assert_eq!(reader.lookup("call-1").expect("found"), [action(1, 2)]);
    drop(store);
    assert_eq!(reader.lookup("call-1").expect("found"), [action(1, 2)], "and without a writer");
    assert_eq!(open(&dir).stats().applied, 2);
}

#[test]
fn readers_see_whole_commits_while_partitions_open_and_close() {
    let dir = folder();
    let mut store = open(&dir);
    let done = Arc::new(AtomicBool::new(false));
    let watch = |reader: Reader| {
        let done = done.clone();
        std::thread::spawn(move || {
            let mut last = 0;
            while !done.load(Ordering::Acquire) {
                let found = reader.lookup("call-1").expect("readable");
                let revision = found.first().map_or(0, |action| action.revision);
                assert!(revision >= last, "a revision that was seen stays seen");
                let page = reader.actions(&ActionFilter::default(), 10, None).expect("a list");
                assert!(page.items.len() <= 2 && page.items.len() != 1, "both rows of a commit, or none");
                last = revision;
            }
            last
        })
    };
    let watchers = [watch(store.reader().expect("a reader")), watch(Reader::open(dir.path()).expect("a reader"))];
    for revision in 1..60 {
        let output =
            Output { bodies: vec![body(revision as u8)], ..rows(vec![action(1, revision), action(2, revision)]) };
        let step = Step::at(revision.into(), u64::from(revision) * HOUR / 3, output);
        step.commit(&mut store).expect("committed");
    }
    done.store(true, Ordering::Release);
    for watcher in watchers {
        assert!(watcher.join().expect("no assertion failed") > 0);
    }
    let open = store.parts.iter().filter(|part| !part.sealed).count();
    assert_eq!(open, 1, "readers do not keep partitions open");
}

#[test]
fn a_partition_that_somebody_reads_for_long_closes_later() {
    let dir = folder();
    let mut store = open(&dir);
    Step::at(1, HOUR, rows(vec![action(1, 1)])).commit(&mut store).expect("committed");
    let path = partition::files(&partitions(dir.path()), &store.parts[0].name).0;
    let theirs = sql::open_to_read(&path, false).expect("readable");
    theirs.execute_batch("BEGIN; SELECT * FROM actions").expect("a look");
    Step::at(2, 3 * HOUR, rows(vec![action(1, 2)])).commit(&mut store).expect("committed all the same");
    assert_eq!((store.stats().partitions, store.parts[0].sealed), (1, false));
    drop(theirs);
    Step::at(3, 4 * HOUR, rows(vec![action(1, 3)])).commit(&mut store).expect("committed");
    assert_eq!((store.stats().partitions, store.parts[0].sealed), (2, true));
    assert!(!path.with_extension("db-wal").exists(), "a closed partition is one plain file");
    assert_eq!(store.reader().expect("a reader").lookup("call-1").expect("found"), [action(1, 3)]);
}

#[test]
fn retention_unlinks_closed_partitions_by_age_and_size_and_never_the_open_one() {
    let dir = folder();
    let mut store = open(&dir);
    for n in 1..6 {
        let output = Output { bodies: vec![body(n)], ..rows(vec![action(n, 1)]) };
        Step::at(n.into(), u64::from(n) * HOUR, output).commit(&mut store).expect("committed");
    }
    let all = store.stats();
    let keep = Retention { max_age: Span::hours(100), max_bytes: u64::MAX };
    assert_eq!(store.retire(&keep, Nanos(6 * HOUR)).expect("nothing"), []);
    let aged = store.retire(&Retention { max_age: Span::hours(4), ..keep }, Nanos(6 * HOUR)).expect("one");
    assert_eq!(aged.iter().map(|it| it.from).collect::<Vec<_>>(), [Nanos(HOUR)]);
    let room = Retention { max_bytes: all.bytes - aged[0].bytes - 1, ..keep };
    assert_eq!(store.retire(&room, Nanos(6 * HOUR)).expect("one").len(), 1);
    let reader = store.reader().expect("a reader");
    for n in 1..6 {
        let there = reader.lookup(&format!("call-{n}")).expect("looked").len();
        assert_eq!(there, usize::from(n > 2), "{n}");
        assert_eq!(reader.body(&body(n).digest).expect("looked").is_some(), n > 2, "{n}");
    }
    assert_eq!(
        store.retire(&Retention { max_age: Span(0), max_bytes: 0 }, Nanos(99 * HOUR)).expect("the rest").len(),
        2
    );
    assert_eq!((store.stats().partitions, store.stats().oldest), (1, Some(Nanos(5 * HOUR))));
    let files = std::fs::read_dir(partitions(dir.path())).expect("listed").count();
    assert!(files <= 4, "rows, content and a log of the open one, not {files}");
    drop(store);
    assert_eq!(open(&dir).stats().partitions, 1);
}

#[test]
fn a_partition_that_somebody_deleted_is_told_and_the_rest_is_there() {
    let dir = folder();
    let mut store = open(&dir);
    for n in 1..4 {
        Step::at(n.into(), u64::from(n) * HOUR, rows(vec![action(n, 1)])).commit(&mut store).expect("committed");
    }
    let name = store.parts[1].name.clone();
    drop(store);
    std::fs::remove_file(partition::files(&partitions(dir.path()), &name).0).expect("deleted");
    let opened = Store::open(dir.path()).expect("the store opens");
    assert_eq!(opened.lost, [name]);
    let reader = opened.store.reader().expect("a reader");
    assert_eq!([1, 2, 3].map(|n| reader.lookup(&format!("call-{n}")).expect("looked").len()), [1, 0, 1]);
}

#[test]
fn a_partition_closes_when_it_is_large() {
    let dir = folder();
    let options = Options { partition_bytes: 200_000, ..Options::default() };
    let mut store = Store::open_with(dir.path(), options).expect("the store opens").store;
    for n in 1..20 {
        Step::at(n, HOUR, rows((0..20).map(|a| action(a, n as u32)).collect())).commit(&mut store).expect("committed");
    }
    let sizes: Vec<u64> = store.parts.iter().map(|part| part.bytes).collect();
    assert!(sizes.len() > 2, "{sizes:?}");
    assert_eq!(store.reader().expect("a reader").lookup("call-3").expect("found"), [action(3, 19)]);
}

/// A list is what a plain filter over the latest revisions gives, whatever the pages.
fn pages(store: &Store, filter: &ActionFilter, limit: usize) -> Vec<(ActionId, u32)> {
    let reader = store.reader().expect("a reader");
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let page = reader.actions(filter, limit, cursor.as_deref()).expect("a page");
        assert!(page.items.len() <= limit);
        all.extend(page.items.iter().map(|action| (action.id, action.revision)));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return all,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_list_is_the_latest_revisions_that_match_the_last_published_first(
        published in proptest::collection::vec((0_u8..8, 0_u64..4), 1..24),
        limit in 1_usize..7,
        pick in 0_usize..40,
    ) {
        let dir = folder();
        let mut store = open(&dir);
        let mut latest: Vec<Action> = Vec::new();
        let (mut now, mut revisions) = (HOUR, BTreeMap::new());
        for (position, (n, wait)) in (1..).zip(published) {
            let revision = revisions.entry(n).and_modify(|it| *it += 1).or_insert(1);
            now += wait * HOUR / 2;
            let action = action(n, *revision);
            Step::at(position, now, rows(vec![action.clone()])).commit(&mut store).expect("committed");
            latest.retain(|it| it.id != action.id);
            latest.insert(0, action);
        }
        let like = latest[pick % latest.len()].clone();
        let verdict = like.verdicts.first().map(|it| (it.sli, it.value));
        let open = |action: &Action| action.findings.iter().any(|it| it.state == FindingState::Open);
        let none = ActionFilter::default();
        type Matches<'a> = Box<dyn Fn(&Action) -> bool + 'a>;
        let filters: Vec<(ActionFilter, Matches<'_>)> = vec![
            (none.clone(), Box::new(|_| true)),
            (ActionFilter { tenant: Some(like.tenant.clone()), ..none.clone() }, Box::new(|it| it.tenant == like.tenant)),
            (ActionFilter { agent: Some(like.agent_label().into()), ..none.clone() }, Box::new(|it| it.agent_label() == like.agent_label())),
            (ActionFilter { tool: Some(like.tool_label().into()), ..none.clone() }, Box::new(|it| it.tool_label() == like.tool_label())),
            (ActionFilter { state: Some(like.state.as_str().into()), ..none.clone() }, Box::new(|it| it.state.as_str() == like.state.as_str())),
            (ActionFilter { verdict, ..none.clone() }, Box::new(|it| verdict.is_none_or(|(sli, value)| {
                it.verdicts.iter().any(|it| (it.sli, it.value) == (sli, value))
            }))),
            (ActionFilter { open_findings: true, ..none.clone() }, Box::new(open)),
            (ActionFilter { since: Some(Nanos(1 << 62)), ..none.clone() }, Box::new(|it| it.end >= Nanos(1 << 62))),
            (ActionFilter { until: Some(Nanos(1 << 62)), ..none.clone() }, Box::new(|it| it.end < Nanos(1 << 62))),
            (ActionFilter { text: like.call_id.as_deref().map(|id| id.to_uppercase().into()), ..none }, Box::new(|it| {
                it.call_id.as_ref().zip(like.call_id.as_ref()).is_some_and(|(a, b)| a.contains(&**b))
            })),
        ];
        for (filter, matches) in filters {
            let want: Vec<_> = latest.iter().filter(|it| matches(it)).map(|it| (it.id, it.revision)).collect();
            prop_assert_eq!(pages(&store, &filter, limit), want, "{:?}", filter);
        }
    }
}

#[test]
fn findings_are_listed_in_their_latest_state() {
    let dir = folder();
    let mut store = open(&dir);
    let told = [
        (1, 1, FindingState::Open),
        (2, 1, FindingState::Open),
        (3, 1, FindingState::Open),
        (1, 5, FindingState::Retracted),
        (4, 5, FindingState::Open),
        (4, 5, FindingState::Superseded),
    ];
    for (position, (n, hour, state)) in (1..).zip(told) {
        let output = Output { findings: vec![finding(n, state)], ..Output::default() };
        Step::at(position, hour * HOUR, output).commit(&mut store).expect("committed");
    }
    let reader = store.reader().expect("a reader");
    let list = |filter: &FindingFilter| -> Vec<(u8, FindingState)> {
        let page = reader.findings(filter, 10, None).expect("a list");
        page.items.iter().map(|event| (event.finding.id.0[0], event.finding.state)).collect()
    };
    use FindingState::{Open, Retracted, Superseded};
    assert_eq!(list(&FindingFilter::default()), [(4, Superseded), (1, Retracted), (3, Open), (2, Open)]);
    assert_eq!(list(&FindingFilter { open: true, ..FindingFilter::default() }), [(3, Open), (2, Open)]);
}

#[test]
fn a_position_that_is_none_is_refused() {
    let dir = folder();
    let reader = open(&dir).reader().expect("a reader");
    for wrong in ["", "1", "a.b", "1.2.3", "18446744073709551615.1"] {
        let refused = reader.actions(&ActionFilter::default(), 1, Some(wrong)).expect_err("no cursor");
        assert!(matches!(refused, StoreError::Cursor { .. }), "{wrong}");
    }
    assert_eq!(reader.actions(&ActionFilter::default(), 1, Some("9.9")).expect("beyond the end").items, []);
}

#[test]
fn what_is_in_a_partition_is_never_denied_by_its_filter() {
    let dir = folder();
    let mut store = open(&dir);
    for step in &steps() {
        step.commit(&mut store).expect("committed");
    }
    drop(store);
    let store = open(&dir);
    for step in &steps() {
        for output in step.published.iter().map(|it| &it.output) {
            let mut hashes: Vec<i64> = output.bodies.iter().map(|it| aliases::of_body(&it.digest)).collect();
            hashes.extend(output.actions.iter().flat_map(aliases::of_action).map(|it| aliases::of_alias(&it)));
            hashes.extend(output.turns.iter().flat_map(aliases::of_turn).map(|it| aliases::of_alias(&it)));
            for hash in hashes {
                assert!(store.parts.iter().any(|part| part.may_hold(hash)));
            }
        }
    }
    let unknown = (0..1000).map(|n| aliases::of_alias(&format!("nobody {n}")));
    let perhaps = unknown.filter(|hash| store.parts.iter().any(|part| part.may_hold(*hash))).count();
    assert!(perhaps < 200, "{perhaps} of 1000 unknown names are looked for on disk");
}
