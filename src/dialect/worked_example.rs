//! Acme Crew: one span per step, `acme.step` says what it is. A made-up convention, as short as a real one.
//!
//! | step | carries |
//! |---|---|
//! | `ask` | the user's words, in `acme.text` |
//! | `use` | a tool call: `acme.tool`, `acme.id`, `acme.in`, `acme.out` |
//! | `veto` | a call that a rule refused: the same, and `acme.rule` |

use crate::model::{By, Call, Moment, Node, Outcome, Proof, Status, What};

use super::draft::{a_decision, about};
use super::{Content, Dialect, Draft, Rules, Source};

/// Spans with a step.
pub struct AcmeCrew;

impl Dialect for AcmeCrew {
    fn name(&self) -> &'static str {
        "acme-crew"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.span().is_some() && source.text("acme.step").is_some()
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        match source.text("acme.step").unwrap_or_default() {
            "ask" => {
                draft.node = Node::Agent;
                let text = draft.attribute("acme.text");
                draft.say(What::Intent(text));
            }
            "use" => draft.own = Some(call(Moment::Ran { status: Status::Fine, proof: Proof::Ran }, source, draft)),
            "veto" => {
                let refused = call(Moment::Refused { by: By::Policy }, source, draft);
                let rule = source.text("acme.rule").unwrap_or_default();
                let denied = a_decision(source, Outcome::Deny, By::Policy, rule);
                draft.say(What::Decision(Box::new(about(&refused, denied))));
                draft.own = Some(refused);
            }
            _ => {}
        }
    }

    /// A `use` span stands for a tool that ran; without `acme.in` and `acme.out` capture is off.
    fn rules(&self, _: &Source<'_>) -> Option<Rules> {
        Some(Rules { proof: Proof::Ran, content: Content::Here })
    }
}

fn call<'a>(moment: Moment, source: &'a Source<'a>, draft: &mut Draft<'a>) -> Call {
    draft.node = Node::Tool;
    Call {
        id: source.text("acme.id").map(Into::into),
        tool: source.text("acme.tool").map(Into::into),
        arguments: draft.attribute("acme.in"),
        result: draft.attribute("acme.out"),
        ..Call::new(moment)
    }
}

// ── up to here it stands in ARCHITECTURE.md ──────────────────────────────────────────────────────────────────────

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{call, calls, facts, span_by};
    use super::*;
    use crate::model::{Known, Missing};

    const FILE: &str = include_str!("worked_example.rs");
    const ARCHITECTURE: &str = include_str!("../../ARCHITECTURE.md");

    #[test]
    fn architecture_shows_this_file() {
        let (shown, _) = FILE.split_once("\n// ── up to here").expect("the mark");
        assert!(ARCHITECTURE.contains(&format!("```rust\n{shown}```\n")), "ARCHITECTURE.md shows another file");
    }

    fn said(fields: Value) -> Vec<What> {
        let evidence = span_by(&[&AcmeCrew], fields);
        assert_eq!(evidence.dialect, "acme-crew");
        facts(evidence)
    }

    #[test]
    fn a_step_means_what_the_example_says() {
        let [What::Intent(Known::Value(text))] = &said(json!({"acme.step": "ask", "acme.text": "refund 12"}))[..]
        else {
            panic!("the user's words")
        };
        assert_eq!(&*text.head, "refund 12");

        let used =
            json!({"acme.step": "use", "acme.tool": "refund", "acme.id": "c1", "acme.in": "{}", "acme.out": "ok"});
        let ran = call(&said(used));
        assert_eq!((ran.tool.as_deref(), ran.id.as_deref()), (Some("refund"), Some("c1")));
        assert!(matches!(ran.moment, Moment::Ran { .. }) && ran.arguments.is_present() && ran.result.is_present());

        let bare = said(json!({"acme.step": "use", "acme.tool": "refund"}));
        assert_eq!(call(&bare).result.missing(), Some(Missing::Withheld));

        let vetoed = said(json!({"acme.step": "veto", "acme.tool": "refund", "acme.rule": "no refunds"}));
        assert_eq!(calls(&vetoed)[0].moment, Moment::Refused { by: By::Policy });
        assert!(vetoed.iter().any(|what| matches!(what, What::Decision(it) if &*it.raw == "no refunds")));
    }
}
