//! What an action is judged with that is not its own, and what it has to say to others in turn.
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

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::envelope::{Authority, Demand, Fit, Per, Rules};
use crate::model::{Action, Effect, EvidenceId, Known, Missing, Nanos, Span, State, Stop, Text, Turn};
use crate::values;

use super::board::{Load, Note, Place, Read, Topic, Window};
use super::{Context, approval_reviewed};

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
pub fn notes(context: &Context<'_>, action: &Action) -> Vec<(Topic, Nanos, Note)> {
    let view = context.view(action);
    let effect = view.deed.effect.map_or("unknown", |(effect, _)| effect.as_str());
    let mut notes: Vec<(Topic, Nanos, Note)> = approval_reviewed::note(action, effect).into_iter().collect();
    if !matches!(action.state, State::Executed(_)) {
        return notes;
    }
    for hit in view.hits.iter().filter(|hit| hit.fit == Fit::Yes) {
        match hit.rule.demand() {
            Demand::Limit(limit) => {
                let topic = Topic::Limit(hit.rule.name().into(), window(limit.per, context.turn, action));
                notes.push((topic, action.start, Note::Counted));
            }
            Demand::Invariant(invariant) if invariant.read().is_some() => {
                let until = action.end + invariant.within().unwrap_or(LATER);
                notes.push((Topic::Later(hit.rule.name().into()), action.end, Note::Waits(until)));
            }
            _ => {}
        }
    }
    for rule in context.rules.reading(action) {
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

/// Whether a breaker watches an action: what it says rests on the other attempts of the turn.
pub fn has_breaker(context: &Context<'_>, action: &Action) -> bool {
    context.view(action).hits.iter().any(|hit| matches!(hit.rule.demand(), Demand::Breaker(_)))
}
