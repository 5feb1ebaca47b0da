//! What is told at once, which nothing that comes later may take back.

use super::*;

fn pages(life: &Life) -> usize {
    life.events.iter().filter(|event| event.finding.severity == Severity::Page).count()
}

#[test]
fn a_forbidden_call_that_ran_is_told_in_the_same_step() {
    let mut life = Life::of(forbidding());
    life.arrives(11, [tool(1, 2, 10)]);
    assert_eq!((pages(&life), life.counted(Metric::InvariantViolations)), (1, 1));
}

/// Some frameworks make such a span for a call that a hook kept from running, and say so in the next message.
#[test]
fn a_span_that_proves_no_run_waits_for_what_comes_next() {
    let mut life = Life::of(forbidding());
    let failed = Moment::Ran { status: Status::Error("blocked".into()), proof: Proof::NeedsResult };
    life.arrives(11, [record(1, 2, Some(1), Node::Tool, (5, 10)).says(call(failed, Some("c1")))]);
    let answer = call(Moment::Answered { error: true, history: false }, Some("c1"));
    life.arrives(13, [record(1, 3, Some(1), Node::Log, (12, 12)).says(answer), root(1, 12)]);
    life.passes(2000);
    assert!(matches!(life.live()[0].state, State::Refused(_)));
    assert_eq!((pages(&life), life.counted(Metric::InvariantViolations)), (0, 0));
}
