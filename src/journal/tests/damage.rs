//! Files after a crash, on a bad disk, or altered by hand.

use std::fs;
use std::ops::Range;

use proptest::prelude::*;
use tokio::sync::oneshot;

use super::*;
use crate::journal::frame::{Encoded, Marker, Raw};
use crate::journal::segment::{HEADER_LEN, Segment};

/// A journal of one segment.
#[derive(Debug)]
struct Written {
    bytes: Vec<u8>,
    bodies: Vec<String>,
    /// The offset after every frame; first of all that of the header.
    ends: Vec<usize>,
    /// Frames of every batch but the last: the disk was told to keep them before the last batch was written.
    synced: usize,
}

impl Written {
    /// Frames that are whole in the first bytes.
    fn whole(&self, len: usize) -> usize {
        self.ends.iter().skip(1).filter(|&&end| end <= len).count()
    }

    /// Where the last batch stands.
    fn last_batch(&self) -> Range<usize> {
        self.ends[self.synced]..self.bytes.len()
    }
}

/// Writes every batch with one sync, on this thread.
fn write(batches: &[Vec<String>]) -> Written {
    let dir = temp_dir();
    let recovered = recovery::recover(dir.path(), &options(), &Disk::default()).unwrap();
    let shared =
        Arc::new(Shared::new(dir.path(), options(), Disk::default(), recovered.catalogue, &recovered.recovery));
    let mut writer = Writer::new(shared, recovered.tail).unwrap();
    for batch in batches {
        let waiting = batch.iter().map(|body| queue::Waiting::new(entry(body), oneshot::channel().0).unwrap());
        let answers = writer.settle(waiting.collect());
        assert!(answers.iter().all(|(_, answer)| answer.is_ok()));
    }
    let segment = Segment::open(dir.path(), 1).unwrap();
    let mut ends = vec![HEADER_LEN];
    while let Some(raw) = segment.read(*ends.last().unwrap() as u64).unwrap() {
        ends.push(ends.last().unwrap() + raw.len as usize);
    }
    let synced = batches.split_last().map_or(0, |(_, before)| before.iter().map(Vec::len).sum());
    Written { bytes: fs::read(segment.path).unwrap(), bodies: batches.concat(), ends, synced }
}

fn three_batches() -> Written {
    let batch = |bodies: &[&str]| bodies.iter().map(|body| (*body).to_owned()).collect();
    write(&[batch(&["one"]), batch(&["two", "three"]), batch(&["four", "", "six"])])
}

/// A directory with one segment of these bytes.
fn journal_of(bytes: &[u8]) -> TempDir {
    let dir = temp_dir();
    fs::write(segment::path(dir.path(), 1), bytes).unwrap();
    dir
}

/// Opens, checks that exactly so many frames are there, and that the journal goes on from them.
fn recovers(bytes: &[u8], written: &Written, frames: usize) {
    let dir = journal_of(bytes);
    let (journal, recovery) = Journal::open(dir.path(), options()).unwrap();
    assert_eq!((recovery.last_sequence, recovery.frames), (frames as u64, frames as u64));
    assert_eq!(recovery.bytes_cut, (bytes.len() - written.ends[frames]) as u64);
    assert_eq!(bodies(dir.path()), written.bodies[..frames]);
    journal.try_append(entry("after")).unwrap().wait().unwrap();
    let verified = journal.verify().unwrap();
    assert_eq!((verified.frames, verified.bytes_unfinished), (frames as u64 + 1, 0));
}

/// Opening and verifying name this record, and opening leaves the file as it is.
fn refuses(bytes: &[u8], sequence: u64, fault: Fault) {
    let dir = journal_of(bytes);
    let opened = Journal::open(dir.path(), options()).map(drop);
    for error in [opened.unwrap_err(), verify(dir.path()).unwrap_err()] {
        let JournalError::Broken(broken) = error else { panic!("{error}") };
        assert_eq!((broken.sequence, broken.fault), (sequence, fault));
    }
    assert_eq!(fs::read(segment::path(dir.path(), 1)).unwrap(), bytes);
}

#[test]
fn a_journal_cut_at_any_byte_opens_with_the_frames_that_are_whole() {
    let written = three_batches();
    for len in HEADER_LEN..=written.bytes.len() {
        recovers(&written.bytes[..len], &written, written.whole(len));
    }
}

#[test]
fn a_segment_cut_inside_its_header_is_not_opened() {
    // It got its name only when its header was synced, so no crash does this.
    let written = three_batches();
    for len in [0, 1, HEADER_LEN - 1] {
        refuses(&written.bytes[..len], 1, Fault::SegmentHeader);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A crash before the last sync may lose any part of the last batch, not only its end.
    #[test]
    fn a_crash_costs_at_most_the_batch_that_was_not_acknowledged(
        batches in prop::collection::vec(prop::collection::vec("[a-z]{0,400}", 1..5), 1..5),
        cut in any::<prop::sample::Index>(),
        holes in prop::collection::vec((any::<prop::sample::Index>(), 1..500_usize), 0..4),
    ) {
        let written = write(&batches);
        let mut bytes = written.bytes.clone();
        let last = written.last_batch();
        let mut damaged = last.start + cut.index(last.len() + 1);
        bytes.truncate(damaged);
        for (at, len) in holes {
            let from = last.start + at.index(last.len());
            let hole = from.min(bytes.len())..(from + len).min(bytes.len());
            bytes[hole.clone()].fill(0);
            if let Some(changed) = hole.clone().find(|&at| bytes[at] != written.bytes[at]) {
                damaged = damaged.min(changed);
            }
        }
        let frames = written.whole(damaged);
        prop_assert!(frames >= written.synced);
        recovers(&bytes, &written, frames);
    }
}

#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    let written = three_batches();
    for at in 0..written.bytes.len() {
        let mut bytes = written.bytes.clone();
        bytes[at] ^= 1 << (at % 8);
        let dir = journal_of(&bytes);
        let JournalError::Broken(broken) = verify(dir.path()).unwrap_err() else { panic!("at {at}") };
        assert_eq!(broken.sequence, written.whole(at) as u64 + 1, "at {at}: {broken}");
        assert_eq!(broken.segment, segment::path(dir.path(), 1));
    }
}

#[test]
fn damage_to_what_was_synced_is_named_and_not_cut() {
    let written = three_batches();
    for at in HEADER_LEN..written.last_batch().start {
        let mut bytes = written.bytes.clone();
        bytes[at] ^= 0x10;
        let dir = journal_of(&bytes);
        let error = Journal::open(dir.path(), options()).unwrap_err();
        let JournalError::Broken(broken) = error else { panic!("at {at}: {error}") };
        assert_eq!(broken.sequence, written.whole(at) as u64 + 1, "at {at}");
        assert_eq!(fs::read(segment::path(dir.path(), 1)).unwrap(), bytes);
    }
}

/// Writes the journal again with one frame changed and every checksum right: what a hand would do.
fn forge(written: &Written, sequence: usize, change: impl Fn(&mut Raw, &Marker)) -> Vec<u8> {
    let dir = journal_of(&written.bytes);
    let segment = Segment::open(dir.path(), 1).unwrap();
    let mut bytes = written.bytes[..HEADER_LEN].to_vec();
    for (index, &offset) in written.ends[..written.bodies.len()].iter().enumerate() {
        let mut raw = segment.read(offset as u64).unwrap().unwrap();
        if index + 1 == sequence {
            change(&mut raw, &segment.header.marker);
        }
        push(&mut bytes, &raw.encode(&segment.header.marker));
    }
    bytes
}

fn push(bytes: &mut Vec<u8>, encoded: &Encoded) {
    encoded.slices().iter().for_each(|slice| bytes.extend_from_slice(slice));
}

#[test]
fn a_forged_frame_is_named_although_its_checksum_is_right() {
    type Change = fn(&mut Raw);
    let written = three_batches();
    let changes: [(Change, Fault); 9] = [
        (|raw| raw.stored = Bytes::from_static(b"twx"), Fault::Commitment),
        (|raw| raw.stored = Bytes::from_static(b"longer"), Fault::Body),
        (|raw| raw.header.salt = Bytes::from_static(&[7; 16]), Fault::Commitment),
        (|raw| raw.header.salt = Bytes::new(), Fault::Commitment),
        (|raw| raw.header.commitment = Bytes::from_static(&[7; 32]), Fault::Head),
        (|raw| raw.header.commitment = Bytes::from_static(&[7; 31]), Fault::Header),
        (|raw| raw.header.head = Bytes::new(), Fault::Head),
        (|raw| raw.header.compression = 1, Fault::Body),
        (|raw| raw.header.compression = 99, Fault::Header),
    ];
    for (change, fault) in changes {
        refuses(&forge(&written, 2, |raw, _| change(raw)), 2, fault);
    }
    let renamed = |raw: &mut Raw, _: &Marker| {
        raw.facts.tenant = "other".to_owned();
        raw.header.facts = prost::Message::encode_to_vec(&raw.facts).into();
    };
    refuses(&forge(&written, 6, renamed), 6, Fault::Head);
}

#[test]
fn a_last_frame_that_only_a_later_version_can_read_is_not_cut() {
    let written = three_batches();
    let unreadable = |raw: &mut Raw, _: &Marker| raw.header.facts = Bytes::from_static(&[0xff]);
    refuses(&forge(&written, 6, unreadable), 6, Fault::Header);
}

#[test]
fn a_forgotten_frame_keeps_its_commitment_and_nothing_to_guess_the_body_by() {
    let dir = sealed();
    let read = || Segment::open(dir.path(), 2).unwrap().read(HEADER_LEN as u64).unwrap().unwrap();
    let before = read();
    let journal = Journal::open(dir.path(), options()).unwrap().0;
    journal.forget(&[2].into()).unwrap();
    let after = read();
    assert_eq!((&after.facts, &after.header.commitment), (&before.facts, &before.header.commitment));
    assert!(after.stored.is_empty() && after.header.salt.is_empty());
    assert_ne!(before.header.commitment[..], chain::commitment(&[], &chain::body_hash(b"2")).0);
}

#[test]
fn a_missing_or_repeated_frame_is_named() {
    let written = three_batches();
    let frame = |sequence: usize| &written.bytes[written.ends[sequence - 1]..written.ends[sequence]];
    let header = &written.bytes[..HEADER_LEN];
    refuses(&[header, frame(1), frame(3), frame(4)].concat(), 2, Fault::Sequence(3));
    refuses(&[header, frame(1), frame(1), frame(2)].concat(), 2, Fault::Sequence(1));
}

#[test]
fn a_body_that_quotes_a_frame_of_another_journal_is_not_taken_for_one() {
    // The quoted frame says that everything before it was synced.
    let other = three_batches();
    let quoted = other.bytes[other.ends[5]..].to_vec();
    let dir = temp_dir();
    let journal = Journal::open(dir.path(), options()).unwrap().0;
    let quote = Entry { body: quoted.into(), ..entry("") };
    journal.try_append(entry("before")).unwrap().wait().unwrap();
    journal.try_append(quote).unwrap().wait().unwrap();
    drop(journal);
    let path = segment::path(dir.path(), 1);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let (_, recovery) = Journal::open(dir.path(), options()).unwrap();
    assert_eq!(recovery.last_sequence, 1);
}

#[test]
fn the_remains_of_another_file_behind_the_end_are_not_frames() {
    let (written, other) = (three_batches(), three_batches());
    let next = &other.bytes[other.ends[3]..other.ends[4]];
    let bytes = [&written.bytes[..written.ends[3]], next].concat();
    recovers(&bytes, &written, 3);
}

/// A journal of five sealed segments with a frame each, and one that is being written.
fn sealed() -> TempDir {
    let dir = temp_dir();
    let journal = Journal::open(dir.path(), Options { segment_bytes: 1, ..options() }).unwrap().0;
    for n in 1..=6 {
        journal.try_append(entry(&n.to_string())).unwrap().wait().unwrap();
    }
    dir
}

/// What verifying, reading, and opening for writing say about a damaged sealed segment.
fn sealed_is_broken(dir: &Path, sequence: u64) {
    let read = Reader::open(dir, 0).unwrap().find_map(Result::err);
    for error in [verify(dir).unwrap_err(), read.expect("the reader notices")] {
        let JournalError::Broken(broken) = error else { panic!("{error}") };
        assert_eq!(broken.sequence, sequence, "{broken}");
    }
}

#[test]
fn a_damaged_sealed_segment_is_named_and_not_skipped() {
    let damages: [fn(&Path); 5] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::write(path, &fs::read(path).unwrap()[..HEADER_LEN]).unwrap(),
        |path| fs::write(path, &fs::read(path).unwrap()[..HEADER_LEN + 50]).unwrap(),
        |path| fs::write(path, fs::read(path).unwrap().repeat(2)).unwrap(),
        |path| fs::copy(segment::path(path.parent().unwrap(), 4), path).map(drop).unwrap(),
    ];
    for (index, damage) in damages.into_iter().enumerate() {
        let dir = sealed();
        damage(&segment::path(dir.path(), 3));
        sealed_is_broken(dir.path(), if index == 3 { 4 } else { 3 });
    }
}

#[test]
fn a_segment_exchanged_for_that_of_another_journal_is_named() {
    let (dir, other) = (sealed(), sealed());
    fs::copy(segment::path(other.path(), 3), segment::path(dir.path(), 3)).unwrap();
    let JournalError::Broken(broken) = verify(dir.path()).unwrap_err() else { panic!() };
    assert_eq!((broken.sequence, broken.fault), (3, Fault::SegmentHeader));
}

#[test]
fn what_a_crash_left_half_made_is_removed() {
    let dir = sealed();
    let aside = segment::path(dir.path(), 7).with_extension("new");
    fs::write(&aside, "half a header").unwrap();
    assert_eq!(verify(dir.path()).unwrap().frames, 6);
    let (_, recovery) = Journal::open(dir.path(), options()).unwrap();
    assert_eq!(recovery.last_sequence, 6);
    assert!(!aside.exists());
}

#[test]
fn a_crash_right_after_a_segment_was_begun_loses_nothing() {
    let dir = sealed();
    let before = verify(dir.path()).unwrap();
    let last = Segment::open(dir.path(), 6).unwrap();
    fs::write(&last.path, &fs::read(&last.path).unwrap()[..HEADER_LEN]).unwrap();
    let (journal, recovery) = Journal::open(dir.path(), options()).unwrap();
    assert_eq!((recovery.last_sequence, recovery.frames, recovery.head), (5, 0, last.header.before.head));
    assert_ne!(recovery.head, before.head);
    assert_eq!(journal.try_append(entry("again")).unwrap().wait().unwrap().sequence, 6);
    journal.verify().unwrap();
}

#[test]
fn a_frame_that_is_being_written_does_not_break_verifying_or_reading() {
    let written = three_batches();
    for len in written.ends[5] + 1..written.bytes.len() {
        let dir = journal_of(&written.bytes[..len]);
        let verified = verify(dir.path()).unwrap();
        assert_eq!((verified.frames, verified.bytes_unfinished), (5, (len - written.ends[5]) as u64));
        assert_eq!(bodies(dir.path()).len(), 5);
    }
}

#[test]
fn a_segment_of_a_later_version_is_refused_by_its_number() {
    let mut bytes = three_batches().bytes;
    bytes[8] = 2;
    let crc = crc32c::crc32c(&bytes[..HEADER_LEN - 4]).to_le_bytes();
    bytes[HEADER_LEN - 4..HEADER_LEN].copy_from_slice(&crc);
    refuses(&bytes, 1, Fault::Version(2));
}
