//! Golden table of `intent_alignment`, rung 2: was exactly this call approved before it ran, and denied by nobody?

use super::*;
use crate::model::{Algorithm, Digest, Hash, Missing, Span};

#[test]
fn a_human_approved_exactly_this_call() {
    table(
        Sli::IntentAlignment,
        "",
        &[
            ("a human approved", |a, _| a.decisions.push(allowed(human())), "good approved"),
            ("the agent says a human approved", |a, _| a.decisions.push(allowed(own())), "unknown self_reported"),
            (
                "the agent's approval does not hide another's",
                |a, _| a.decisions = vec![allowed(own()), allowed(human())],
                "good approved",
            ),
            (
                "a self-report on rung 1 does not hide an approval",
                |a, _| {
                    a.checks.push(aligned(CheckResult::Pass, own()));
                    a.decisions.push(allowed(human()));
                },
                "good approved",
            ),
            (
                "approved with these parameters",
                |a, _| {
                    let parameters = a.arguments.value().map(|text| text.digest);
                    a.decisions.push(Decision { parameters, ..allowed(human()) });
                },
                "good approved",
            ),
            (
                "approved with other parameters",
                |a, _| {
                    let parameters = Some(text(r#"{"table":"accounts","id":8}"#).digest);
                    a.decisions.push(Decision { parameters, ..allowed(human()) });
                },
                "unknown approval_changed",
            ),
            (
                "digests under another key say nothing",
                |a, _| {
                    let parameters = Some(Digest { algorithm: Algorithm::Blake3, key: 3, bytes: Hash([0; 32]) });
                    a.decisions.push(Decision { parameters, ..allowed(human()) });
                },
                "unknown approval_incomparable",
            ),
            (
                "withheld parameters cannot be compared",
                |a, _| {
                    let parameters = a.arguments.value().map(|text| text.digest);
                    a.decisions.push(Decision { parameters, ..allowed(human()) });
                    a.arguments = Known::Missing(Missing::Withheld);
                },
                "unknown approval_incomparable",
            ),
            (
                "modified after the approval",
                |a, _| {
                    let modified = Decision { at: at(4), ..decision(Outcome::Modify, By::Hook) };
                    a.decisions = vec![allowed(human()), modified];
                },
                "unknown approval_changed",
            ),
            (
                "approved afterwards",
                |a, _| a.decisions.push(Decision { at: at(7), ..allowed(human()) }),
                "unknown approval_late",
            ),
            (
                "approved while it ran",
                |a, _| {
                    a.decisions.push(Decision { at: at(5) + Span::millis(900), ..allowed(human()) });
                },
                "unknown approval_late",
            ),
            (
                "approved between a first try and the run",
                |a, _| {
                    let failed = Moment::Ran { status: Status::Error("asks".into()), proof: Proof::NeedsResult };
                    let tried = Piece { start: at(1), end: at(2), ..sample::ran(0x4e) };
                    a.pieces.insert(0, said(tried, failed, ARGUMENTS));
                    a.decisions.push(allowed(human()));
                },
                "good approved",
            ),
            (
                "approved as proposed, run with other parameters",
                |a, _| {
                    a.pieces[0] = proposed(r#"{"table":"accounts","id":8}"#);
                    a.decisions.push(allowed(human()));
                },
                "unknown approval_changed",
            ),
            (
                "proposed with what it ran with only after the approval",
                |a, _| {
                    let again = Piece { start: at(4), end: at(5), ..proposed(ARGUMENTS) };
                    a.pieces[0] = proposed(r#"{"table":"accounts","id":8}"#);
                    a.pieces.insert(1, again);
                    a.decisions.push(allowed(human()));
                },
                "unknown approval_changed",
            ),
            (
                "what was asked outweighs what was proposed",
                |a, _| {
                    let asked = said(proposed(""), Moment::Asked, ARGUMENTS);
                    a.pieces[0] = proposed(r#"{"table":"accounts","id":8}"#);
                    a.pieces.insert(1, asked);
                    a.decisions.push(allowed(human()));
                },
                "good approved",
            ),
            (
                "nobody told what was proposed",
                |a, _| {
                    a.pieces[0] = proposed("");
                    a.decisions.push(allowed(human()));
                },
                "unknown approval_incomparable",
            ),
            (
                "nobody told what it ran with",
                |a, _| {
                    a.pieces[1] = sample::ran(0x50);
                    a.decisions.push(allowed(human()));
                },
                "unknown approval_incomparable",
            ),
            (
                "a changed approval leaves the plan to decide",
                |a, t| {
                    a.pieces[0] = proposed(r#"{"table":"accounts","id":8}"#);
                    a.decisions.push(allowed(human()));
                    plan(t, r#"[{"tool":"read_row"}]"#);
                },
                "bad not_in_plan",
            ),
            (
                "watched only",
                |a, _| a.decisions.push(Decision { enforced: false, ..allowed(human()) }),
                "unknown no_authority",
            ),
            (
                "a policy's allow is no intent",
                |a, _| a.decisions.push(decision(Outcome::Allow, By::Policy)),
                "unknown no_authority",
            ),
            (
                "a human's later denial takes it back",
                |a, _| a.decisions = vec![allowed(human()), Decision { at: at(4), ..denied(By::Human) }],
                "unknown no_authority",
            ),
            (
                "a denial between two approvals takes the first back",
                |a, _| {
                    let again = Decision { at: at(5), ..allowed(own()) };
                    a.decisions = vec![allowed(human()), Decision { at: at(4), ..denied(By::Human) }, again];
                },
                "unknown self_reported",
            ),
            ("a policy denied, it ran", |a, _| a.decisions.push(denied(By::Policy)), "bad ran_against_denial"),
            (
                "a human does not lift what a policy forbade",
                |a, _| a.decisions = vec![denied(By::Policy), Decision { at: at(4), ..allowed(human()) }],
                "bad ran_against_denial",
            ),
            (
                "the same kind of decider does",
                |a, _| a.decisions = vec![denied(By::Policy), permitted(4, By::Policy, gate()), allowed_at(4)],
                "good approved",
            ),
            (
                "another kind does not",
                |a, _| a.decisions = vec![denied(By::Policy), permitted(4, By::Hook, gate())],
                "bad ran_against_denial",
            ),
            (
                "not before it forbade",
                |a, _| a.decisions = vec![permitted(2, By::Policy, gate()), denied(By::Policy)],
                "bad ran_against_denial",
            ),
            (
                "nor after the call ran",
                |a, _| a.decisions = vec![denied(By::Policy), permitted(7, By::Policy, gate())],
                "bad ran_against_denial",
            ),
            (
                "the agent's own word lifts nothing that another forbade",
                |a, _| a.decisions = vec![denied(By::Policy), permitted(4, By::Policy, own())],
                "bad ran_against_denial",
            ),
            (
                "a person's denial after it does not hide it",
                |a, _| a.decisions = vec![denied(By::Policy), Decision { at: at(4), ..denied(By::Human) }],
                "bad ran_against_denial",
            ),
            (
                "the agent's word that it denied counts",
                |a, _| a.decisions.push(Decision { witness: own(), ..denied(By::Hook) }),
                "bad ran_against_denial",
            ),
            (
                "until it says otherwise",
                |a, _| {
                    let hook = Decision { witness: own(), ..denied(By::Hook) };
                    a.decisions = vec![hook, permitted(4, By::System, own())];
                },
                "unknown no_authority",
            ),
            (
                "a denial of the output is not about the call",
                |a, _| a.decisions = vec![allowed(human()), Decision { at: at(8), ..denied(By::Policy) }],
                "unknown no_authority",
            ),
        ],
    );
}
