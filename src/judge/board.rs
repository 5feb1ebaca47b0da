//! The boards on which actions leave notes for each other. The engine keeps them; here is what a board says to whoever
//! reads it at its own place.
//!
//! What is read is a function of the notes, whatever their order of arrival: places are times as sent.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::envelope::Limit;
use crate::model::{ActionId, ConversationId, Hash, Nanos, Provenance, Span, TurnId};

/// What a board is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Calls that a rule of this name limits, in one window.
    Limit(Arc<str>, Window),
    /// What somebody decided about calls of one effect (`unknown` when nobody knows it).
    Approver(Arc<str>, Arc<str>),
    /// What the invariant of this name looks at later.
    Later(Arc<str>),
}

/// In what a limit counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// One turn.
    Turn(TurnId),
    /// One conversation.
    Conversation(ConversationId),
    /// An agent's calls from this time on, for as long as the rule says; aligned to UTC.
    Slice(Arc<str>, Nanos),
}

/// What an action says on a board.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// It counts.
    Counted,
    /// Somebody decided about it.
    Decided(Decided),
    /// It waits for later reads until this time.
    Waits(Nanos),
    /// It is such a read.
    Read(Read),
}

/// A human's decision, as far as fatigue needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Decided {
    /// It was allowed.
    pub allowed: bool,
    /// Faster than it can have been read.
    pub rubber_stamp: bool,
    /// What lay before the human: tool and parameters.
    pub prompt: Hash,
}

/// A later read, as far as an invariant needs it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Read {
    /// The tool.
    pub tool: Arc<str>,
    /// Its parameters, when they are known whole.
    pub parameters: Option<Arc<str>>,
    /// What came back, when it is known whole.
    pub output: Option<Arc<str>>,
    /// What it was about.
    pub target: Option<(Arc<str>, Provenance)>,
}

/// A place on a board: a time as sent, and what the records name the action, to tell those of one time apart.
pub type Place = (Nanos, ActionId);

/// The notes of one topic, in the order of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Board(pub BTreeMap<Place, Pin>);

/// A note, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// What it says.
    pub note: Note,
    /// The engine's name of whoever left it.
    pub handle: u64,
    /// When the last note came that changed what it reads here, on the journal's clock.
    pub heard: Nanos,
}

impl Board {
    /// Notes that a board keeps; the earliest leave first. More of one topic inside the horizon is beyond what its
    /// rules can count.
    pub const NOTES: usize = Limit::MOST as usize;

    /// How many calls that count came before.
    pub fn before(&self, place: Place) -> u64 {
        let counted = self.0.range(..place).filter(|(_, pin)| pin.note == Note::Counted).count();
        u64::try_from(counted).unwrap_or(u64::MAX)
    }

    /// The reads that came after, until a time.
    pub fn after(&self, place: Place, until: Nanos) -> Vec<(Place, &Read)> {
        let later = self.0.range(place..).take_while(|((at, _), _)| *at <= until);
        let reads = later.filter_map(|(at, pin)| match &pin.note {
            Note::Read(read) => Some((*at, read)),
            Note::Counted | Note::Decided(_) | Note::Waits(_) => None,
        });
        reads.filter(|(at, _)| *at != place).collect()
    }

    /// What an approver had on the desk when this decision was made.
    pub fn load(&self, place: Place) -> Option<Load> {
        let (mut day, mut streak, mut alarmed) = (Day::default(), 0, None::<Nanos>);
        for ((at, id), pin) in self.0.range(..=place) {
            let Note::Decided(decided) = &pin.note else { continue };
            day.move_to(*at);
            let repeats = day.prompts.get(&decided.prompt).copied().unwrap_or(0);
            day.push(*at, *decided);
            streak = if decided.allowed { streak + 1 } else { 0 };
            let load = Load { repeats, streak, ..day.counts };
            let tips = load.is_fatigue() && alarmed.is_none_or(|last| at.since(last) >= DAY);
            if tips {
                alarmed = Some(*at);
            }
            if (*at, *id) == place {
                return Some(Load { tips, ..load });
            }
        }
        None
    }
}

/// The decisions of 24 hours and their counts, kept while the hours move on: counting them anew at every decision would
/// cost the square of a full board.
#[derive(Default)]
struct Day {
    decisions: VecDeque<(Nanos, Decided)>,
    /// Decisions, approvals and rubber stamps; the rest is not looked at.
    counts: Load,
    prompts: HashMap<Hash, u32>,
}

impl Day {
    fn push(&mut self, at: Nanos, decided: Decided) {
        self.decisions.push_back((at, decided));
        *self.prompts.entry(decided.prompt).or_default() += 1;
        self.count(decided, |count| count + 1);
    }

    /// Lets go of what is 24 hours back.
    fn move_to(&mut self, at: Nanos) {
        while let Some((_, gone)) = self.decisions.pop_front_if(|(first, _)| at.since(*first) >= DAY) {
            if let Some(count) = self.prompts.get_mut(&gone.prompt) {
                *count -= 1;
            }
            self.count(gone, |count| count - 1);
        }
    }

    fn count(&mut self, decided: Decided, step: impl Fn(u32) -> u32) {
        let counts = &mut self.counts;
        counts.decisions = step(counts.decisions);
        if decided.allowed {
            counts.approvals = step(counts.approvals);
        }
        if decided.allowed && decided.rubber_stamp {
            counts.rubber_stamps = step(counts.rubber_stamps);
        }
    }
}

/// How far back an approver's load is looked at.
const DAY: Span = Span::hours(24);

/// What one approver decided about one effect in the 24 hours up to a decision (`slo.md` §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Decisions.
    pub decisions: u32,
    /// Of them, those that allowed.
    pub approvals: u32,
    /// Of those, faster than they can have been read.
    pub rubber_stamps: u32,
    /// Earlier ones about the same tool and parameters.
    pub repeats: u32,
    /// Allowed in a row, this one too.
    pub streak: u32,
    /// It is the first of the day that looks like fatigue.
    pub tips: bool,
}

impl Load {
    /// Nearly everything is allowed, half of it unread, and there is enough of it: 93 % of two or three decisions are
    /// nobody's fatigue.
    fn is_fatigue(&self) -> bool {
        self.decisions >= 20 && self.approvals * 10 >= self.decisions * 9 && self.rubber_stamps * 2 >= self.approvals
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::sample::at;

    fn id(number: u8) -> ActionId {
        ActionId([number; 16])
    }

    fn board(notes: impl IntoIterator<Item = (Place, Note)>) -> Board {
        Board(notes.into_iter().map(|(at, note)| (at, Pin { note, handle: 0, heard: Nanos(0) })).collect())
    }

    fn decided(allowed: bool, rubber_stamp: bool, prompt: u8) -> Note {
        Note::Decided(Decided { allowed, rubber_stamp, prompt: Hash([prompt; 32]) })
    }

    #[test]
    fn a_limit_counts_what_came_before() {
        let notes = [(at(3), 3), (at(1), 1), (at(2), 2)];
        let board = board(notes.into_iter().map(|(at, n)| ((at, id(n)), Note::Counted)));
        assert_eq!([1, 2, 3].map(|n| board.before((at(n), id(n as u8)))), [0, 1, 2]);
    }

    #[test]
    fn a_later_read_lies_after_the_call_and_before_its_end() {
        let read = |tool: &str| Note::Read(Read { tool: tool.into(), parameters: None, output: None, target: None });
        let board = board([
            ((at(1), id(1)), read("before")),
            ((at(5), id(5)), Note::Waits(at(15))),
            ((at(7), id(7)), read("after")),
            ((at(20), id(20)), read("too late")),
        ]);
        let later = board.after((at(5), id(5)), at(15));
        assert_eq!(later.iter().map(|(_, read)| &*read.tool).collect::<Vec<_>>(), ["after"]);
    }

    /// The load at the last of so many decisions, a minute apart.
    fn load(notes: impl IntoIterator<Item = Note>) -> Load {
        let board = board(notes.into_iter().enumerate().map(|(n, note)| ((at(60 * n as u64), id(n as u8)), note)));
        let last = *board.0.keys().next_back().expect("at least one");
        board.load(last).expect("it is on the board")
    }

    #[test]
    fn fatigue_needs_many_fast_approvals() {
        let many = |count: usize, allowed: usize, fast: usize| {
            (0..count).map(move |n| decided(n < allowed, n < fast, n as u8)).collect::<Vec<_>>()
        };
        // Which of them tips: the first at which all three shares are reached.
        let tips = |notes: Vec<Note>| (1..=notes.len()).filter(|n| load(notes[..*n].to_vec()).tips).collect::<Vec<_>>();
        assert_eq!(tips(many(40, 37, 37)), [20], "told once a day");
        assert_eq!(tips(many(3, 3, 3)), Vec::<usize>::new(), "three approvals in a day");
        assert_eq!(tips(many(19, 19, 19)), Vec::<usize>::new());
        assert_eq!(tips(many(40, 40, 9)), Vec::<usize>::new(), "most of them read");
        let half_denied = (0..40).map(|n| decided(n % 2 == 0, true, n)).collect();
        assert_eq!(tips(half_denied), Vec::<usize>::new(), "denials are decisions too");
    }

    #[test]
    fn streaks_end_with_a_denial_and_repeats_with_the_day() {
        let last = load([decided(true, false, 1), decided(false, false, 2), decided(true, false, 1)]);
        assert_eq!((last.streak, last.repeats, last.decisions, last.approvals), (1, 1, 3, 2));
        let day = [((at(0), id(0)), decided(true, true, 1)), ((at(0) + DAY, id(1)), decided(true, true, 1))];
        let board = board(day);
        let load = board.load((at(0) + DAY, id(1))).expect("it is there");
        assert_eq!((load.repeats, load.decisions, load.streak), (0, 1, 2));
    }

    /// What `Board::load` gives, counted anew from the definition.
    fn plain_load(board: &Board, place: Place) -> Option<Load> {
        let decisions: Vec<(Nanos, Decided)> =
            board.0.range(..=place).filter_map(|((at, _), pin)| decision(*at, pin)).collect();
        board.0.get(&place).and_then(|pin| decision(place.0, pin))?;
        let (mut alarmed, mut load) = (None::<Nanos>, Load::default());
        for (n, (at, last)) in decisions.iter().enumerate() {
            let day = || decisions[..=n].iter().filter(|(then, _)| at.since(*then) < DAY).map(|(_, decided)| decided);
            load = Load {
                decisions: day().count() as u32,
                approvals: day().filter(|it| it.allowed).count() as u32,
                rubber_stamps: day().filter(|it| it.allowed && it.rubber_stamp).count() as u32,
                repeats: day().filter(|it| it.prompt == last.prompt).count() as u32 - 1,
                streak: decisions[..=n].iter().rev().take_while(|(_, it)| it.allowed).count() as u32,
                tips: false,
            };
            load.tips = load.is_fatigue() && alarmed.is_none_or(|last| at.since(last) >= DAY);
            alarmed = if load.tips { Some(*at) } else { alarmed };
        }
        Some(load)
    }

    fn decision(at: Nanos, pin: &Pin) -> Option<(Nanos, Decided)> {
        match pin.note {
            Note::Decided(decided) => Some((at, decided)),
            _ => None,
        }
    }

    proptest! {
        #[test]
        fn a_load_is_that_of_the_last_day(
            notes in prop::collection::vec(
                (0_u64..8, prop::bool::weighted(0.97), prop::bool::weighted(0.8), 0_u8..4),
                0..120,
            ),
        ) {
            let mut hour = 0;
            let notes = notes.into_iter().enumerate().map(|(n, (hours, allowed, fast, prompt))| {
                // Most of them follow at once, so that a day is full; some come hours later, so that days pass.
                hour += hours.saturating_sub(4);
                let note = if prompt == 3 && hours == 4 { Note::Counted } else { decided(allowed, fast, prompt) };
                ((at(3_600 * hour), id(n as u8)), note)
            });
            let board = board(notes);
            for place in board.0.keys() {
                prop_assert_eq!(board.load(*place), plain_load(&board, *place));
            }
            prop_assert_eq!(board.load((at(0), id(200))), None);
        }
    }
}
