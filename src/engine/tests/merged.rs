//! Calls that turn out to be one: two tool spans of one name, and later the span that shows that one is inside the
//! other.

use super::*;

/// The inner span's parent is lost at first.
fn nested(inner: impl Fn(Evidence) -> Evidence, (outer_id, inner_id): (u32, u32)) -> [Evidence; 2] {
    let outer = record(1, outer_id, Some(1), Node::Tool, (5, 10));
    let hidden = record(1, inner_id, Some(4), Node::Tool, (6, 9));
    [inner(outer), inner(hidden)]
}

fn between(outer_id: u32) -> Evidence {
    record(1, 4, Some(outer_id), Node::Other, (5, 10))
}

fn states(life: &Life) -> Vec<FindingState> {
    // Nobody contains the incident, which is a finding of its own.
    let own = life.events.iter().filter(|event| !event.finding.rule.starts_with("containment."));
    own.map(|event| event.finding.state).collect()
}

#[test]
fn of_two_pages_for_one_call_one_is_superseded_and_none_stays_open_for_ever() {
    for settled in [false, true] {
        let mut life = Life::of(forbidding());
        life.arrives(11, nested(|span| span.says(call(ran(), None)), (2, 3)));
        if settled {
            life.arrives(12, [root(1, 11)]);
            life.passes(100);
        }
        let second = if settled { 101 } else { 12 };
        life.arrives(second, [between(2)]);
        life.passes(2000);
        assert_eq!(states(&life), [FindingState::Open, FindingState::Open, FindingState::Superseded]);
        let incident = life.engine.incidents().next().expect("an incident");
        assert_eq!(incident.findings.len(), 1);

        // The call hands over to another agent after all: it is an edge, and no action.
        life.arrives(second + 2001, [record(1, 9, Some(2), Node::Agent, (6, 7))]);
        life.passes(5000);
        assert_eq!(states(&life).last(), Some(&FindingState::Retracted));
        assert_eq!(life.engine.incidents().count(), 0);
    }
}

/// Whichever of the two has the smaller key, and so the older name.
#[test]
fn an_action_is_no_retry_of_its_own_tombstone() {
    for ids in [(2, 3), (3, 2)] {
        let denied = |span: Evidence| {
            let deny = Decision { enforced: true, ..sample::decision(Outcome::Deny, By::Policy) };
            span.says(call(Moment::Asked, None)).says(What::Decision(Box::new(deny)))
        };
        let mut life = Life::of(Configuration::default());
        let [outer, inner] = nested(denied, ids);
        life.arrives(11, [outer, inner, root(1, 20)]);
        life.passes(100);
        assert_eq!(life.live().len(), 2);
        life.arrives(101, [between(ids.0)]);
        life.passes(2000);
        let [action] = life.live()[..] else { panic!("not one action: {:#?}", life.live()) };
        assert_eq!(action.retry_of, None);
        let verdict = action.verdict(Sli::DeniedActions).expect("a verdict");
        assert_eq!(verdict.value, Value::Bad);
        let bad = |life: &Life| life.engine.ledger().cells().map(|(_, cell)| cell.bad).sum::<u64>();
        assert_eq!(bad(&life), 1, "the denial is in the ledger once");
    }
}

/// Of many attempts of one thing the first is the denial, whatever order they settle in; the others are its retries.
#[test]
fn the_first_of_many_denied_attempts_leads_the_others() {
    let mut life = Life::of(Configuration::default());
    let attempt = |span: u32| {
        let start = 100 - u64::from(span);
        let refused = call(Moment::Refused { by: By::Policy }, Some(&format!("c{span}")));
        record(1, span, Some(1), Node::Tool, (start, start + 1)).says(refused)
    };
    life.arrives(101, (2..40).map(attempt).chain([root(1, 100)]));
    life.passes(2000);
    let first = life.live().into_iter().min_by_key(|action| action.start).expect("an action").id;
    for action in life.live() {
        assert_eq!(action.retry_of, (action.id != first).then_some(first));
    }
}
