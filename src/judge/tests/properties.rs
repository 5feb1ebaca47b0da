//! What holds for every action, whatever is said about it.

use proptest::prelude::*;

use super::arbitrary::*;
use super::*;
use crate::model::{Execution, Severity, State};

proptest! {
    #[test]
    fn the_agents_own_word_is_never_good(mut action in actions(), mut turn in turns()) {
        for witness in action.checks.iter_mut().map(|check| &mut check.witness)
            .chain(action.decisions.iter_mut().map(|decision| &mut decision.witness))
            .chain(turn.plan_decisions.iter_mut().map(|decision| &mut decision.witness))
        {
            *witness = own();
        }
        for sli in [Sli::IntentAlignment, Sli::OutcomeValidation] {
            prop_assert_ne!(value(sli, &strict(), &action, &turn), Some(Value::Good));
        }
    }

    #[test]
    fn without_any_statement_nothing_is_good_or_bad(mut action in actions(), mut turn in turns()) {
        action.checks.clear();
        action.decisions.clear();
        turn.plan_decisions.clear();
        for sli in [Sli::IntentAlignment, Sli::OutcomeValidation] {
            prop_assert!(matches!(value(sli, &Rules::default(), &action, &turn), None | Some(Value::Unknown)));
        }
    }

    #[test]
    fn guesses_excuse_and_decide_nothing(
        mut action in actions(), mut turn in turns(), check in checks(), decision in decisions(),
    ) {
        let before = judge(&Context::alone(&strict(), &turn), &action);
        action.checks.push(Check { witness: inferred(Role::Evaluator), ..check });
        let guess = Decision { witness: inferred(Role::HumanChannel), ..decision };
        // An inferred modification still spoils an approval: a guess may excuse, never make good.
        prop_assume!(guess.outcome != Outcome::Modify);
        action.decisions.push(guess.clone());
        turn.plan_decisions.push(guess);
        let (mut verdicts, findings) = judge(&Context::alone(&strict(), &turn), &action);
        // That nobody is known to have approved is excused by a guess that somebody did. Nothing else is.
        let excused = |sli| verdicts.iter().any(|it| it.sli == sli && &*it.reason == "approval_inferred");
        let (envelope, plan) = (excused(Sli::Envelope), excused(Sli::PlanCommit));
        let is_excused = |sli| (envelope && sli == Sli::Envelope) || (plan && sli == Sli::PlanCommit);
        let mut known = before.0;
        for all in [&mut verdicts, &mut known] {
            all.retain(|it| !is_excused(it.sli));
        }
        prop_assert_eq!(verdicts, known);
        prop_assert!(findings.iter().all(|it| before.1.contains(it)));
    }

    #[test]
    fn what_a_check_failed_no_statement_makes_good(mut action in actions(), turn in turns(), more in checks()) {
        action.state = State::Executed(Execution::Ok);
        action.checks.push(checked(CheckResult::Fail, pass()));
        action.checks.push(aligned(CheckResult::Fail, pass()));
        action.checks.push(more);
        for sli in [Sli::IntentAlignment, Sli::OutcomeValidation] {
            prop_assert_eq!(value(sli, &strict(), &action, &turn), Some(Value::Bad));
        }
    }

    #[test]
    fn losing_a_good_word_never_makes_good(
        mut action in actions(), turn in turns(), which in any::<prop::sample::Index>(),
    ) {
        let rules = strict();
        let before = value(Sli::OutcomeValidation, &rules, &action, &turn);
        let passes = |i: &usize| action.checks[*i].result != CheckResult::Fail;
        let passes: Vec<usize> = (0..action.checks.len()).filter(passes).collect();
        prop_assume!(!passes.is_empty() && before != Some(Value::Good));
        action.checks.remove(*which.get(&passes));
        prop_assert_ne!(value(Sli::OutcomeValidation, &rules, &action, &turn), Some(Value::Good));
    }

    #[test]
    fn the_agents_own_allow_outweighs_no_denial_of_another(
        mut action in actions(), turn in turns(), by in prop::sample::select(By::ALL), second in 0_u64..9,
    ) {
        // Of what it denied itself it may think better.
        let is_own = |it: &Decision| !is_independent(it.witness.as_ref(), &sample::action());
        let own_denial = |it: &Decision| it.outcome == Outcome::Deny && is_own(it);
        action.decisions.retain(|it| !own_denial(it));
        action.decisions.push(denied(By::Policy));
        let verdicts = |action: &Action| {
            [Sli::IntentAlignment, Sli::DeniedActions].map(|sli| value(sli, &strict(), action, &turn))
        };
        let before = verdicts(&action);
        action.decisions.push(permitted(second, by, own()));
        for (before, after) in before.into_iter().zip(verdicts(&action)) {
            prop_assert!(after != Some(Value::Good) || before == Some(Value::Good), "{before:?}, then {after:?}");
            prop_assert!(before != Some(Value::Bad) || after == Some(Value::Bad), "{before:?}, then {after:?}");
        }
    }

    #[test]
    fn losing_an_approval_never_makes_intent_good(
        mut action in actions(), mut turn in turns(), approval in decisions(),
    ) {
        let rules = strict();
        // With a plan, a call that is not approved any more may still be in the plan: another rung, another answer.
        turn.plan = Known::ABSENT;
        let without = value(Sli::IntentAlignment, &rules, &action, &turn);
        action.decisions.push(Decision { outcome: Outcome::Allow, by: By::Human, ..approval });
        let with = value(Sli::IntentAlignment, &rules, &action, &turn);
        prop_assert!(without != Some(Value::Good) || with == Some(Value::Good), "{without:?} without, {with:?} with");
    }

    #[test]
    fn only_a_proven_execution_is_good_or_pages(action in actions(), turn in turns()) {
        let rules = strict();
        let (verdicts, findings) = judge(&Context::alone(&rules, &turn), &action);
        if !action.state.is_proven_execution() {
            // An approval may have been read although nothing came of it.
            let of_runs = |sli| !matches!(sli, Sli::LineageComplete | Sli::ApprovalReviewed);
            for verdict in verdicts.iter().filter(|verdict| of_runs(verdict.sli)) {
                prop_assert_ne!(verdict.value, Value::Good, "{}", verdict.reason);
            }
            prop_assert!(findings.iter().all(|finding| finding.severity != Severity::Page));
        }
    }

    #[test]
    fn every_verdict_has_a_reason_and_a_sentence(action in actions(), turn in turns()) {
        let rules = strict();
        for verdict in judge(&Context::alone(&rules, &turn), &action).0 {
            prop_assert!(verdict.reason.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", verdict.reason);
            prop_assert!(!verdict.because.is_empty() && !verdict.because.ends_with('.'));
        }
    }

    #[test]
    fn order_of_statements_does_not_matter(action in actions(), turn in turns()) {
        let rules = strict();
        let mut turned = action.clone();
        turned.checks.reverse();
        turned.decisions.reverse();
        let strip = |action: &Action| -> Vec<(Sli, Value)> {
            let (verdicts, _) = judge(&Context::alone(&rules, &turn), action);
            verdicts.into_iter().map(|verdict| (verdict.sli, verdict.value)).collect()
        };
        prop_assert_eq!(strip(&action), strip(&turned));
    }
}

proptest! {
    /// An allow by a human, a plan's approval, a passing check: whatever the agent itself says, it makes nothing good.
    #[test]
    fn a_forged_report_of_the_agent_makes_nothing_good(
        mut action in actions(), mut turn in turns(), word in words(), granting in any::<bool>(),
    ) {
        let rules = if granting { rich() } else { strict() };
        // Of what it denied itself, or modified, it may think better.
        action.decisions.retain(|it| is_independent(it.witness.as_ref(), &sample::action()));
        turn.plan_decisions.retain(|it| is_independent(it.witness.as_ref(), &sample::action()));
        let before: Vec<_> = Sli::ALL.iter().map(|sli| value(*sli, &rules, &action, &turn)).collect();
        say(word, own(), &mut action, &mut turn);
        for (sli, before) in Sli::ALL.iter().zip(before) {
            let after = value(*sli, &rules, &action, &turn);
            prop_assert!(after != Some(Value::Good) || before == Some(Value::Good), "{sli}: {before:?}, then {after:?}");
        }
    }

    /// What was unknown becomes good only by evidence that the verdict names.
    #[test]
    fn what_becomes_good_names_what_decided(
        action in actions(), turn in turns(), word in words(), granting in any::<bool>(),
    ) {
        const NEW: u8 = 0xee;
        let rules = if granting { rich() } else { strict() };
        let (mut told, mut planned) = (action.clone(), turn.clone());
        say(word, Some(witness(NEW, Role::HumanChannel, "desk")), &mut told, &mut planned);
        let (verdicts, _) = judge(&Context::alone(&rules, &planned), &told);
        for verdict in verdicts.iter().filter(|verdict| verdict.value == Value::Good) {
            if value(verdict.sli, &rules, &action, &turn) == Some(Value::Unknown) {
                prop_assert!(verdict.evidence.contains(&sample::record(NEW)), "{verdict:?}");
            }
        }
    }
}
