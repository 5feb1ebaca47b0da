//! Golden table of `approval_reviewed`: did whoever approved have the time to read?
//!
//! From `slo.md` §5: a rubber stamp is an approval after less than 1 s and one more for each 75 characters, between 2
//! and 30. The sample's parameters have 27 characters: 2 seconds. It was proposed until second 2.

use super::*;
use crate::model::Span;

fn ask(second: u64, witness: Option<Witness>) -> Decision {
    Decision { at: at(second), witness, ..decision(Outcome::Ask, By::Policy) }
}

/// Asked in one second, allowed in another.
fn answered(s: &mut Setting, asked: u64, allowed: u64) {
    s.decided(ask(asked, gate()));
    s.decided(allowed_at(allowed));
}

/// The human was asked for so long, as the producer measured.
fn waited(span: Span, witness: Option<Witness>) -> Decision {
    Decision { waited: Some(span), ..allowed(witness) }
}

/// Parameters of so many characters.
fn long(s: &mut Setting, characters: usize) {
    s.action.arguments = Known::Value(text(&format!("\"{}\"", "x".repeat(characters - 2))));
}

#[test]
fn an_approval_takes_as_long_as_reading() {
    golden(
        Sli::ApprovalReviewed,
        "",
        &[
            ("after 2 seconds", |s| answered(s, 1, 3), "good reviewed", ""),
            ("after 1 second", |s| answered(s, 2, 3), "bad rubber_stamp", ""),
            ("at once", |s| answered(s, 3, 3), "bad rubber_stamp", ""),
            ("measured: 2 seconds", |s| s.decided(waited(Span::seconds(2), human())), "good reviewed", ""),
            ("measured: less", |s| s.decided(waited(Span::millis(1_999), human())), "bad rubber_stamp", ""),
            (
                "what was measured outweighs what was asked when",
                |s| {
                    s.decided(ask(0, gate()));
                    s.decided(waited(Span::seconds(1), human()));
                },
                "bad rubber_stamp",
                "",
            ),
            (
                "asked twice: since the last time",
                |s| {
                    s.decided(ask(0, gate()));
                    answered(s, 3, 4);
                },
                "bad rubber_stamp",
                "",
            ),
            (
                "750 characters take 11 seconds",
                |s| {
                    long(s, 750);
                    answered(s, 1, 11);
                },
                "bad rubber_stamp",
                "",
            ),
            (
                "and not longer",
                |s| {
                    long(s, 750);
                    answered(s, 1, 12);
                },
                "good reviewed",
                "",
            ),
            (
                "nobody needs longer than 30",
                |s| {
                    long(s, 75_000);
                    answered(s, 1, 31);
                },
                "good reviewed",
                "",
            ),
            (
                "but 30",
                |s| {
                    long(s, 75_000);
                    answered(s, 2, 31);
                },
                "bad rubber_stamp",
                "",
            ),
        ],
    );
}

#[test]
fn nobody_says_how_long_is_unknown() {
    golden(
        Sli::ApprovalReviewed,
        "",
        &[
            (
                "not even proposed",
                |s| {
                    s.action.pieces.remove(0);
                    s.decided(allowed_at(4));
                },
                "unknown wait_unknown",
                "",
            ),
            ("proposed, and enough time for an ask", |s| s.decided(allowed_at(4)), "unknown wait_unknown", ""),
            ("proposed a second before", |s| s.decided(allowed_at(3)), "bad rubber_stamp", ""),
            (
                "only the agent says when it asked",
                |s| {
                    s.decided(ask(0, own()));
                    s.decided(allowed_at(4));
                },
                "unknown self_reported",
                "",
            ),
            (
                "only the agent says who answered",
                |s| {
                    s.decided(ask(0, gate()));
                    s.decided(Decision { at: at(4), ..allowed(own()) });
                },
                "unknown self_reported",
                "",
            ),
            (
                "only the agent says how long",
                |s| s.decided(waited(Span::seconds(9), own())),
                "unknown self_reported",
                "",
            ),
            ("its bad word counts", |s| s.decided(waited(Span::seconds(1), own())), "bad rubber_stamp", ""),
            (
                "nobody knows how much there was to read",
                |s| {
                    s.withhold_parameters();
                    s.decided(waited(Span::seconds(29), human()));
                },
                "unknown length_unknown",
                "",
            ),
            (
                "nobody needs longer for it",
                |s| {
                    s.withhold_parameters();
                    s.decided(waited(Span::seconds(30), human()));
                },
                "good reviewed",
                "",
            ),
            (
                "nobody reads anything so fast",
                |s| {
                    s.withhold_parameters();
                    s.decided(waited(Span::seconds(1), human()));
                },
                "bad rubber_stamp",
                "",
            ),
        ],
    );
}

#[test]
fn it_is_asked_of_approvals_by_people_alone() {
    golden(
        Sli::ApprovalReviewed,
        "",
        &[
            ("nobody decided", |_| {}, "-", ""),
            ("a policy allowed it", |s| s.decided(decision(Outcome::Allow, By::Policy)), "-", ""),
            ("a person denied it", |s| s.decided(denied(By::Human)), "-", ""),
            (
                "approved, then denied",
                |s| {
                    answered(s, 2, 3);
                    s.decided(Decision { at: at(4), ..denied(By::Human) });
                },
                "-",
                "",
            ),
            (
                "denied, then approved: the last counts",
                |s| {
                    s.decided(denied(By::Human));
                    s.decided(Decision { at: at(4), ..waited(Span::seconds(9), human()) });
                },
                "good reviewed",
                "",
            ),
            (
                "changed and allowed",
                |s| s.decided(Decision { outcome: Outcome::Modify, ..waited(Span::seconds(9), human()) }),
                "good reviewed",
                "",
            ),
            ("a grant used again", |s| s.decided(Decision { standing: true, ..waited(Span(0), human()) }), "-", ""),
            ("only watched", |s| s.decided(Decision { enforced: false, ..waited(Span(0), human()) }), "-", ""),
            ("a guess", |s| s.decided(waited(Span(0), inferred(Role::HumanChannel))), "-", ""),
            (
                "refused although approved",
                |s| {
                    s.action.state = crate::model::State::Refused(By::Policy);
                    answered(s, 1, 3);
                },
                "good reviewed",
                "",
            ),
        ],
    );
}

/// A name is another's only beside the acting one.
#[test]
fn of_a_call_that_nobody_tells_of_no_name_is_independent() {
    fn untold(s: &mut Setting, role: Role) {
        s.action.pieces.clear();
        s.action.state = crate::model::State::Refused(By::Policy);
        long(s, 10);
        s.decided(waited(Span::seconds(9), Some(witness(0x31, role, "approvals"))));
    }
    golden(
        Sli::ApprovalReviewed,
        "",
        &[
            ("by its name alone", |s| untold(s, Role::Unspecified), "unknown self_reported", ""),
            ("by its token", |s| untold(s, Role::HumanChannel), "good reviewed", ""),
        ],
    );
}
