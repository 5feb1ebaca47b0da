//! Faults between the two commits, and full disks: nothing is lost, nothing is written twice.

use super::*;

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
