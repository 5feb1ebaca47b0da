//! Files: their formats, their locks, when they close and when they go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

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
                let page = reader.actions(&ActionFilter::default(), 10, None, &BTreeSet::new()).expect("a list");
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
