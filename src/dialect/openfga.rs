//! OpenFGA: server spans of relationship checks.
//!
//! `Check` has `store_id`, `user`, `relation`, `object`, and `allowed` when the check was answered. The spans below it
//! (resolving, storage) repeat it in parts and say nothing.
//!
//! * Nothing in it is about agents. An object of a type below is the tool that somebody asks about, and the answer a
//!   decision about it. Another object is what some service asks about on its own account: nobody is stopped by that.
//! * `user` is whose right was checked, not who decided.
//! * The authorization model is the policy's version, where it is said.
//!
//! Source: `pkg/server/check.go` of `openfga/openfga`. No recording of ours.

use crate::model::{By, Check, CheckResult, Decision, Nanos, Node, Outcome, Phase, What};

use super::draft::{a_decision, word};
use super::{Dialect, Draft, Source};

const SCOPES: &str = "openfga/";

/// What every answered check has.
const CHECK: &[&str] = &["store_id", "user", "relation", "object", "allowed"];

const MODEL: &str = "authorization_model_id";

/// Types of objects that are tools: `tool:issue_refund`.
const TOOLS: &[&str] = &["tool", "mcp_tool", "function"];

/// Spans of OpenFGA's scopes.
pub struct OpenFga;

impl Dialect for OpenFga {
    fn name(&self) -> &'static str {
        "openfga"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.span().is_some() && source.scope().starts_with(SCOPES)
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        let Some(span) = source.span().filter(|_| CHECK.iter().all(|key| source.get(key).is_some())) else { return };
        let Some(allowed) = source.get("allowed").and_then(|value| value.as_bool()) else { return };
        let text = |key| source.text(key).unwrap_or_default();
        let (relation, object) = (text("relation"), text("object"));
        draft.node = Node::Check;
        let store = match source.text(MODEL) {
            Some(model) => format!("{}@{model}", text("store_id")),
            None => text("store_id").to_owned(),
        };
        let raw = format!("allowed={allowed}: {relation} {object}");
        let Some((_, tool)) = object.split_once(':').filter(|(kind, _)| TOOLS.contains(kind)) else {
            return draft.say(looked_up(span.end, &store, allowed, &raw));
        };
        let outcome = if allowed { Outcome::Allow } else { Outcome::Deny };
        draft.say(What::Decision(Box::new(Decision {
            at: span.end,
            policies: vec![word(&store)],
            tool: Some(word(tool)),
            ..a_decision(source, outcome, By::Policy, &raw)
        })));
    }
}

/// A check that is not about a tool.
fn looked_up(at: Nanos, store: &str, allowed: bool, raw: &str) -> What {
    let result = if allowed { CheckResult::Pass } else { CheckResult::Fail };
    let check = Check::new(at, word(store), result, word(raw));
    What::Check(Box::new(Check { phase: Phase::PreAction, ..check }))
}
