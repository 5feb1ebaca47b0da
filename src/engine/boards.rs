//! The boards on which actions leave notes for each other, over turns and agents. All of them are in memory, because
//! any action may read any; a checkpoint writes what changed. See `judge::around` for what they are for.
//!
//! A note is left when its action is published, and left anew when the action is read again. Whoever reads something
//! else than before is told, so that it is read again. An action whose slice of the ledger has closed leaves nothing:
//! what comes after the horizon moves nobody's numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::judge::{Board, Note, Pin, Place, Topic};
use crate::lineage::Handle;
use crate::model::{Nanos, Span, Tenant};

/// A board: whose, and what it is about.
pub type BoardKey = (Tenant, Topic);

/// How long a note stays after its place in time: the horizon, and the longest look back from it.
const KEPT: Span = Span::hours(72);
/// Boards in memory. With ten notes each they are some 20 MB.
const BOARDS: usize = 20_000;
/// How far back from a decision an approver's load is looked at.
const DAY: Span = Span::hours(24);

/// Every board.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Boards {
    all: BTreeMap<BoardKey, Board>,
    changed: BTreeSet<(BoardKey, Place)>,
    dropped: Vec<Tenant>,
}

impl Boards {
    /// Puts notes back that a checkpoint kept.
    pub fn restore(notes: impl IntoIterator<Item = (BoardKey, Place, Pin)>) -> Self {
        let mut boards = Self::default();
        for (key, place, pin) in notes {
            boards.all.entry(key).or_default().0.insert(place, pin);
        }
        boards
    }

    /// A board, if anybody left something on it.
    pub fn get(&self, key: &BoardKey) -> Option<&Board> {
        self.all.get(key)
    }

    /// Leaves a note, or changes one. Gives those who read something else now.
    pub fn leave(&mut self, key: &BoardKey, place: Place, handle: Handle, note: Note, heard: Nanos) -> Vec<Handle> {
        if self.all.len() >= BOARDS && !self.all.contains_key(key) {
            self.make_room();
        }
        let board = self.all.entry(key.clone()).or_default();
        let before = board.0.get(&place);
        if before.is_some_and(|before| before.note == note && before.handle == handle) {
            return Vec::new();
        }
        let own_heard = before.map_or(Nanos(0), |before| before.heard);
        let told = affected(board, place, before.map(|pin| &pin.note).into_iter().chain([&note]));
        board.0.insert(place, Pin { note, handle, heard: own_heard });
        while board.0.len() > Board::NOTES {
            let Some((first, _)) = board.0.pop_first() else { break };
            self.changed.insert((key.clone(), first));
            self.dropped.push(key.0.clone());
        }
        self.changed.insert((key.clone(), place));
        self.tell(key, told, heard)
    }

    /// Takes a note away. Gives those who read something else now.
    pub fn take(&mut self, key: &BoardKey, place: Place, heard: Nanos) -> Vec<Handle> {
        let Some(board) = self.all.get_mut(key) else { return Vec::new() };
        let Some(gone) = board.0.remove(&place) else { return Vec::new() };
        let told = affected(board, place, [&gone.note]);
        if board.0.is_empty() {
            self.all.remove(key);
        }
        self.changed.insert((key.clone(), place));
        self.tell(key, told, heard)
    }

    /// When the last note came that changed what somebody reads at a place.
    pub fn heard(&self, key: &BoardKey, place: Place) -> Nanos {
        self.all.get(key).and_then(|board| board.0.get(&place)).map_or(Nanos(0), |pin| pin.heard)
    }

    fn tell(&mut self, key: &BoardKey, told: Vec<Place>, heard: Nanos) -> Vec<Handle> {
        let Some(board) = self.all.get_mut(key) else { return Vec::new() };
        let mut handles = Vec::new();
        for place in told {
            let Some(pin) = board.0.get_mut(&place) else { continue };
            pin.heard = pin.heard.max(heard);
            self.changed.insert((key.clone(), place));
            handles.push(pin.handle);
        }
        handles
    }

    /// Lets the boards go whose last note is the oldest.
    fn make_room(&mut self) {
        let last = |board: &Board| board.0.keys().next_back().copied();
        let oldest = self.all.iter().min_by_key(|(key, board)| (last(board), *key)).map(|(key, _)| key.clone());
        let Some(key) = oldest else { return };
        for place in self.all.remove(&key).into_iter().flat_map(|board| board.0.into_keys()) {
            self.dropped.push(key.0.clone());
            self.changed.insert((key.clone(), place));
        }
    }

    /// Forgets notes that nobody reads any more.
    pub fn tidy(&mut self, now: Nanos) {
        let before = (now - KEPT, crate::model::ActionId([0; 16]));
        for (key, board) in &mut self.all {
            let kept = board.0.split_off(&before);
            let gone = std::mem::replace(&mut board.0, kept);
            self.changed.extend(gone.into_keys().map(|place| (key.clone(), place)));
        }
        self.all.retain(|_, board| !board.0.is_empty());
    }

    /// Notes that left for want of room since it was last asked, by tenant.
    pub fn take_dropped(&mut self) -> Vec<Tenant> {
        std::mem::take(&mut self.dropped)
    }

    /// Counts these as changed again: they could not be written.
    pub fn changed_again(&mut self, changed: impl IntoIterator<Item = (BoardKey, Place)>) {
        self.changed.extend(changed);
    }

    /// What changed since it was last asked: the note, or `None` when it is gone.
    pub fn take_changed(&mut self) -> Vec<(BoardKey, Place, Option<Pin>)> {
        let changed = std::mem::take(&mut self.changed);
        let with_pin = |(key, place): (BoardKey, Place)| {
            let pin = self.all.get(&key).and_then(|board| board.0.get(&place)).cloned();
            (key, place, pin)
        };
        changed.into_iter().map(with_pin).collect()
    }
}

/// The others that read something else when one of these notes comes to a place, or leaves it.
fn affected<'n>(board: &Board, place: Place, notes: impl IntoIterator<Item = &'n Note>) -> Vec<Place> {
    let before = || board.0.range(..place);
    let after = || board.0.range((Bound::Excluded(place), Bound::Unbounded));
    let mut told: BTreeSet<Place> = BTreeSet::new();
    for note in notes {
        match note {
            // Whoever comes after counts one more or less.
            Note::Counted => told.extend(at(after().filter(|(_, pin)| pin.note == Note::Counted))),
            // A load is that of a day; a streak may be longer, and nobody is judged by its length.
            Note::Decided(_) => {
                let same_day = after().take_while(|(at, _)| at.0.since(place.0) < DAY);
                told.extend(at(same_day.filter(|(_, pin)| matches!(pin.note, Note::Decided(_)))));
            }
            Note::Read(_) => {
                let waits = |pin: &Pin| matches!(pin.note, Note::Waits(until) if place.0 <= until);
                told.extend(at(before().filter(|(_, pin)| waits(pin))));
            }
            Note::Waits(_) => {}
        }
    }
    told.into_iter().collect()
}

fn at<'b>(pins: impl Iterator<Item = (&'b Place, &'b Pin)>) -> impl Iterator<Item = Place> {
    pins.map(|(at, _)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Read;
    use crate::model::ActionId;
    use crate::model::sample;

    fn place(second: u64) -> Place {
        (sample::at(second), ActionId([second as u8; 16]))
    }

    fn key() -> BoardKey {
        (Tenant::default(), Topic::Later("rule".into()))
    }

    fn leave(boards: &mut Boards, second: u64, note: Note) -> Vec<Handle> {
        boards.leave(&key(), place(second), second, note, sample::at(second))
    }

    fn read() -> Note {
        Note::Read(Read { tool: "look".into(), parameters: None, output: None, target: None })
    }

    #[test]
    fn whoever_counts_after_a_late_call_is_told() {
        let mut boards = Boards::default();
        for second in [1, 3, 5] {
            assert!(leave(&mut boards, second, Note::Counted).is_empty());
        }
        assert_eq!(leave(&mut boards, 2, Note::Counted), [3, 5]);
        assert!(leave(&mut boards, 2, Note::Counted).is_empty(), "nothing new");
        assert_eq!(boards.take(&key(), place(1), sample::at(9)), [2, 3, 5]);
        assert_eq!(boards.heard(&key(), place(3)), sample::at(9));
    }

    #[test]
    fn a_read_is_told_to_those_who_wait_for_it() {
        let mut boards = Boards::default();
        leave(&mut boards, 1, Note::Waits(sample::at(4)));
        leave(&mut boards, 2, Note::Waits(sample::at(9)));
        leave(&mut boards, 8, Note::Waits(sample::at(20)));
        assert_eq!(leave(&mut boards, 7, read()), [2]);
        assert_eq!(boards.take(&key(), place(7), sample::at(9)), [2], "it is told again when it is gone");
    }

    #[test]
    fn old_notes_and_boards_over_the_budget_leave() {
        let mut boards = Boards::default();
        leave(&mut boards, 0, Note::Counted);
        leave(&mut boards, 1, Note::Counted);
        boards.tidy(sample::at(1) + KEPT);
        assert_eq!(boards.get(&key()).map(|board| board.0.len()), Some(1));
        boards.take_changed();
        for second in 2..Board::NOTES as u64 + 5 {
            leave(&mut boards, second, Note::Counted);
        }
        assert_eq!(boards.get(&key()).map(|board| board.0.len()), Some(Board::NOTES));
        assert_eq!(boards.take_dropped().len(), 4);
        let gone = boards.take_changed().into_iter().filter(|(.., pin)| pin.is_none()).count();
        assert_eq!(gone, 4, "the store deletes them");
    }

    #[test]
    fn what_is_restored_is_what_was_there() {
        let mut boards = Boards::default();
        leave(&mut boards, 1, Note::Waits(sample::at(9)));
        leave(&mut boards, 2, read());
        let changed = boards.take_changed().into_iter().filter_map(|(key, place, pin)| Some((key, place, pin?)));
        assert_eq!(Boards::restore(changed), boards);
    }
}
