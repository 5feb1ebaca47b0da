//! The journal as a driver uses it: append, read, follow, retire, compress, forget. What happens to damaged files is
//! in `journal_damage`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;
use wherefore::journal::{
    AppendError, Entry, Fault, Follower, Frame, Journal, JournalError, Kind, Options, Reader, Rejection, verify,
};
use wherefore::model::{Nanos, Role, Span, Tenant};

/// Long enough for a loaded machine; nothing here waits for it unless it fails.
const SOON: Duration = Duration::from_secs(30);

/// Options that do not depend on the machine's disk.
fn options() -> Options {
    // Where the wall clock is held, no time passes at all.
    Options { reserve_bytes: 0, monotonic: || Span(0), ..Options::default() }
}

/// A new segment for every batch.
fn tiny_segments() -> Options {
    Options { segment_bytes: 1, ..options() }
}

fn open(dir: &Path, options: Options) -> Journal {
    Journal::open(dir, options).unwrap().0
}

fn text(text: &str) -> Entry {
    Entry::logs(Tenant::new("acme"), Role::Gateway, 1, Bytes::copy_from_slice(text.as_bytes()))
}

/// Appends and waits: a batch of its own.
fn append(journal: &Journal, entry: Entry) -> u64 {
    journal.try_append(entry).unwrap().wait().unwrap().sequence
}

fn frames(dir: &Path, after: u64) -> Vec<Frame> {
    Reader::open(dir, after).unwrap().map(Result::unwrap).collect()
}

fn bodies(dir: &Path) -> Vec<Bytes> {
    frames(dir, 0).into_iter().map(|frame| frame.body).collect()
}

fn any_role() -> impl Strategy<Value = Role> {
    prop::sample::select(vec![
        Role::Unspecified,
        Role::Agent,
        Role::Gateway,
        Role::PolicyEngine,
        Role::Evaluator,
        Role::HumanChannel,
    ])
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let kinds = vec![Kind::Traces, Kind::Logs, Kind::Config, Kind::Restart, Kind::Tick];
    let rejection = ("[a-z_]{0,20}", any::<u32>()).prop_map(|(reason, count)| Rejection { reason, count });
    (
        prop::sample::select(kinds),
        any::<String>(),
        any_role(),
        any::<u32>(),
        prop::collection::vec(rejection, 0..3),
        prop::collection::vec(any::<u8>(), 0..5_000),
    )
        .prop_map(|(kind, tenant, role, accepted, rejected, body)| Entry {
            kind,
            tenant: Tenant::new(&tenant),
            role,
            accepted,
            rejected,
            body: body.into(),
        })
}

fn entry_of(frame: &Frame) -> Entry {
    let Frame { kind, tenant, role, accepted, rejected, body, .. } = frame.clone();
    Entry { kind, tenant, role, accepted, rejected, body }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever is appended is read back, from any place on, live, followed, after a restart and when compressed.
    #[test]
    fn what_is_appended_is_read_back(
        entries in prop::collection::vec(any_entry(), 1..20),
        segment_bytes in prop::sample::select(vec![1, 4_000, 1 << 20]),
        restart_at in 0..20_usize,
    ) {
        let dir = TempDir::new().unwrap();
        let options = Options { segment_bytes, ..options() };
        let mut journal = open(dir.path(), options.clone());
        for (index, entry) in entries.iter().enumerate() {
            if index == restart_at {
                drop(journal);
                journal = open(dir.path(), options.clone());
            }
            prop_assert_eq!(append(&journal, entry.clone()), index as u64 + 1);
        }
        let mut follower = journal.subscribe(0, 0);
        let followed = take(&mut follower, entries.len());
        prop_assert_eq!(followed.iter().map(entry_of).collect::<Vec<_>>(), entries);
        journal.verify().unwrap();
        journal.compress_sealed().unwrap();
        let verified = journal.verify().unwrap();
        prop_assert_eq!(verified.frames, followed.len() as u64);
        for after in 0..=followed.len() {
            let live: Vec<_> = journal.reader(after as u64).unwrap().map(Result::unwrap).collect();
            prop_assert_eq!(&live[..], &followed[after..]);
        }
        drop(journal);
        prop_assert_eq!(frames(dir.path(), 0), followed);
    }
}

/// The next frames of a follower, and that no more come.
fn take(follower: &mut Follower, count: usize) -> Vec<Frame> {
    let frames = (0..count).map(|_| (*follower.next(SOON).unwrap().expect("the frame is synced")).clone());
    let frames = frames.collect();
    assert!(follower.next(Duration::ZERO).unwrap().is_none());
    frames
}

#[test]
fn concurrent_senders_get_places_in_one_order_and_each_keeps_its_own() {
    let dir = TempDir::new().unwrap();
    let journal = open(dir.path(), options());
    let send = |sender: usize| {
        let receipts: Vec<_> = (0..200).map(|n| journal.try_append(text(&format!("{sender}:{n}"))).unwrap()).collect();
        receipts.into_iter().map(|receipt| receipt.wait().unwrap().sequence).collect::<Vec<_>>()
    };
    let places: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..4).map(|sender| scope.spawn(move || send(sender))).collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    let stats = journal.stats();
    assert_eq!((stats.frames, stats.records, stats.synced), (800, 800, 800));
    assert_eq!(stats.batch_frames.len(), stats.sync_micros.len());
    assert_eq!((stats.queue_entries, stats.queue_bytes), (0, 0));
    drop(journal);
    let bodies = bodies(dir.path());
    for (sender, places) in places.iter().enumerate() {
        assert!(places.is_sorted());
        for (n, &place) in places.iter().enumerate() {
            assert_eq!(bodies[place as usize - 1], format!("{sender}:{n}"));
        }
    }
}

#[tokio::test]
async fn an_async_caller_awaits_the_sync() {
    let dir = TempDir::new().unwrap();
    let journal = open(dir.path(), options());
    let first = journal.append(text("first")).await.unwrap();
    let second = journal.append(text("second")).await.unwrap();
    assert_eq!((first.sequence, second.sequence, journal.synced()), (1, 2, 2));
    assert!(first.now <= second.now);
}

#[test]
fn a_full_queue_refuses_at_once_and_takes_again_when_settled() {
    static GATE: Mutex<()> = Mutex::new(());
    /// The writer asks for the time before it writes, so this holds it.
    fn clock() -> Nanos {
        let _open = GATE.lock().unwrap();
        Nanos(1)
    }
    let dir = TempDir::new().unwrap();
    let bounds = Options { queue_entries: 3, queue_bytes: 100, clock, ..options() };
    let journal = open(dir.path(), bounds);
    let closed = GATE.lock().unwrap();
    let receipts: Vec<_> = (0..3).map(|_| journal.try_append(text("x")).unwrap()).collect();
    assert_eq!(journal.try_append(text("x")).unwrap_err(), AppendError::Full);
    drop(closed);
    assert!(receipts.into_iter().all(|receipt| receipt.wait().is_ok()));
    let closed = GATE.lock().unwrap();
    let most = journal.try_append(text(&"x".repeat(99))).unwrap();
    assert_eq!(journal.try_append(text("xx")).unwrap_err(), AppendError::Full);
    let rest = journal.try_append(text("x")).unwrap();
    drop(closed);
    assert_eq!((most.wait().unwrap().sequence, rest.wait().unwrap().sequence), (4, 5));
    assert_eq!(journal.try_append(text(&"x".repeat(101))).unwrap_err(), AppendError::TooLarge(101));
    assert!(AppendError::Full.is_retryable() && !AppendError::TooLarge(101).is_retryable());
}

#[test]
fn entries_that_wait_together_are_synced_together() {
    static GATE: Mutex<()> = Mutex::new(());
    fn clock() -> Nanos {
        let _open = GATE.lock().unwrap();
        Nanos(1)
    }
    let dir = TempDir::new().unwrap();
    let journal = open(dir.path(), Options { clock, batch_bytes: 10, ..options() });
    let closed = GATE.lock().unwrap();
    let receipts: Vec<_> = (0..7).map(|_| journal.try_append(text("four")).unwrap()).collect();
    drop(closed);
    let last = receipts.into_iter().map(|receipt| receipt.wait().unwrap().sequence).max();
    let batches = journal.stats().batch_frames;
    // The first batch holds what came before the writer woke up; no batch exceeds ten bytes.
    assert_eq!((last, batches.max()), (Some(7), 2));
    assert!(batches.len() <= 5);
}

#[test]
fn a_body_larger_than_a_batch_is_a_batch_of_its_own() {
    let dir = TempDir::new().unwrap();
    let journal = open(dir.path(), Options { batch_bytes: 10, ..options() });
    append(&journal, text(&"x".repeat(1_000)));
    drop(journal);
    assert_eq!(bodies(dir.path())[0].len(), 1_000);
}

#[test]
fn the_clock_never_goes_back_not_even_over_a_restart() {
    static WALL: AtomicU64 = AtomicU64::new(100);
    fn clock() -> Nanos {
        Nanos(WALL.load(Ordering::SeqCst))
    }
    let dir = TempDir::new().unwrap();
    let options = Options { clock, ..options() };
    let mut journal = open(dir.path(), options.clone());
    for wall in [100, 170, 90, 150, 200] {
        WALL.store(wall, Ordering::SeqCst);
        append(&journal, Entry::tick());
    }
    let stats = journal.stats();
    assert_eq!((stats.clamped, stats.clamped_max), (2, Span(80)));
    drop(journal);
    WALL.store(50, Ordering::SeqCst);
    let (reopened, recovery) = Journal::open(dir.path(), options).unwrap();
    assert_eq!(recovery.last_now, Nanos(200));
    journal = reopened;
    append(&journal, Entry::restart());
    drop(journal);
    let stamps: Vec<_> = frames(dir.path(), 0).iter().map(|frame| (frame.now.0, frame.clamped.0)).collect();
    assert_eq!(stamps, [(100, 0), (170, 0), (170, 80), (170, 20), (200, 0), (200, 150)]);
}

/// An hour ahead and set right: what is due in a minute is due in a minute, not in an hour.
#[test]
fn the_clock_goes_on_while_the_wall_is_behind() {
    static WALL: AtomicU64 = AtomicU64::new(1_000);
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let dir = TempDir::new().unwrap();
    let clock = || Nanos(WALL.load(Ordering::SeqCst));
    let monotonic = || Span(PASSED.load(Ordering::SeqCst));
    let options = Options { clock, monotonic, ..options() };
    let journal = open(dir.path(), options.clone());
    let at = |wall, passed| {
        WALL.store(wall, Ordering::SeqCst);
        PASSED.store(passed, Ordering::SeqCst);
    };
    append(&journal, Entry::tick());
    for (wall, passed) in [(200, 10), (220, 30), (220, 30)] {
        at(wall, passed);
        append(&journal, Entry::tick());
    }
    at(225, 35);
    assert_eq!((journal.clock(), journal.stats().ahead), (Nanos(1_035), Span(810)));
    drop(journal);
    // Another process, whose clock begins anew and whose wall is right.
    at(300, 5);
    let journal = open(dir.path(), options);
    at(310, 15);
    append(&journal, Entry::restart());
    at(2_000, 20);
    append(&journal, Entry::tick());
    assert_eq!(journal.stats().ahead, Span(0), "the wall has come up");
    drop(journal);
    let stamps: Vec<_> = frames(dir.path(), 0).iter().map(|frame| (frame.now.0, frame.clamped.0)).collect();
    assert_eq!(stamps, [(1_000, 0), (1_010, 810), (1_030, 810), (1_030, 810), (1_040, 730), (2_000, 0)]);
}

#[test]
fn only_one_process_writes_a_journal() {
    let dir = TempDir::new().unwrap();
    let journal = open(dir.path(), options());
    let error = Journal::open(dir.path(), options()).unwrap_err();
    assert!(matches!(&error, JournalError::Locked(path) if path == dir.path()));
    assert_eq!(error.to_string(), format!("journal `{}` is in use by another process", dir.path().display()));
    drop(journal);
    open(dir.path(), options());
}

#[test]
fn nobody_waits_for_a_writer_that_died() {
    static WALL: AtomicU64 = AtomicU64::new(1);
    fn clock() -> Nanos {
        Nanos(WALL.load(Ordering::SeqCst).checked_sub(1).expect("the planned death of the writer"))
    }
    let dir = TempDir::new().unwrap();
    let journal = open(dir.path(), Options { clock, ..options() });
    append(&journal, text("before"));
    WALL.store(0, Ordering::SeqCst);
    let answers: Vec<_> = (0..50).map(|_| journal.try_append(text("x")).and_then(|receipt| receipt.wait())).collect();
    assert!(answers.iter().all(|answer| *answer == Err(AppendError::Poisoned)));
    drop(journal);
    assert_eq!(bodies(dir.path()), ["before"]);
}

#[test]
fn closing_writes_what_is_queued() {
    let dir = TempDir::new().unwrap();
    let journal = open(dir.path(), options());
    let mut follower = journal.subscribe(0, 0);
    let receipts: Vec<_> = (0..100).map(|n| journal.try_append(text(&n.to_string())).unwrap()).collect();
    journal.close();
    assert_eq!(take(&mut follower, 100).len(), 100);
    assert!(follower.is_closed());
    assert!(receipts.into_iter().all(|receipt| receipt.wait().is_ok()));
}

#[test]
fn a_new_journal_and_an_old_one_say_where_they_stand() {
    let dir = TempDir::new().unwrap();
    let inner = dir.path().join("data/journal");
    let (journal, recovery) = Journal::open(&inner, options()).unwrap();
    assert_eq!((recovery.first_sequence, recovery.last_sequence, recovery.last_now), (1, 0, Nanos(0)));
    assert!(journal.stats().oldest.is_none());
    let last = journal.try_append(text("one")).unwrap().wait().unwrap();
    assert!(journal.stats().oldest.is_some_and(|oldest| oldest <= last.now));
    let head = journal.verify().unwrap().head;
    drop(journal);
    let (journal, recovery) = Journal::open(&inner, options()).unwrap();
    assert_eq!((recovery.frames, recovery.bytes_cut), (1, 0));
    assert_eq!((recovery.last_sequence, recovery.last_now, recovery.head), (1, last.now, head));
    assert_eq!(journal.synced(), 1);
}

/// The follower reads while the writer writes, sometimes from memory, sometimes from the files.
#[test]
fn a_follower_sees_every_frame_once_and_in_order_however_slow_it_is() {
    for capacity in [0, 300, 3_000, usize::MAX] {
        let dir = TempDir::new().unwrap();
        let journal = open(dir.path(), Options { segment_bytes: 10_000, ..options() });
        let mut follower = journal.subscribe(0, capacity);
        let mut late = journal.subscribe(0, capacity);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..300_u64 {
                    let receipt = journal.try_append(text(&n.to_string())).unwrap();
                    if n % 7 == 0 {
                        receipt.wait().unwrap();
                    }
                    if n % 50 == 0 {
                        journal.compress_sealed().unwrap();
                    }
                }
            });
            for n in 0..300 {
                let frame = follower.next(SOON).unwrap().expect("the frame comes");
                assert_eq!((frame.sequence, &frame.body[..]), (n + 1, n.to_string().as_bytes()));
                if n % 40 == 0 {
                    std::thread::yield_now();
                }
            }
        });
        assert_eq!(take(&mut late, 300).len(), 300);
        assert_eq!(take(&mut journal.subscribe(250, capacity), 50)[0].sequence, 251);
        append(&journal, text("more"));
        assert_eq!(take(&mut follower, 1)[0].sequence, 301);
        assert_eq!(late.next_sequence(), 301);
    }
}

#[test]
fn a_live_reader_ends_at_the_last_synced_frame_and_goes_on_from_there() {
    let dir = TempDir::new().unwrap();
    let journal = open(dir.path(), tiny_segments());
    append(&journal, text("one"));
    let mut reader = journal.reader(0).unwrap();
    assert_eq!(reader.by_ref().map(|frame| frame.unwrap().sequence).collect::<Vec<_>>(), [1]);
    append(&journal, text("two"));
    append(&journal, text("three"));
    assert_eq!(reader.by_ref().map(|frame| frame.unwrap().sequence).collect::<Vec<_>>(), [2, 3]);
    assert!(reader.next().is_none());
}

/// The hours of this clock are set by hand.
static HOUR: AtomicU64 = AtomicU64::new(1);

fn hours() -> Nanos {
    Nanos(0) + Span::hours(HOUR.load(Ordering::SeqCst))
}

#[test]
fn retention_removes_whole_old_segments_that_were_applied_and_the_chain_still_verifies() {
    let dir = TempDir::new().unwrap();
    let journal = open(dir.path(), Options { clock: hours, ..tiny_segments() });
    for hour in 1..=10 {
        HOUR.store(hour, Ordering::SeqCst);
        append(&journal, text("x"));
    }
    let before = journal.verify().unwrap();
    let kept = |journal: &Journal| journal.verify().unwrap().first_sequence;
    // Hour 10: frames 1 to 5 are older than four hours and a half.
    let retention = Span::minutes(4 * 60 + 30);
    assert_eq!(journal.retire(3, retention).unwrap().segments, 3);
    assert_eq!(kept(&journal), 4);
    assert_eq!(journal.retire(10, retention).unwrap().segments, 2);
    assert_eq!(journal.retire(10, retention).unwrap().segments, 0);
    assert_eq!(kept(&journal), 6);
    assert_eq!(journal.stats().oldest, Some(Nanos(0) + Span::hours(6)));
    HOUR.store(1_000, Ordering::SeqCst);
    assert_eq!(journal.retire(10, retention).unwrap().segments, 4, "the live one stays");
    let after = journal.verify().unwrap();
    assert_eq!((after.head, after.frames, after.first_sequence), (before.head, 1, 10));
    assert_ne!(after.head_before, before.head_before);
    drop(journal);
    let (journal, recovery) = Journal::open(dir.path(), options()).unwrap();
    assert_eq!((recovery.first_sequence, recovery.last_sequence, recovery.head), (10, 10, before.head));
    let gone = journal.reader(3).unwrap_err();
    assert!(matches!(gone, JournalError::Broken(broken) if (broken.sequence, broken.fault) == (4, Fault::Missing)));
}

#[test]
fn a_quiet_segment_is_sealed_by_age() {
    static WALL: AtomicU64 = AtomicU64::new(0);
    fn clock() -> Nanos {
        Nanos(WALL.load(Ordering::SeqCst))
    }
    let dir = TempDir::new().unwrap();
    let journal = open(dir.path(), Options { clock, segment_age: Span(50), ..options() });
    for wall in [0, 40, 49, 50, 99, 100] {
        WALL.store(wall, Ordering::SeqCst);
        append(&journal, text("x"));
    }
    assert_eq!(journal.stats().segments, 3);
}

#[test]
fn compressing_changes_the_bytes_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let journal = open(dir.path(), Options { segment_bytes: 20_000, ..options() });
    for n in 0..20 {
        append(&journal, text(&format!("{n}:{}", "again and ".repeat(300))));
        append(&journal, text("short"));
    }
    let (frames_before, before) = (frames(dir.path(), 0), journal.verify().unwrap());
    let (reading, mut reader) = (20, journal.reader(0).unwrap());
    let first_half: Vec<_> = reader.by_ref().take(reading).map(Result::unwrap).collect();
    let rewritten = journal.compress_sealed().unwrap();
    assert_eq!(rewritten.segments, before.segments - 1);
    assert!(rewritten.bytes_after < rewritten.bytes_before / 4);
    assert_eq!(journal.verify().unwrap(), before);
    assert_eq!(frames(dir.path(), 0), frames_before);
    let second_half: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!([first_half, second_half].concat(), frames_before);
    assert_eq!(journal.compress_sealed().unwrap().segments, 0, "once is enough");
    assert_eq!(journal.stats().disk_bytes, bytes_in(dir.path()));
}

#[test]
fn compressing_can_be_switched_off() {
    let dir = TempDir::new().unwrap();
    let journal = open(dir.path(), Options { compress: false, ..tiny_segments() });
    append(&journal, text("x"));
    append(&journal, text("x"));
    assert_eq!(journal.compress_sealed().unwrap().segments, 0);
}

#[test]
fn a_forgotten_body_is_gone_from_the_disk_and_the_chain_still_verifies() {
    let dir = TempDir::new().unwrap();
    let journal = open(dir.path(), Options { segment_bytes: 600, ..options() });
    for n in 0..10 {
        append(&journal, text(&format!("secret {n}")));
    }
    let before = journal.verify().unwrap();
    let live = journal.stats().synced;
    let rewritten = journal.forget(&BTreeSet::from([2, 3, live])).unwrap();
    assert_eq!(rewritten.forgotten, 2, "the segment being written is left alone");
    let after = journal.verify().unwrap();
    assert_eq!((after.head, after.frames, after.forgotten), (before.head, before.frames, 2));
    journal.compress_sealed().unwrap();
    assert_eq!(journal.forget(&BTreeSet::from([2])).unwrap().forgotten, 0, "once is enough");
    assert_eq!(journal.verify().unwrap().forgotten, 2);
    let frames = frames(dir.path(), 0);
    let forgotten: Vec<_> = frames.iter().filter(|frame| frame.forgotten).collect();
    assert!(forgotten.iter().map(|frame| (frame.sequence, frame.body.len())).eq([(2, 0), (3, 0)]));
    assert_eq!((forgotten[0].tenant.as_str(), forgotten[0].accepted), ("acme", 1));
    let bytes: Vec<u8> = segments(dir.path()).iter().flat_map(|path| std::fs::read(path).unwrap()).collect();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert_eq!([holds("secret 0"), holds("secret 1"), holds("secret 2")], [true, false, false]);
}

/// The segments of a journal, oldest first.
fn segments(dir: &Path) -> Vec<std::path::PathBuf> {
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|extension| extension == "wfj")).collect();
    paths.sort();
    paths
}

fn bytes_in(dir: &Path) -> u64 {
    segments(dir).iter().map(|path| path.metadata().unwrap().len()).sum()
}

#[test]
fn a_directory_without_a_journal_cannot_be_verified_or_read() {
    let dir = TempDir::new().unwrap();
    for error in [verify(dir.path()).unwrap_err(), Reader::open(dir.path(), 0).unwrap_err()] {
        assert!(matches!(error, JournalError::Broken(broken) if broken.fault == Fault::Missing));
    }
    let error = verify(&dir.path().join("nowhere")).unwrap_err().to_string();
    assert!(error.starts_with("cannot list `"), "{error}");
}

/// `tests/it/journal_v1` was written by the first version of the format: three sealed segments, the first one
/// compressed, a body of the second one forgotten, and one that was being written when the process stopped.
#[test]
fn the_first_version_of_the_format_stays_readable() {
    let dir = TempDir::new().unwrap();
    for path in segments(Path::new("tests/it/journal_v1")) {
        std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    let verified = verify(dir.path()).unwrap();
    assert_eq!((verified.segments, verified.frames, verified.forgotten), (4, 8, 1));
    assert_eq!(verified.head.to_string(), "88f94fa4052ac9413da38fbf34ca3a0d8013f354f60e6673a69f3674f34479db");
    let (journal, recovery) = Journal::open(dir.path(), options()).unwrap();
    assert_eq!((recovery.last_sequence, recovery.head, recovery.bytes_cut), (8, verified.head, 30));
    append(&journal, Entry::restart());
    journal.verify().unwrap();
    let frames = frames(dir.path(), 0);
    let kinds = frames.iter().map(|frame| frame.kind);
    use Kind::{Config, Logs, Restart, Tick, Traces};
    assert!(kinds.eq([Config, Restart, Traces, Logs, Traces, Tick, Logs, Tick, Restart]));
    assert_eq!((frames[2].role, frames[2].accepted, frames[2].now), (Role::Agent, 3, Nanos(1_800_000_000_000_000_003)));
    assert_eq!(frames[2].rejected, [Rejection { reason: "bad_id".to_owned(), count: 2 }]);
    assert_eq!((frames[3].tenant.as_str(), frames[3].clamped), ("acme", Span(0)));
    assert_eq!((frames[6].forgotten, frames[4].forgotten), (false, true));
    assert_eq!(frames[0].body, "objective: 0.99\n".repeat(20));
}
