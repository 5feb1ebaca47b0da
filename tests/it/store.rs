//! The store under the real engine: recordings are folded, committed, forgotten and loaded again.
//!
//! A run that keeps everything in memory is the oracle. The disturbed run commits at random frames, lets every turn
//! leave memory, restarts from disk, and loads what the engine wants; what it publishes must be the same rows, and
//! what the store finds under every alias must be the last of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use wherefore::engine::{Configuration, Engine, Input, Output};
use wherefore::model::{Action, ActionId, Evidence, Nanos, Role, Span, Tenant};
use wherefore::pipeline::evidence_of;
use wherefore::store::{ActionFilter, Opened, Published, Reader, Store};

use crate::support::recordings::{Recording, read_recordings, recordings};

fn evidence(recording: &Recording) -> Vec<Evidence> {
    let read = |(signal, body)| evidence_of(&Tenant::default(), Role::Unspecified, signal, &body);
    let mut evidence: Vec<Evidence> = recording.requests().into_iter().flat_map(read).collect();
    evidence.sort_by_key(|record| record.end);
    evidence
}

/// A small generator: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What every frame published.
type Story = Vec<Output>;

fn in_memory(evidence: &[Evidence]) -> Story {
    let mut engine = Engine::new(Configuration::default());
    let mut story: Story =
        evidence.iter().map(|record| engine.step(record.end, Input::Evidence(std::slice::from_ref(record)))).collect();
    while let Some(due) = engine.next_due() {
        story.push(engine.step(due, Input::Tick));
    }
    story
}

/// An engine whose past is on disk.
struct Kept {
    engine: Engine,
    store: Store,
    story: Story,
    committed: usize,
}

impl Kept {
    fn open(dir: &Path, story: Story) -> Self {
        let Opened { store, checkpoint, dues, ledger, incidents, notes, configurations, lost } =
            Store::open(dir).expect("the store opens");
        assert!(lost.is_empty() && configurations.is_empty());
        let engine = match checkpoint {
            None => Engine::new(Configuration::default()),
            Some((_, small)) => {
                let configuration = Configuration::default();
                Engine::restore(small, vec![(configuration.digest(), configuration)], dues, ledger, incidents, notes)
            }
        };
        let committed = usize::try_from(store.applied()).expect("few frames");
        Self { engine, store, story, committed }
    }

    fn step(&mut self, now: Nanos, input: Input<'_>) {
        let evidence: &[Evidence] = match &input {
            Input::Evidence(evidence) => evidence,
            _ => &[],
        };
        // A row that comes may want another, see `pipeline`.
        let mut asked = BTreeSet::new();
        loop {
            let wants = self.engine.wants(now, evidence);
            if wants.is_subset(&asked) {
                break;
            }
            self.engine.load(self.store.load(&wants).expect("loaded"));
            asked.extend(wants);
        }
        let output = self.engine.step(now, input);
        self.story.push(output);
    }

    /// Position n is the n-th output of the story.
    fn commit(&mut self) {
        let outputs = self.story.drain(self.committed..);
        let published: Vec<Published> = (self.committed as u64 + 1..)
            .zip(outputs)
            .map(|(position, output)| Published { position, output })
            .collect();
        let applied = (self.committed + published.len()) as u64;
        let changes = self.engine.checkpoint();
        self.store.commit(applied, &changes, &published, &[]).expect("committed");
        self.story.extend(published.into_iter().map(|it| it.output));
        self.committed = self.story.len();
    }

    fn restart(mut self, dir: &Path) -> Self {
        // Half of what was done is lost with the process, and done again.
        self.story.truncate(self.committed);
        let story = std::mem::take(&mut self.story);
        drop(self);
        Self::open(dir, story)
    }
}

fn on_disk(evidence: &[Evidence], dir: &Path, random: &mut Random) -> Story {
    let mut kept = Kept::open(dir, Vec::new());
    while kept.story.len() < evidence.len() {
        let record = &evidence[kept.story.len()];
        kept.step(record.end, Input::Evidence(std::slice::from_ref(record)));
        match random.below(12) {
            0 => kept = kept.restart(dir),
            1 | 2 => {
                kept.commit();
                kept.engine.evict(0);
            }
            3 => kept.commit(),
            _ => {}
        }
    }
    while let Some(due) = kept.engine.next_due() {
        kept.step(due, Input::Tick);
        if random.below(3) == 0 {
            kept.commit();
            kept.engine.evict(0);
        }
    }
    kept.commit();
    kept.story
}

#[test]
fn a_past_on_disk_publishes_what_a_past_in_memory_does() {
    for (index, recording) in recordings().iter().enumerate().step_by(4) {
        let evidence = evidence(recording);
        let want = in_memory(&evidence);
        let dir = tempfile::tempdir().expect("a folder");
        let got = on_disk(&evidence, dir.path(), &mut Random(index as u64 + 1));
        let name = recording.name();
        assert_eq!(got.len(), want.len(), "{name}: frames");
        for (position, (got, want)) in got.iter().zip(&want).enumerate() {
            assert_eq!(got.actions, want.actions, "{name}: actions of frame {position}");
            assert_eq!(got.turns, want.turns, "{name}: turns of frame {position}");
            assert_eq!(got, want, "{name}: frame {position}");
        }
        finds_all(&name, dir.path(), &want);
    }
}

/// Without a writer, every action is found by all its names, and every body by its digest.
fn finds_all(name: &str, dir: &Path, story: &Story) {
    let reader = Reader::open(dir).expect("readable");
    let mut latest: BTreeMap<ActionId, &Action> = BTreeMap::new();
    latest.extend(story.iter().flat_map(|output| &output.actions).map(|action| (action.id, action)));
    let living: Vec<&Action> = latest.into_values().filter(|action| action.merged_into.is_none()).collect();
    for action in &living {
        let names = action.keys.iter().map(ToString::to_string).chain([action.id.to_string(), action.turn.to_string()]);
        for alias in names {
            let found = reader.lookup(&alias).expect("looked");
            assert!(found.contains(action), "{name}: `{alias}` does not find its action");
        }
    }
    let page = reader.actions(&ActionFilter::default(), 1_000, None, &BTreeSet::new()).expect("a list");
    let listed: BTreeSet<ActionId> = page.items.iter().map(|action| action.id).collect();
    assert_eq!(listed, living.iter().map(|action| action.id).collect(), "{name}: the list");
    for body in story.iter().flat_map(|output| &output.bodies) {
        let found = reader.body(&body.digest).expect("looked");
        assert_eq!(found.as_deref(), Some(&body.bytes[..]), "{name}: a body");
    }
    for turn in story.iter().flat_map(|output| &output.turns) {
        let found = reader.turn(turn.id).expect("looked").expect("there");
        assert!(found.revision >= turn.revision, "{name}: a turn");
    }
}

#[test]
fn two_processes_do_not_write_to_one_store() {
    let dir = tempfile::tempdir().expect("a folder");
    let first = Store::open(dir.path()).expect("the store opens").store;
    let refused = Store::open(dir.path()).expect_err("it is taken").to_string();
    assert_eq!(refused, format!("cannot open the store in `{}`: another process writes to it", dir.path().display()));
    drop(first);
    Store::open(dir.path()).expect("it is free again");
}

#[test]
fn an_open_ask_is_there_a_day_later_although_it_left_memory() {
    let recording = read_recordings().into_iter().find(|it| it.name().contains("03-approved")).expect("an approval");
    let evidence = evidence(&recording);
    let dir = tempfile::tempdir().expect("a folder");
    let mut kept = Kept::open(dir.path(), Vec::new());
    let mut now = Nanos(0);
    // The whole run waits for hours between its records, and every time nothing stays in memory.
    for (record, wait) in evidence.iter().zip(0_u64..) {
        now = Nanos(record.end.0) + Span::minutes(wait.min(60));
        kept.step(now, Input::Evidence(std::slice::from_ref(record)));
        kept.commit();
        kept.engine.evict(0);
        assert!(kept.engine.open().is_empty(), "everything has left");
    }
    while let Some(due) = kept.engine.next_due() {
        now = due;
        kept.step(due, Input::Tick);
        kept.commit();
        kept.engine.evict(0);
    }
    let reader = kept.store.reader().expect("a reader");
    let page = reader.actions(&ActionFilter::default(), 100, None, &BTreeSet::new()).expect("a list");
    assert!(!page.items.is_empty(), "by {now} something has settled");
    assert!(page.items.iter().all(|action| action.merged_into.is_none()));
}
