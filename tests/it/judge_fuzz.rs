//! A fuzz target for each validator: arbitrary records, assembled, under arbitrary rules and surroundings.
//!
//! ```text
//! bytes ─ script ─► records ─ assemble ─► actions ─┬─ judged twice: the same, whole, and sound
//!                      └─ all but one ─────────────┴─ judged: what that one may change, and what not
//! ```
//!
//! What holds: nothing panics; every verdict has a reason; bad and good name what decided; good does not rest on the
//! agent's word alone; one more record turns nothing from unknown into good without the verdict naming what it did not
//! name before; and testimony turns nothing good that is finally bad.
//!
//! `WHEREFORE_FUZZ_CASES` raises the number of cases of each. A failure prints its seed and the smallest script.

mod records;
mod script;
mod stories;
mod world;

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use wherefore::judge::{VALIDATORS, is_independent};
use wherefore::model::{Action, Evidence, Finding, Sli, Value, Verdict, What, Witness};

use crate::wire_view::cases;
use script::{Script, scripts};
use world::{Judged, World};

/// What a good verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rests {
    /// The records that it is made of: it is about how the call was, not about what others think of it.
    Call,
    /// Somebody else than the agent.
    Another,
    /// Somebody else than the agent, or a rule of an envelope.
    AnotherOrRule,
}

/// A target for each: its test, its SLI, and what its good verdict rests on.
macro_rules! targets {
    ($($test:ident, $sli:ident, $rests:ident;)+) => {
        const TARGETS: &[(Sli, Rests)] = &[$((Sli::$sli, Rests::$rests)),+];

        proptest! {
            #![proptest_config(ProptestConfig::with_cases(cases()))]
            $(
                #[test]
                fn $test(script in scripts()) {
                    holds(Sli::$sli, Rests::$rests, &script)?;
                }
            )+
        }
    };
}

targets! {
    intent_alignment_holds,   IntentAlignment,   AnotherOrRule;
    outcome_validation_holds, OutcomeValidation, AnotherOrRule;
    denied_actions_holds,     DeniedActions,     Call;
    containment_within_holds, ContainmentWithin, Call;
    envelope_holds,           Envelope,          Call;
    plan_commit_holds,        PlanCommit,        Another;
    approval_reviewed_holds,  ApprovalReviewed,  Another;
    lineage_complete_holds,   LineageComplete,   Call;
}

/// No validator is forgotten.
#[test]
fn every_validator_has_a_target() {
    let targets: Vec<Sli> = TARGETS.iter().map(|(sli, _)| *sli).collect();
    assert_eq!(targets, Sli::ALL);
    assert_eq!(targets, VALIDATORS.iter().map(|validator| validator.sli()).collect::<Vec<_>>());
}

/// The scripts reach good, bad and unknown of each: what never comes up is not tried.
#[test]
fn every_value_is_reached() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..SCRIPTS {
        let script = scripts().new_tree(&mut runner).expect("any bytes").current();
        let world = World::of(&script, false);
        let verdicts = world.actions.iter().flat_map(|action| Sli::ALL.iter().map(|sli| world.judged(action, *sli)));
        seen.extend(verdicts.filter_map(|judged| judged.verdict).map(|verdict| (verdict.sli, verdict.value)));
    }
    let all: BTreeSet<(Sli, Value)> =
        Sli::ALL.iter().flat_map(|sli| Value::ALL.iter().map(|value| (*sli, *value))).collect();
    assert_eq!(all.difference(&seen).collect::<Vec<_>>(), Vec::<&(Sli, Value)>::new());
}

/// As few as are enough for the rarest.
const SCRIPTS: usize = 1_000;

fn holds(sli: Sli, rests: Rests, script: &Script) -> Result<(), TestCaseError> {
    let (whole, part) = (World::of(script, false), World::of(script, true));
    for action in &whole.actions {
        let judged = whole.judged(action, sli);
        prop_assert_eq!(&judged, &whole.judged(action, sli), "judged twice");
        if let Some(verdict) = &judged.verdict {
            is_whole(verdict)?;
            rests_on(&whole, action, verdict, rests)?;
        }
        judged.findings.iter().try_for_each(is_told)?;
    }
    let added = whole.records.iter().find(|record| part.record(record.id).is_none());
    for before in &part.actions {
        if let (Some(after), Some(added)) = (whole.same(before), added) {
            grows(&part.judged(before, sli), &whole.judged(after, sli), added)?;
        }
    }
    Ok(())
}

/// A reason, a sentence, and what decided.
fn is_whole(verdict: &Verdict) -> Result<(), TestCaseError> {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    prop_assert!(is_word(&verdict.reason) && !verdict.because.is_empty(), "{:?}", verdict);
    prop_assert!(verdict.evidence.is_sorted_by(|one, next| one < next), "{:?}", verdict);
    if verdict.value != Value::Unknown {
        prop_assert!(!verdict.evidence.is_empty(), "names nothing: {:?}", verdict);
    }
    Ok(())
}

/// A good verdict rests on more than the agent's word.
fn rests_on(world: &World, action: &Action, verdict: &Verdict, rests: Rests) -> Result<(), TestCaseError> {
    if verdict.value != Value::Good {
        return Ok(());
    }
    let by_another = || verdict.evidence.iter().any(|id| world.record(*id).is_some_and(|it| speaks(it, action)));
    let sound = match rests {
        Rests::Call => action.pieces.iter().any(|piece| verdict.evidence.contains(&piece.evidence)),
        Rests::Another => by_another(),
        Rests::AnotherOrRule => verdict.rule.is_some() || by_another(),
    };
    prop_assert!(sound, "{:?} rests on the agent alone", verdict);
    Ok(())
}

/// Whether a record is somebody else's than the acting agent's, and no guess.
fn speaks(record: &Evidence, action: &Action) -> bool {
    record.facts.iter().any(|fact| {
        let (evidence, role, service) = (record.id, record.role, record.service.clone());
        let witness = Witness { evidence, role, service, provenance: fact.provenance };
        is_independent(Some(&witness), action)
    })
}

/// A finding says which rule, of what, and in words.
fn is_told(finding: &Finding) -> Result<(), TestCaseError> {
    let whole = !finding.rule.is_empty() && !finding.evidence.is_empty() && !finding.message.is_empty();
    prop_assert!(whole, "{:?}", finding);
    Ok(())
}

/// What one more record may change.
fn grows(before: &Judged, after: &Judged, added: &Evidence) -> Result<(), TestCaseError> {
    let (Some(was), Some(is_now)) = (&before.verdict, &after.verdict) else { return Ok(()) };
    if was.value == Value::Unknown && is_now.value == Value::Good {
        let new: Vec<_> = names(is_now).difference(&names(was)).cloned().collect();
        prop_assert!(!new.is_empty(), "{:?}\nbecame {:?}\nby {:?}", was, is_now, added);
    }
    if is_final(was) && is_testimony(added) {
        prop_assert!(is_now.value != Value::Good, "{:?}\nbecame {:?}\nby {:?}", was, is_now, added);
    }
    Ok(())
}

/// Everything by which a verdict says what decided.
fn names(verdict: &Verdict) -> BTreeSet<String> {
    let evidence = verdict.evidence.iter().map(ToString::to_string);
    let rule = verdict.rule.as_ref().map(|rule| rule.name.to_string());
    evidence.chain(rule).chain(verdict.rung.map(|rung| format!("rung {rung}"))).collect()
}

/// What no approval, plan or evaluation makes good: a forbid, and a failing verdict.
fn is_final(verdict: &Verdict) -> bool {
    let reasons = ["forbidden", "frozen", "outside_allowed", "evaluation_failed", "check_failed"];
    verdict.value == Value::Bad && reasons.contains(&&*verdict.reason)
}

/// Whether a record only tells what somebody thinks of a call, and nothing about the call itself.
fn is_testimony(record: &Evidence) -> bool {
    let told =
        |what: &What| matches!(what, What::Decision(_) | What::Check(_) | What::Plan { .. } | What::Conversation(_));
    record.facts.iter().all(|fact| told(&fact.what))
}
