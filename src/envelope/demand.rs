//! What a rule asks for, once it applies to a call.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use super::Glob;
use super::answer::Answer;
use super::classes::Classes;
use super::condition::Condition;
use super::contents::Contents;
use super::deed::{Deed, Doing, Tool};
use super::parameters::Parameters;
use super::rules::{Fit, Kept};
use super::schema::Schema;
use super::selector::{Facts, Selector};
use crate::model::{Action, By, Decision, Span};

/// What a rule asks for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// The call must not run.
    Forbid,
    /// The call must not run in this time.
    Freeze,
    /// The call is outside what the envelope lists: `allow`, or `only_listed`.
    Outside,
    /// The parameters keep constraints: [`Rule::kept`](super::Rule::kept).
    Parameters(Parameters),
    /// The output keeps a schema: [`Rule::kept`](super::Rule::kept).
    Output(Schema),
    /// Somebody approved the call before it ran.
    Approval(Approval),
    /// Plan, diff, approval and execution, in that order.
    TwoPhase,
    /// No more calls than this.
    Limit(Limit),
    /// No more denied attempts than this.
    Breaker(Breaker),
    /// Nothing: the call needs no other authority.
    Grant,
    /// Nothing: a task that a turn may have, and what it may do then.
    Task(Task),
    /// The call must not run unless exactly it was approved.
    Hold,
    /// Something is true after the call.
    Invariant(Box<Invariant>),
}

impl Demand {
    /// Whether it limits what a call may be: such a rule keeps a verdict from being good while nobody knows whether it
    /// is about the call.
    pub fn limits(&self) -> bool {
        match self {
            Self::Forbid | Self::Freeze | Self::Outside | Self::Hold => true,
            Self::Parameters(_) | Self::Output(_) | Self::Approval(_) | Self::Limit(_) => true,
            Self::TwoPhase | Self::Breaker(_) | Self::Grant | Self::Task(_) | Self::Invariant(_) => false,
        }
    }
}

/// Who has to approve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Approval {
    pub(super) by: BTreeSet<By>,
    pub(super) principals: Vec<Glob>,
}

impl Approval {
    /// The kinds of deciders of which one is enough.
    pub fn by(&self) -> &BTreeSet<By> {
        &self.by
    }

    /// Whether a decision is by somebody who may approve. `None`: the rule asks for certain principals, and the
    /// decision names none. What was decided, and whether its witness may testify, is not looked at.
    pub fn accepts(&self, decision: &Decision) -> Option<bool> {
        if !self.by.contains(&decision.by) {
            return Some(false);
        }
        let is_named = |principal: &Arc<str>| self.principals.iter().any(|glob| glob.matches(principal));
        if self.principals.is_empty() { Some(true) } else { decision.principal.as_ref().map(is_named) }
    }
}

/// At most so many calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// How many, at least 1.
    pub at_most: u64,
    /// Over what they are counted.
    pub per: Per,
}

impl Limit {
    /// What can be counted: as many calls as are remembered of one window. A larger limit could never be broken.
    pub const MOST: u64 = 2_000;
    /// The longest stretch of time: calls are remembered for the horizon and this much before it.
    pub const LONGEST: Span = Span::hours(24);
}

/// What calls are counted over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// The turn.
    Turn,
    /// The conversation.
    Conversation,
    /// A stretch of time, aligned to UTC: an hour begins on the hour.
    Time(Span),
}

/// When an agent keeps trying what is denied. At least one of them is there; any one trips it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Breaker {
    /// So many distinct attempts of a turn denied one after another.
    pub consecutive: Option<u64>,
    /// So many distinct attempts of a turn denied in all.
    pub total: Option<u64>,
    /// The probability of so many denials by chance is below this; between 0 and 1.
    pub evidence: Option<f64>,
}

/// A template of a task: when a turn has it, and which calls belong to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Task {
    /// Lower case, as they are compared.
    pub(super) intents: Vec<Glob>,
    pub(super) intent_ids: Vec<Glob>,
    pub(super) allow: Vec<Selector>,
}

impl Task {
    /// Whether a turn has this task: by the user's words, whose case means nothing, or by the intent's id.
    pub fn is_of(&self, intent: Option<&str>, intent_id: Option<&str>) -> bool {
        let words = intent.map(str::to_lowercase);
        let by_words = words.is_some_and(|words| self.intents.iter().any(|glob| glob.matches(&words)));
        by_words || intent_id.is_some_and(|id| self.intent_ids.iter().any(|glob| glob.matches(id)))
    }

    /// Whether a call belongs to the task; `None` when it surely does not.
    pub fn allows(&self, action: &Action, deed: &Deed) -> Option<Fit> {
        let (doing, contents) = (deed.doing(), Contents::of(action));
        let facts = Facts { action, doing: &doing, contents: &contents };
        let best = self.allow.iter().map(|selector| selector.answer(&facts)).max()?;
        match best {
            Answer::Yes => Some(Fit::Yes),
            Answer::Maybe(reason) | Answer::Hardly(reason) => Some(Fit::Unclear(reason)),
            Answer::No => None,
        }
    }
}

/// What has to be true after a call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Invariant {
    pub(super) holds: Condition,
    pub(super) read: Option<Read>,
    pub(super) within: Option<Span>,
    #[serde(skip)]
    pub(super) known: Arc<Known>,
}

/// A later call that shows whether an invariant holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Read {
    pub(super) selector: Selector,
    pub(super) relates: Option<Condition>,
}

/// What an envelope says of tools and names.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Known {
    pub(super) tools: Vec<Tool>,
    pub(super) classes: Arc<Classes>,
}

impl Known {
    /// What a call does, by telemetry and this envelope alone.
    pub(super) fn doing(&self, action: &Action, contents: &Contents<'_>) -> Doing {
        let said = Doing::said(action);
        let declared = action.tool.value().and_then(|tool| self.tools.iter().find(|it| it.name.matches(tool)));
        match declared {
            Some(tool) => said.declared(tool, contents),
            None => said,
        }
    }
}

impl Invariant {
    /// Which later call shows whether it holds; `None` when the call itself does.
    pub fn read(&self) -> Option<&Selector> {
        self.read.as_ref().map(|read| &read.selector)
    }

    /// How long to wait for that later call.
    pub fn within(&self) -> Option<Span> {
        self.within
    }

    /// Whether a later call is the one that shows it; `None` when it surely is not. Whose calls these are, and which
    /// came first, is the caller's to know.
    pub fn fits_read(&self, action: &Action, later: &Action) -> Option<Fit> {
        let read = self.read.as_ref()?;
        self.with(action, later, |facts, later| {
            let selected = read.selector.answer(later);
            let related = || match &read.relates {
                Some(condition) if selected != Answer::No => condition.answer(facts, &self.known.classes, Some(later)),
                _ => Answer::Yes,
            };
            match selected.min(related()) {
                Answer::Yes => Some(Fit::Yes),
                Answer::Maybe(reason) => Some(Fit::Unclear(reason)),
                Answer::Hardly(_) | Answer::No => None,
            }
        })
    }

    /// Whether a call may be the later read of some other.
    pub(super) fn may_read(&self, later: &Action) -> bool {
        let Some(read) = &self.read else { return false };
        let contents = Contents::of(later);
        let doing = self.known.doing(later, &contents);
        let answer = read.selector.answer(&Facts { action: later, doing: &doing, contents: &contents });
        matches!(answer, Answer::Yes | Answer::Maybe(_))
    }

    /// Whether it holds, as a later call that [`Invariant::fits_read`] shows it.
    pub fn holds_after(&self, action: &Action, later: &Action) -> Kept {
        self.with(action, later, |facts, later| self.kept(self.holds.answer(facts, &self.known.classes, Some(later))))
    }

    /// Whether it holds, as the call itself shows it.
    pub(super) fn holds_now(&self, action: &Action) -> Kept {
        if self.read.is_some() {
            return Kept::Unclear("needs_later_read");
        }
        let contents = Contents::of(action);
        let doing = self.known.doing(action, &contents);
        let facts = Facts { action, doing: &doing, contents: &contents };
        self.kept(self.holds.answer(&facts, &self.known.classes, None))
    }

    fn kept(&self, answer: Answer) -> Kept {
        match answer {
            Answer::Yes => Kept::Yes,
            Answer::No => {
                Kept::No { path: "holds".into(), message: format!("`{}` is false", self.holds.source()).into() }
            }
            Answer::Maybe(reason) | Answer::Hardly(reason) => Kept::Unclear(reason),
        }
    }

    fn with<T>(&self, action: &Action, later: &Action, ask: impl FnOnce(&Facts<'_>, &Facts<'_>) -> T) -> T {
        let contents = (Contents::of(action), Contents::of(later));
        let doing = (self.known.doing(action, &contents.0), self.known.doing(later, &contents.1));
        let facts = Facts { action, doing: &doing.0, contents: &contents.0 };
        ask(&facts, &Facts { action: later, doing: &doing.1, contents: &contents.1 })
    }
}
