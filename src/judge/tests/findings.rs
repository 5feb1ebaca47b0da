//! What findings say: how loud, about what, under which id.

use super::*;
use crate::model::{Execution, Key, Severity, State};

fn found(rules: &str, change: fn(&mut Action)) -> Vec<Finding> {
    let (mut action, turn, rules) = (sample::action(), sample::turn(), rules_of(rules));
    change(&mut action);
    at_once(&Context::alone(&rules, &turn), &action)
}

#[test]
fn findings_are_as_loud_as_the_evidence_allows() {
    let proven: fn(&mut Action) = |_| {};
    let unproven: fn(&mut Action) = |action| action.state = State::Executed(Execution::UnknownResult);
    let refused: fn(&mut Action) = |action| action.state = State::Refused(By::Policy);
    for (mode, change, want) in [
        ("enforce", proven, ("envelope.prod.no-deletes", Severity::Page)),
        ("warn", proven, ("envelope.prod.no-deletes", Severity::Ticket)),
        ("shadow", proven, ("envelope.prod.no-deletes", Severity::Info)),
        ("enforce", unproven, ("envelope.prod.no-deletes", Severity::Ticket)),
        ("shadow", unproven, ("envelope.prod.no-deletes", Severity::Info)),
        ("enforce", refused, ("envelope.prod.no-deletes.attempt", Severity::Info)),
        ("warn", refused, ("envelope.prod.no-deletes.attempt", Severity::Info)),
    ] {
        let rules = FREEZE.replace("effect:", &format!("mode: {mode}\n    effect:"));
        let found = found(&rules, change);
        assert_eq!(found.iter().map(|f| (&*f.rule, f.severity)).collect::<Vec<_>>(), [want], "{mode}");
    }
    assert!(found("", proven).is_empty() && found(FREEZE, |a| a.target = Known::ABSENT).is_empty());
}

#[test]
fn a_finding_says_what_where_and_why() {
    let [finding] = &found(FREEZE, |_| {})[..] else { panic!("one rule, one finding") };
    let want = "`delete_row` on `pg://prod/accounts` ran, and envelope `prod` forbids it (`no-deletes`): freeze";
    assert_eq!(&*finding.message, want);
    assert_eq!((&finding.evidence[..], finding.at), (&[sample::record(0x50)][..], at(6)));
}

#[test]
fn a_finding_keeps_its_id_while_evidence_grows() {
    let first = &found(FREEZE, |_| {})[0];
    let grown = &found(FREEZE, |action| {
        action.revision = 9;
        action.id = crate::model::ActionId([9; 16]);
        action.pieces.push(sample::ran(0x51));
        action.keys.push(Key::Mcp("session".into(), "1".into()));
    })[0];
    assert_eq!(first.id, grown.id);
    let elsewhere = &found(FREEZE, |action| action.tenant = crate::model::Tenant::new("other"))[0];
    let attempt = &found(FREEZE, |action| action.state = State::Proposed)[0];
    assert!(first.id != elsewhere.id && first.id != attempt.id);
}

#[test]
fn violations_are_enforced_and_proven() {
    let count = |rules: &str, change: fn(&mut Action)| {
        let (mut action, turn, rules) = (sample::action(), sample::turn(), rules_of(rules));
        change(&mut action);
        violated(&Context::alone(&rules, &turn), &action).len()
    };
    assert_eq!(count(FREEZE, |_| {}), 1);
    assert_eq!(count(FREEZE, |action| action.state = State::Executed(Execution::UnknownResult)), 0);
    assert_eq!(count(FREEZE, |action| action.state = State::Asked), 0);
    assert_eq!(count(&FREEZE.replace("effect:", "mode: warn\n    effect:"), |_| {}), 0);
}
