//! What the user said that binds the whole conversation: wait, and do nothing until I say so.
//!
//! A hold binds from the moment it was said until the user releases it, in this turn or a later one, whether or not the
//! model still has the words in its context. It binds calls that change something. An approval of exactly this call
//! lifts it for this call, and a person's approval of the plan for what the plan contains: the next question is then
//! whether it does. A hold on a part of what there is binds calls that are about it (`scope`); once the user speaks of
//! that part again in a later turn, nobody knows whether it still does.

use std::sync::Arc;

use super::scope::{self, Meant};
use super::witness::{is_enforced, is_independent, last_word};
use super::{Context, approvals};
use crate::envelope::{Authority, Deed};
use crate::model::{Action, By, Effects, EvidenceId, Nanos, Outcome, StandAt, StandKind};
use crate::values::standing::Scope;

/// A hold that a call ran against.
#[derive(Debug, Clone)]
pub(super) struct Held {
    /// The user's words.
    pub(super) quote: Arc<str>,
    /// When they were said, as sent.
    pub(super) at: Nanos,
    /// The record that has them.
    pub(super) evidence: EvidenceId,
    /// What the call does is known, and that it is meant. Else it is a guess, which convicts nobody.
    pub(super) sure: bool,
}

/// The hold that a call ran against, if there is one: of what the user said before it ran, the last word about such a
/// call counts. A release that may be about it counts as one; a hold that may be is no more than a guess.
pub(super) fn holds(context: &Context<'_>, action: &Action) -> Option<Held> {
    if context.turn.stands.is_empty() {
        return None;
    }
    let (deed, ran) = (&context.view(action).deed, approvals::ran_at(action));
    let said = context.turn.stands.iter().filter(|stand| stand.at <= ran);
    let held = said.fold(None, |held: Option<Held>, stand| after(held, stand, context, (action, deed)));
    let plan = last_word(context.turn.plan_decisions.iter().filter(|decision| decision.at <= ran));
    let agreed = plan.filter(|it| it.outcome == Outcome::Allow && it.by == By::Human && is_enforced(it));
    let agreed = agreed.filter(|it| is_independent(it.witness.as_ref(), action)).map(|decision| decision.at);
    held.filter(|held| agreed.is_none_or(|agreed| agreed < held.at) && approvals::lifts_hold(action).is_none())
}

fn after(held: Option<Held>, said: &StandAt, context: &Context<'_>, (action, deed): (&Action, &Deed)) -> Option<Held> {
    let hold = |sure| Some(Held { quote: said.stand.quote.clone(), at: said.at, evidence: said.evidence, sure });
    match (said.stand.kind, meant(said, context, action, deed)) {
        (_, Meant::No) => held,
        // The same words again, as when a run goes on with the messages that it began with.
        (StandKind::Hold, Meant::Yes) if held.as_ref().is_some_and(|it| it.sure && it.quote == said.stand.quote) => {
            held
        }
        (StandKind::Release, _) => None,
        (StandKind::Hold, Meant::Yes) => hold(true),
        (StandKind::Hold, Meant::Maybe) => held.or_else(|| hold(false)),
    }
}

/// By what the call does, and by the words for what it is done to.
fn meant(said: &StandAt, context: &Context<'_>, action: &Action, deed: &Deed) -> Meant {
    let stand = &said.stand;
    let by_effect = match (&deed.effect, &stand.effects) {
        (Some((effect, _)), effects) if !effects.has(*effect) => Meant::No,
        (Some((_, Authority::Inferred)), _) | (None, Effects::All) => Meant::Maybe,
        (Some(_), _) => Meant::Yes,
        (None, Effects::Some(_)) => Meant::No,
    };
    let Some(only) = &stand.only else { return by_effect };
    by_effect.min(match (stand.kind, Scope::of(only)) {
        // A user who lets something go does not spell out all of it.
        (StandKind::Release, _) => named(only, action).max(Meant::Maybe),
        (StandKind::Hold, None) => named(only, action),
        (StandKind::Hold, Some(scope)) if is_spoken_of_again(&scope, said, context) => {
            scope::meant(&scope, stand, action, deed).min(Meant::Maybe)
        }
        (StandKind::Hold, Some(scope)) => scope::meant(&scope, stand, action, deed),
    })
}

/// Whether what the user asks for now, in another turn than that of the hold, speaks of what was held back.
fn is_spoken_of_again(scope: &Scope, said: &StandAt, context: &Context<'_>) -> bool {
    let asked = context.turn.intent.value().map(|intent| &*intent.value.head);
    let again = asked.is_some_and(|asked| !asked.contains(&*said.stand.quote) && scope.is_spoken_of(asked));
    said.from.is_some() && again
}

/// Whether a call is about what a word names: its tool, its target or its parameters have the word.
fn named(only: &str, action: &Action) -> Meant {
    const OPEN: [&str; 4] = ["it", "this", "that", "them"];
    if OPEN.contains(&only) {
        return Meant::Maybe;
    }
    let word = only.strip_suffix('s').filter(|stem| stem.len() > 2).unwrap_or(only).to_lowercase();
    let holds = |text: &str| text.to_lowercase().contains(&word);
    let target = action.target.value().is_some_and(|(target, _)| holds(target));
    let arguments = action.arguments.value().is_some_and(|text| holds(&text.head));
    if holds(action.tool_label()) || target || arguments { Meant::Yes } else { Meant::No }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Rules;
    use crate::model::sample::{self, at, record};
    use crate::model::{Decision, Effect, Known, Provenance, Role, Stand, TurnId};

    fn stand(second: u64, kind: StandKind, effects: Effects, only: Option<&str>) -> StandAt {
        let stand = Stand { kind, effects, only: only.map(Into::into), quote: format!("at {second}").into() };
        StandAt { at: at(second), place: 0, stand, evidence: record(second as u8), from: None }
    }

    /// The sample deletes an account in second 5. `None`: it may; else whether it surely may not.
    fn held(stands: Vec<StandAt>, change: fn(&mut Action)) -> Option<bool> {
        let (mut action, mut turn, rules) = (sample::action(), sample::turn(), Rules::default());
        change(&mut action);
        turn.stands = stands;
        holds(&Context::alone(&rules, &turn), &action).map(|held| held.sure)
    }

    #[test]
    fn the_users_last_word_about_such_a_call_counts() {
        use StandKind::{Hold, Release};
        let same: fn(&mut Action) = |_| {};
        let only = |effects: &[Effect]| Effects::Some(effects.iter().copied().collect());
        let guessed: fn(&mut Action) = |a| a.effect = Known::Value((Effect::Delete, Provenance::Inferred));
        let reads: fn(&mut Action) = |a| a.effect = Known::Value((Effect::Read, Provenance::Inferred));
        for (name, stands, change, want) in [
            ("nothing was said", vec![], same, None),
            ("wait", vec![stand(1, Hold, Effects::All, None)], same, Some(true)),
            ("wait, said after it ran", vec![stand(6, Hold, Effects::All, None)], same, None),
            ("go", vec![stand(1, Hold, Effects::All, None), stand(2, Release, Effects::All, None)], same, None),
            (
                "go, then wait",
                vec![stand(1, Release, Effects::All, None), stand(2, Hold, Effects::All, None)],
                same,
                Some(true),
            ),
            (
                "go, too late",
                vec![stand(1, Hold, Effects::All, None), stand(6, Release, Effects::All, None)],
                same,
                Some(true),
            ),
            ("send nothing", vec![stand(1, Hold, only(&[Effect::Send]), None)], same, None),
            ("delete nothing", vec![stand(1, Hold, only(&[Effect::Delete]), None)], same, Some(true)),
            (
                "wait, but mails may go",
                vec![stand(1, Hold, Effects::All, None), stand(2, Release, only(&[Effect::Send]), None)],
                same,
                Some(true),
            ),
            ("wait with the accounts", vec![stand(1, Hold, Effects::All, Some("accounts"))], same, Some(true)),
            ("wait with the invoices", vec![stand(1, Hold, Effects::All, Some("invoices"))], same, None),
            (
                "do it",
                vec![stand(1, Hold, Effects::All, None), stand(2, Release, Effects::All, Some("it"))],
                same,
                None,
            ),
            (
                "wait, but these may go, whatever they are",
                vec![stand(1, Hold, Effects::All, None), stand(2, Release, Effects::All, Some("delete those two"))],
                same,
                None,
            ),
            ("hands off that table", vec![stand(1, Hold, Effects::All, Some("the accounts table"))], same, Some(true)),
            ("hands off another", vec![stand(1, Hold, Effects::All, Some("the orders table"))], same, None),
            ("hands off some table", vec![stand(1, Hold, Effects::All, Some("the table"))], same, Some(false)),
            ("wait with it", vec![stand(1, Hold, Effects::All, Some("it"))], same, Some(false)),
            ("what it does is a guess", vec![stand(1, Hold, Effects::All, None)], guessed, Some(false)),
            ("it seems to look only", vec![stand(1, Hold, Effects::All, None)], reads, None),
            (
                "nobody knows what it does",
                vec![stand(1, Hold, Effects::All, None)],
                |a| a.effect = Known::ABSENT,
                Some(false),
            ),
        ] {
            assert_eq!(held(stands, change), want, "{name}");
        }
    }

    /// Who holds a table back and later asks for something with it may have lifted the hold.
    #[test]
    fn what_the_user_speaks_of_again_is_open() {
        for (asked, from, want) in [
            ("Why is the accounts table so large?", Some(TurnId([7; 16])), Some(false)),
            ("Why is the orders table so large?", Some(TurnId([7; 16])), Some(true)),
            ("Hands off the accounts table: at 1", Some(TurnId([7; 16])), Some(true)),
            ("Why is the accounts table so large?", None, Some(true)),
        ] {
            let (action, mut turn, rules) = (sample::action(), sample::turn(), Rules::default());
            let said = stand(1, StandKind::Hold, Effects::All, Some("the accounts table"));
            turn.stands = vec![StandAt { from, ..said }];
            turn.intent = Known::Value(sample::shared(1, sample::text(asked)));
            assert_eq!(holds(&Context::alone(&rules, &turn), &action).map(|held| held.sure), want, "{asked} {from:?}");
        }
    }

    #[test]
    fn an_approval_of_exactly_this_call_lifts_the_hold() {
        let approve: fn(&mut Action) = |action| {
            let parameters = action.arguments.value().map(|text| text.digest);
            let by = Some(sample::witness(0x31, Role::HumanChannel, "approvals"));
            let allow = sample::decision(Outcome::Allow, By::Human);
            action.decisions.push(Decision { parameters, witness: by, ..allow });
        };
        assert_eq!(held(vec![stand(1, StandKind::Hold, Effects::All, None)], approve), None);
    }
}
