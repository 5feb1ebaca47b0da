//! Golden table of `lineage_complete`: which fields of the profile are there.

use super::*;
use crate::model::{Field, Missing, State};

#[test]
fn lineage_is_complete_when_the_profile_is_there() {
    let rules = "envelope: full\nprofile: [intent, tool, output, post_check]\n";
    table(Sli::LineageComplete, "", &[("no profile", |_, _| {}, "unknown no_profile")]);
    table(
        Sli::LineageComplete,
        rules,
        &[
            ("all there", |_, _| {}, "good complete"),
            (
                "fields outside the profile do not matter",
                |a, _| _ = a.fields.insert(Field::Policy, Known::ABSENT),
                "good complete",
            ),
            ("absent", |a, _| _ = a.fields.insert(Field::Intent, Known::ABSENT), "bad missing_intent"),
            ("lost", |a, _| _ = a.fields.insert(Field::Output, Known::Missing(Missing::Lost)), "bad missing_output"),
            ("nobody filled it in", |a, _| _ = a.fields.remove(&Field::Tool), "bad missing_tool"),
            (
                "pending",
                |a, _| _ = a.fields.insert(Field::PostCheck, Known::Missing(Missing::Pending)),
                "unknown pending",
            ),
            (
                "withheld",
                |a, _| _ = a.fields.insert(Field::Intent, Known::Missing(Missing::Withheld)),
                "unknown withheld",
            ),
            (
                "absent outweighs withheld",
                |a, _| {
                    a.fields.insert(Field::Intent, Known::Missing(Missing::Withheld));
                    a.fields.insert(Field::Tool, Known::ABSENT);
                },
                "bad missing_tool",
            ),
            ("sampled", |a, _| a.marks.sampled = true, "unknown sampled"),
            (
                "what did not run has no output",
                |a, _| {
                    a.state = State::Refused(By::Policy);
                    a.fields.insert(Field::Output, Known::ABSENT);
                    a.fields.insert(Field::PostCheck, Known::ABSENT);
                },
                "good complete",
            ),
        ],
    );
}

/// What is learnt is asked for together with what an envelope names; what is not learnt yet is unknown.
#[test]
fn a_learnt_profile_is_asked_for_and_an_envelope_tightens_it() {
    let shown = |fields: &[Field]| Learnt::Fields(fields.iter().copied().collect());
    let full = "envelope: full\nprofile: [intent, policy]\n";
    for (rules, learnt, missing, want) in [
        ("", Learnt::Off, None, "unknown no_profile"),
        ("", shown(&[]), None, "unknown not_learnt"),
        ("", shown(&[Field::Tool]), None, "good complete"),
        ("", shown(&[Field::Tool]), Some(Field::Target), "good complete"),
        ("", shown(&[Field::Tool, Field::Target]), Some(Field::Target), "bad missing_target"),
        (full, shown(&[]), None, "good complete"),
        (full, shown(&[Field::Tool]), Some(Field::Policy), "bad missing_policy"),
        (full, shown(&[Field::Tool]), Some(Field::Tool), "bad missing_tool"),
        (full, Learnt::Off, Some(Field::Tool), "good complete"),
    ] {
        let rules = match rules {
            "" => Rules::default(),
            text => crate::envelope::parse(&[("full.yaml", text)]).expect("an envelope"),
        };
        let (mut action, turn) = (called(), sample::turn());
        action.fields.extend(missing.map(|field| (field, Known::ABSENT)));
        let (verdicts, _) = judge(&Context::new(&rules, &turn, &learnt, &Around::default()), &action);
        let verdict = verdicts.iter().find(|verdict| verdict.sli == Sli::LineageComplete).expect("it applies");
        assert_eq!(format!("{} {}", verdict.value, verdict.reason), want, "{learnt:?} {missing:?}");
    }
}
