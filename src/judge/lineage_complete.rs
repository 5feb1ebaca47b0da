//! Are the fields of the profile there?
//!
//! | the fields asked for | verdict |
//! |---|---|
//! | no envelope has a profile, and learning is off | unknown `no_profile` |
//! | no envelope has a profile, and none is learnt yet | unknown `not_learnt` |
//! | the telemetry is sampled | unknown `sampled` |
//! | one is absent or lost | bad `missing_<first field>` |
//! | one may still arrive | unknown `pending` |
//! | one is withheld | unknown `withheld` |
//! | all are there | good `complete` |
//!
//! Asked for is what the envelopes name together with what the action's instrumentation has shown (see
//! `engine::profiles`): a learnt profile says what got worse, an envelope tightens it up to all eight.
//!
//! Withheld is a decision of whoever runs the agent, so it is not bad; but what is not there cannot be complete. An
//! action that did not run has no output and nothing to check, so it is not asked for them.

use std::collections::BTreeSet;

use super::witness::told;
use super::{Context, Learnt, Validator, verdict};
use crate::model::{Action, Field, Missing, Sli, State, Value, Verdict};

/// The judge of `lineage_complete`.
pub(super) struct LineageComplete;

impl Validator for LineageComplete {
    fn sli(&self) -> Sli {
        Sli::LineageComplete
    }

    fn judge(&self, context: &Context<'_>, action: &Action) -> Option<Verdict> {
        let say = |value, reason: &str, because: String| {
            let on = told(action).filter(|_| value != Value::Unknown);
            Some(verdict(self.sli(), value, reason, because, on))
        };
        let declared = context.rules.profile(action).unwrap_or_default();
        let profile: BTreeSet<Field> = declared.iter().chain(shown(context.learnt)).copied().collect();
        if profile.is_empty() {
            let (reason, because) = unasked(context.learnt);
            return say(Value::Unknown, reason, because.to_owned());
        }
        if action.marks.sampled {
            return say(Value::Unknown, "sampled", "sampled telemetry cannot show what is missing".to_owned());
        }
        let asked: Vec<Field> = profile.into_iter().filter(|field| applies(*field, action)).collect();
        let without = |why: &[Missing]| {
            let is = |field: &&Field| missing(action, **field).is_some_and(|missing| why.contains(&missing));
            asked.iter().filter(is).map(|field| field.as_str()).collect::<Vec<_>>()
        };
        let (gone, pending, withheld) =
            (without(&[Missing::Absent, Missing::Lost]), without(&[Missing::Pending]), without(&[Missing::Withheld]));
        if let Some(first) = gone.first() {
            let worse = !declared.iter().any(|field| gone.contains(&field.as_str()));
            let tail = if worse { "; its instrumentation used to fill it" } else { "" };
            say(Value::Bad, &format!("missing_{first}"), format!("not there: {}{tail}", gone.join(", ")))
        } else if !pending.is_empty() {
            say(Value::Unknown, "pending", format!("may still arrive: {}", pending.join(", ")))
        } else if !withheld.is_empty() {
            say(Value::Unknown, "withheld", format!("kept back by the producer: {}", withheld.join(", ")))
        } else {
            say(Value::Good, "complete", "every field that is asked for is there".to_owned())
        }
    }
}

fn shown(learnt: &Learnt) -> impl Iterator<Item = &Field> {
    match learnt {
        Learnt::Off => None,
        Learnt::Fields(fields) => Some(fields),
    }
    .into_iter()
    .flatten()
}

/// Why nothing is asked for.
fn unasked(learnt: &Learnt) -> (&'static str, &'static str) {
    match learnt {
        Learnt::Off => ("no_profile", "no envelope says which fields are needed"),
        Learnt::Fields(_) => (
            "not_learnt",
            "no envelope says which fields are needed, and too little was seen of its instrumentation to tell",
        ),
    }
}

/// Whether an action can have a field: one that did not run has no output and nothing to check.
pub fn applies(field: Field, action: &Action) -> bool {
    matches!(action.state, State::Executed(_)) || !matches!(field, Field::Output | Field::PostCheck)
}

/// Why a field is missing; one that nobody filled in is absent.
fn missing(action: &Action, field: Field) -> Option<Missing> {
    action.fields.get(&field).map_or(Some(Missing::Absent), |known| known.missing())
}
