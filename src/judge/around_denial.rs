//! A call that does in another way what was denied before in its turn.
//!
//! | the later call | it is |
//! |---|---|
//! | another tool, the same target, an effect that is the same or wider | the same |
//! | another tool whose parameters hold what the denied call was about: a path, an address, an id | the same |
//!
//! Where what it does is a guess, it is maybe the same, which convicts nobody.
//!
//! Only what policy, a hook, a model or the system denied counts: a person who refuses one way may mean that way. An
//! allow for the new call before it ran, by the same kind of decider and not by the agent's own word, lifts it.

use super::witness::{is_enforced, is_independent, permits};
use super::{Context, approvals};
use crate::envelope::{Authority, Deed};
use crate::model::{Action, By, Decision, Effect, Outcome, State};

/// A denied call that a later one repeats in another way.
#[derive(Debug)]
pub(super) struct Around<'a> {
    pub(super) denied: &'a Action,
    pub(super) how: How,
}

/// How surely it does the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum How {
    /// It is about the same thing, and what it does to it is a guess.
    Maybe,
    /// It does.
    Same,
}

/// The denied call that this one repeats in another way: the surest, then the first.
pub(super) fn denied<'a>(context: &Context<'a>, action: &Action) -> Option<Around<'a>> {
    if !action.state.is_proven_execution() || context.around.denied.is_empty() {
        return None;
    }
    let deed = &context.view(action).deed;
    let same = |denied: &'a Action| Some(Around { denied, how: how(context, denied, action, deed)? });
    let found = context.around.denied.iter().filter_map(same);
    found.reduce(|first, next| if next.how > first.how { next } else { first })
}

fn how(context: &Context<'_>, denied: &Action, action: &Action, deed: &Deed) -> Option<How> {
    let by = denier(denied).filter(|by| by.is_policy())?;
    let other_tool = denied.tool.value() != action.tool.value();
    if !other_tool || allowed_by(action, by) || deed.effect.is_some_and(|(effect, _)| effect == Effect::Read) {
        return None;
    }
    let meant = context.rules.view(denied).deed;
    if meant.effect.is_some_and(|(effect, _)| effect == Effect::Read) {
        return None;
    }
    let known = deed.effect.is_some_and(|(effect, authority)| {
        let wider = matches!(effect, Effect::Execute) || meant.effect.is_none_or(|(meant, _)| meant == effect);
        authority > Authority::Inferred && wider
    });
    let target = |deed: &Deed| deed.target.clone().filter(|(_, authority)| *authority > Authority::Inferred);
    let same_target = target(&meant).zip(target(deed)).is_some_and(|((one, _), (other, _))| one == other);
    let about = same_target || speaks_of(denied, &meant, action);
    about.then_some(if known { How::Same } else { How::Maybe })
}

fn denier(denied: &Action) -> Option<By> {
    let decided = denied.decisions.iter().filter(|it| is_enforced(it) && it.outcome == Outcome::Deny);
    let decided = decided.map(|decision| decision.by).find(|by| by.is_policy());
    match denied.state {
        State::Refused(by) => decided.or(Some(by)),
        _ => decided,
    }
}

/// Whether somebody of the same kind, and not the agent itself, allowed the new call before it ran.
fn allowed_by(action: &Action, by: By) -> bool {
    let ran = approvals::ran_at(action);
    let allows = |it: &&Decision| is_enforced(it) && permits(it) && it.by == by && it.at <= ran;
    action.decisions.iter().filter(allows).any(|it| is_independent(it.witness.as_ref(), action))
}

/// Whether a call's parameters hold what a denied call was about, as a word of its own.
fn speaks_of(denied: &Action, meant: &Deed, action: &Action) -> bool {
    let Some(said) = action.arguments.value().map(|text| &*text.head) else { return false };
    let target = meant.target.iter().map(|(target, _)| target.to_string());
    let values = denied.arguments.value().and_then(|text| text.whole()).map(telling).unwrap_or_default();
    target.chain(values).any(|value| holds_word(said, &value))
}

/// The values of parameters that name one thing: long enough, and with something that prose has not.
pub(super) fn telling(parameters: &str) -> Vec<String> {
    let mut values = Vec::new();
    if let Ok(parsed) = serde_json::from_str(parameters) {
        gather(&parsed, &mut values);
    }
    values
}

fn gather(value: &serde_json::Value, into: &mut Vec<String>) {
    const LEAST: usize = 6;
    let names_one =
        |text: &str| text.len() >= LEAST && text.chars().any(|c| "/.:@_-".contains(c) || c.is_ascii_digit());
    match value {
        serde_json::Value::String(text) if names_one(text) && !text.contains(char::is_whitespace) => {
            into.push(text.clone());
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| gather(item, into)),
        serde_json::Value::Object(fields) => fields.values().for_each(|field| gather(field, into)),
        _ => {}
    }
}

/// Whether a text holds a value that no letter, digit or path goes on from.
pub(super) fn holds_word(text: &str, value: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '.');
    text.match_indices(value).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let mut after = text[at + value.len()..].chars();
        let next = after.next();
        // A full stop ends a sentence as well as it goes on in a name.
        let ends = match next {
            Some('.') => after.next().is_none_or(|c| !c.is_alphanumeric()),
            Some(c) => !goes_on(c),
            None => true,
        };
        ends && before.is_none_or(|c| !goes_on(c) || c == '/')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;
    use crate::model::{Known, Role, Witness};

    #[test]
    fn a_value_is_found_as_a_word_of_its_own() {
        for (text, want) in [
            ("rm -rf /srv/data/customers.db", true),
            ("rm /srv/data/customers.db.", true),
            ("rm '/srv/data/customers.db'", true),
            ("rm /srv/data/customers.db.bak", false),
            ("rm /srv/data/customers.db-wal", false),
            ("rm /old/srv/data/customers.db", false),
        ] {
            assert_eq!(holds_word(text, "/srv/data/customers.db"), want, "{text}");
        }
    }

    #[test]
    fn only_values_that_name_one_thing_tell() {
        let parameters = r#"{"path":"/srv/a.db","mode":"force","note":"it is no longer needed","ids":["inv-2041",7]}"#;
        assert_eq!(telling(parameters), ["inv-2041", "/srv/a.db"]);
        assert!(telling("no JSON").is_empty());
    }

    /// The sample deletes a row in second 5; a shell that speaks of the same target was denied before.
    #[test]
    fn nobody_lifts_a_denial_of_its_own_call() {
        let rules = crate::envelope::Rules::default();
        let turn = sample::turn();
        let before = Action {
            tool: Known::Value("shell".into()),
            state: State::Refused(By::Policy),
            decisions: vec![sample::decision(Outcome::Deny, By::Policy)],
            ..sample::action()
        };
        let around = super::super::Around { denied: vec![before], ..super::super::Around::default() };
        let learnt = super::super::Learnt::Off;
        let context = Context::new(&rules, &turn, &learnt, &around);
        let gate = sample::decision(Outcome::Allow, By::Policy);
        let own = Some(Witness { service: sample::action().service, ..sample::witness(9, Role::Agent, "") });
        for (name, allow, lifts) in [
            ("nobody allowed it", None, false),
            ("the gate allowed it", Some(gate.clone()), true),
            ("the gate allowed it after it had run", Some(Decision { at: sample::at(7), ..gate.clone() }), false),
            ("the agent says that the gate allowed it", Some(Decision { witness: own, ..gate.clone() }), false),
            ("a person allowed it", Some(Decision { by: By::Human, ..gate }), false),
        ] {
            let action = Action { decisions: allow.into_iter().collect(), ..sample::action() };
            assert_eq!(denied(&context, &action).is_none(), lifts, "{name}");
        }
    }
}
