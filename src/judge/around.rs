//! What an action is judged with that is not its own: the boards on which actions leave notes for each other.
//!
//! ```text
//! action ─ notes ─► board (tenant, topic)          kept by the engine, a set in the order of time
//!                      │
//!                      └─ read at one's own place ─► Around ─► validators and findings
//! ```
//!
//! | topic | who leaves a note | what is read there |
//! |---|---|---|
//! | calls that a limit counts | each of them | how many came before |
//! | approvals by one approver of one effect | each call that somebody decided | load, streak, repeats, fatigue |
//! | what an invariant looks at later | the later reads, and the call that waits for them | the reads that came after |
//!
//! What is read is a function of the notes, whatever their order of arrival: places are times as sent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::envelope::{Authority, Demand, Fit, Per, Rules};
use crate::model::{
    Action, ActionId, ConversationId, Effect, EvidenceId, Hash, Known, Missing, Nanos, Provenance, Span, State, Stop,
    Text, Turn, TurnId,
};
use crate::values;

use super::{Context, approval_reviewed};

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
    pub const NOTES: usize = 2_000;

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
        let mut day: VecDeque<(Nanos, Decided)> = VecDeque::new();
        let (mut load, mut alarmed) = (Load::default(), None::<Nanos>);
        for ((at, id), pin) in self.0.range(..=place) {
            let Note::Decided(decided) = &pin.note else { continue };
            while day.front().is_some_and(|(first, _)| at.since(*first) >= DAY) {
                day.pop_front();
            }
            load.repeats = count(&day, |other| other.prompt == decided.prompt);
            day.push_back((*at, *decided));
            load.streak = if decided.allowed { load.streak + 1 } else { 0 };
            load.decisions = count(&day, |_| true);
            load.approvals = count(&day, |other| other.allowed);
            load.rubber_stamps = count(&day, |other| other.allowed && other.rubber_stamp);
            let tired = load.is_fatigue() && alarmed.is_none_or(|last| at.since(last) >= DAY);
            load.tips = tired;
            if tired {
                alarmed = Some(*at);
            }
            if (*at, *id) == place {
                return Some(load);
            }
        }
        None
    }
}

fn count(day: &VecDeque<(Nanos, Decided)>, which: impl Fn(&Decided) -> bool) -> u32 {
    u32::try_from(day.iter().filter(|(_, decided)| which(decided)).count()).unwrap_or(u32::MAX)
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

/// What the books know of an action's surroundings. Empty where nothing is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Around {
    /// It opened an incident, which stands so.
    pub incident: Option<Clock>,
    /// By limit: how many calls came before it in its window.
    pub counted: BTreeMap<Arc<str>, u64>,
    /// By invariant: the reads that came after it in time.
    pub later: BTreeMap<Arc<str>, Vec<(Place, Read)>>,
    /// The load of whoever decided about it.
    pub load: Option<Load>,
    /// What was denied in its turn before it began: other calls, oldest first.
    pub denied: Vec<Action>,
    /// Distinct attempts of its turn up to it, oldest first: whether each was denied. Only for a call that a breaker
    /// watches.
    pub attempts: Vec<bool>,
}

impl Around {
    /// Of a call that is alone: the first in every window that a limit counts.
    pub fn of_first(rules: &Rules, action: &Action) -> Self {
        let limits = rules.view(action).hits.into_iter().map(|hit| hit.rule);
        let limits = limits.filter(|rule| matches!(rule.demand(), Demand::Limit(_)));
        Self { counted: limits.map(|rule| (rule.name().into(), 0)).collect(), ..Self::default() }
    }
}

/// Nothing is known.
pub(super) static NOTHING: Around = Around {
    incident: None,
    counted: BTreeMap::new(),
    later: BTreeMap::new(),
    load: None,
    denied: Vec::new(),
    attempts: Vec::new(),
};

/// The clock of the incident that an action opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// From the first violation to containment.
    pub contained_after: Option<Span>,
    /// By what.
    pub by: Option<Stop>,
    /// The record of the command, when it was one.
    pub on: Option<EvidenceId>,
    /// Writes and violations after a command.
    pub leaked: u32,
    /// How long it may take.
    pub within: Span,
    /// That time has passed.
    pub is_over: bool,
}

/// What an action has to say to others, on which board, at which time.
pub fn notes(rules: &Rules, turn: &Turn, action: &Action) -> Vec<(Topic, Nanos, Note)> {
    let view = rules.view(action);
    let effect = view.deed.effect.map_or("unknown", |(effect, _)| effect.as_str());
    let mut notes: Vec<(Topic, Nanos, Note)> = approval_reviewed::note(action, effect).into_iter().collect();
    if !matches!(action.state, State::Executed(_)) {
        return notes;
    }
    for hit in view.hits.iter().filter(|hit| hit.fit == Fit::Yes) {
        match hit.rule.demand() {
            Demand::Limit(limit) => {
                let topic = Topic::Limit(hit.rule.name().into(), window(limit.per, turn, action));
                notes.push((topic, action.start, Note::Counted));
            }
            Demand::Invariant(invariant) if invariant.read().is_some() => {
                let until = action.end + invariant.within().unwrap_or(LATER);
                notes.push((Topic::Later(hit.rule.name().into()), action.end, Note::Waits(until)));
            }
            _ => {}
        }
    }
    for rule in rules.reading(action) {
        notes.push((Topic::Later(rule.name().into()), action.start, Note::Read(read(action))));
    }
    notes
}

/// How long an invariant that does not say waits for a later read.
const LATER: Span = Span::minutes(10);

fn window(per: Per, turn: &Turn, action: &Action) -> Window {
    match (per, &turn.conversation) {
        (Per::Time(length), _) => Window::Slice(action.agent_label().into(), action.start.slice(length)),
        (Per::Conversation, Some(conversation)) => Window::Conversation(conversation.value.0),
        // A turn of no conversation is one of its own.
        (Per::Conversation, None) | (Per::Turn, _) => Window::Turn(turn.id),
    }
}

fn read(action: &Action) -> Read {
    let whole = |known: &Known<Text>| known.value().and_then(|text| text.whole()).map(Into::into);
    Read {
        tool: action.tool_label().into(),
        parameters: whole(&action.arguments),
        output: whole(&action.output),
        target: action.target.value().cloned(),
    }
}

/// A later read as the call that it was, as far as its note says.
pub(super) fn as_action(read: &Read, like: &Action) -> Action {
    let text = |text: &Option<Arc<str>>| match text {
        Some(text) => Known::Value(values::text(text).0),
        None => Known::Missing(Missing::Lost),
    };
    Action {
        tool: Known::Value(read.tool.clone()),
        arguments: text(&read.parameters),
        output: text(&read.output),
        target: Known::or_absent(read.target.clone()),
        effect: Known::ABSENT,
        pieces: Vec::new(),
        decisions: Vec::new(),
        checks: Vec::new(),
        verdicts: Vec::new(),
        findings: Vec::new(),
        fields: BTreeMap::new(),
        ..like.clone()
    }
}

/// Whether a call changes something, as far as is known and not guessed.
pub fn changes_something(context: &Context<'_>, action: &Action) -> bool {
    let effect = context.view(action).deed.effect;
    effect.is_some_and(|(effect, authority)| effect != Effect::Read && authority > Authority::Inferred)
}

#[cfg(test)]
mod tests {
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
}
