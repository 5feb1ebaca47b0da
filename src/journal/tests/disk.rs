//! A disk that is full, or fails.

use std::time::Duration;

use super::*;
use crate::journal::disk::faults::Planned;

const SOON: Duration = Duration::from_secs(30);

/// A journal on a disk that fails when told to.
fn faulty(dir: &Path, options: Options) -> (Journal, Disk) {
    let disk = Disk::default();
    let (journal, _) = Journal::open_on(dir, options, disk.clone()).unwrap();
    (journal, disk)
}

fn append(journal: &Journal, text: &str) -> Result<Position, AppendError> {
    journal.try_append(entry(text))?.wait()
}

#[test]
fn a_full_disk_refuses_and_the_journal_goes_on_when_there_is_room_again() {
    let dir = temp_dir();
    let (journal, disk) = faulty(dir.path(), options());
    append(&journal, "before").unwrap();
    for room in [0, 1, 19, 20, 100, 140] {
        disk.faults.plan(Planned { room: Some(room), ..Planned::default() });
        assert_eq!(append(&journal, "refused"), Err(AppendError::NoSpace), "room for {room}");
    }
    disk.faults.plan(Planned::default());
    assert_eq!(append(&journal, "after").unwrap().sequence, 2);
    assert!(!journal.stats().poisoned);
    journal.verify().unwrap();
    drop(journal);
    assert_eq!(bodies(dir.path()), ["before", "after"]);
}

#[test]
fn a_failed_write_or_sync_stops_the_journal_until_it_is_opened_again() {
    let plans = [
        Planned { sync: true, ..Planned::default() },
        Planned { write: true, ..Planned::default() },
        Planned { room: Some(30), cut: true, ..Planned::default() },
    ];
    for plan in plans {
        let dir = temp_dir();
        let (journal, disk) = faulty(dir.path(), options());
        append(&journal, "before").unwrap();
        disk.faults.plan(plan);
        assert_eq!(append(&journal, "refused"), Err(AppendError::Poisoned), "{plan:?}");
        disk.faults.plan(Planned::default());
        assert_eq!(append(&journal, "refused too"), Err(AppendError::Poisoned), "{plan:?}");
        assert!(journal.stats().poisoned);
        assert_eq!(journal.synced(), 1);
        assert_eq!(journal.reader(0).unwrap().count(), 1, "not even when its bytes are in the file");
        drop(journal);
        let (journal, _) = Journal::open(dir.path(), options()).unwrap();
        append(&journal, "after").unwrap();
        journal.verify().unwrap();
        let bodies = bodies(dir.path());
        assert_eq!((bodies.first().unwrap().as_str(), bodies.last().unwrap().as_str()), ("before", "after"));
    }
}

#[test]
fn the_reserve_is_for_the_journals_own_frames() {
    let dir = temp_dir();
    let (journal, disk) = faulty(dir.path(), Options { reserve_bytes: 1_000, ..options() });
    disk.faults.plan(Planned { free: Some(1_003), ..Planned::default() });
    assert_eq!(append(&journal, "four"), Err(AppendError::NoSpace));
    append(&journal, "two").unwrap();
    disk.faults.plan(Planned { free: Some(10), ..Planned::default() });
    assert_eq!(append(&journal, "x"), Err(AppendError::NoSpace));
    journal.try_append(Entry::tick()).unwrap().wait().unwrap();
    journal.try_append(Entry::config(Bytes::from_static(b"slo: 1"))).unwrap().wait().unwrap();
    assert_eq!(journal.stats().seconds_to_full, Some(0.0));
}

/// A series that disappears is an alert that cannot fire, and who is refused sees a disk that is full.
#[test]
fn a_full_disk_is_told_at_rest_too() {
    let dir = temp_dir();
    let (journal, disk) = faulty(dir.path(), Options { reserve_bytes: 1_000, ..options() });
    let told = |free| {
        disk.faults.plan(Planned { free: Some(free), ..Planned::default() });
        let stats = journal.stats();
        (stats.full, stats.seconds_to_full)
    };
    assert_eq!(told(1_500), (None, Some(500.0)), "a byte a second, at rest");
    for free in [0, 999, 1_000] {
        assert_eq!(told(free), (Some(Full::Disk), Some(0.0)));
    }
    assert_eq!(told(1_004), (None, Some(4.0)));
    assert_eq!(append(&journal, "fives"), Err(AppendError::NoSpace));
    assert_eq!(told(1_004), (Some(Full::Disk), Some(0.0)), "what there is, is not enough");
    assert_eq!(told(1_005), (None, Some(5.0)));
    append(&journal, "fives").unwrap();
    disk.faults.plan(Planned { room: Some(0), ..Planned::default() });
    assert_eq!(append(&journal, "quota"), Err(AppendError::NoSpace));
    assert_eq!(journal.stats().full, Some(Full::Disk), "whatever the filesystem says");
}

#[test]
fn senders_stay_inside_the_budget_and_own_frames_do_not() {
    let dir = temp_dir();
    let journal = Journal::open(dir.path(), options()).unwrap().0;
    append(&journal, "before").unwrap();
    let held = journal.stats().disk_bytes;
    journal.set_room(held + 3);
    assert_eq!(append(&journal, "four"), Err(AppendError::NoSpace));
    assert_eq!(journal.stats().full, Some(Full::Budget));
    journal.try_append(Entry::tick()).unwrap().wait().unwrap();
    journal.set_room(u64::MAX);
    assert_eq!(journal.stats().full, None);
    append(&journal, "after").unwrap();
    drop(journal);
    assert_eq!(bodies(dir.path()), ["before", "", "after"]);
}

#[test]
fn a_follower_sees_the_end_of_a_stopped_journal() {
    let dir = temp_dir();
    let (journal, disk) = faulty(dir.path(), options());
    let mut follower = journal.subscribe(0, 0);
    append(&journal, "synced").unwrap();
    disk.faults.plan(Planned { sync: true, ..Planned::default() });
    append(&journal, "not synced").unwrap_err();
    assert_eq!(follower.next(SOON).unwrap().unwrap().body, "synced");
    assert!(follower.next(SOON).unwrap().is_none());
    assert!(follower.is_closed());
}

#[test]
fn a_follower_that_keeps_up_needs_no_files() {
    let dir = temp_dir();
    let journal = Journal::open(dir.path(), options()).unwrap().0;
    let (mut quick, mut late) = (journal.subscribe(0, 1 << 20), journal.subscribe(0, 0));
    append(&journal, "one").unwrap();
    append(&journal, "two").unwrap();
    std::fs::remove_file(segment::path(dir.path(), 1)).unwrap();
    assert_eq!(quick.next(SOON).unwrap().unwrap().body, "one");
    assert_eq!(quick.next(SOON).unwrap().unwrap().body, "two");
    let JournalError::Broken(broken) = late.next(SOON).unwrap_err() else { panic!() };
    assert_eq!((broken.sequence, broken.fault), (1, Fault::Missing));
}
