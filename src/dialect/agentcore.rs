//! AWS AgentCore: gateway and policy spans (Cedar), and the session of what runs in its runtime.
//!
//! ```text
//! AgentCore.Gateway.ListTools
//!   AgentCore.Policy.PartiallyAuthorizeActions   denied_tools[]: these are not listed, so nobody calls them
//! AgentCore.Gateway.InvokeTool                   tool.name, decision, mode
//!   AgentCore.Policy.AuthorizeAction             decision, mode, determining policies, reason of a denial
//!   AgentCore.Gateway.InvokeTool.<tool>          the target was called
//! ```
//!
//! * The gateway and its policy each tell of a decision, and they agree; only the first names the tool, only the second
//!   the policies.
//! * In mode `LOG_ONLY` a denial blocked nothing: it is a warning that was not enforced.
//! * A tool is named `target___tool`, which is how the model knows it.
//! * No span names a principal or a policy's version. `aws.request.id` is the gateway's and no call id.
//!
//! Source: `observability-policy-metrics` of the AgentCore developer guide, and two public captures of July and
//! August 2026. No recording of ours.

use std::sync::Arc;

use crate::model::{By, Call, Decision, GrantScope, Moment, Node, Outcome, Proof, Status, What};
use crate::wire::AnyValue;

use super::draft::{a_decision, word};
use super::{Content, Dialect, Draft, Rules, Source, genai};

const NAMES: &str = "AgentCore.";
const INVOKE: &str = "AgentCore.Gateway.InvokeTool";
const AUTHORIZE: &str = "AgentCore.Policy.AuthorizeAction";
const LISTED: &str = "AgentCore.Policy.PartiallyAuthorizeActions";

/// The resource of everything that runs in the runtime: its `session.id` is the conversation.
const PLATFORM: (&str, &str) = ("cloud.platform", "aws_bedrock_agentcore");

const DECISION: &str = "aws.agentcore.policy.authorization_decision";
const MODE: &str = "aws.agentcore.gateway.policy.mode";
const ENGINE: &str = "aws.agentcore.gateway.policy.arn";
const REASON: &str = "aws.agentcore.policy.authorization_reason";
const DETERMINING: &str = "aws.agentcore.policy.determining_policies";
/// Policies that are only tried out and would have decided otherwise.
const FLIPPING: &str = "aws.agentcore.policy.log_only_decision_flipping_policies";
const DENIED_TOOLS: &str = "aws.agentcore.policy.denied_tools";

/// The mode in which policies only watch.
const LOG_ONLY: &str = "LOG_ONLY";

/// More entries than a gateway lists; the rest of a longer array is ignored.
const MAX_ENTRIES: usize = 256;

/// Spans of the gateway and of its policy, and the session of the runtime.
pub struct AgentCore;

impl Dialect for AgentCore {
    fn name(&self) -> &'static str {
        "agentcore"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        is_own(source) || source.span().is_some() && session(source).is_some()
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        let Some(span) = source.span() else { return };
        if let Some(id) = session(source).filter(|_| !draft.has(|what| matches!(what, What::Conversation(_)))) {
            draft.conversation(id);
        }
        if let Some(engine) = source.text(ENGINE) {
            draft.say(What::Policy(word(engine)));
        }
        match span.name {
            INVOKE => invoked(source, draft),
            AUTHORIZE => {
                draft.node = Node::Check;
                decided(None, source, draft);
            }
            LISTED => not_listed(source, draft),
            name => {
                if let Some(tool) = name.strip_prefix(INVOKE).and_then(|rest| rest.strip_prefix('.')) {
                    called(tool, source, draft);
                }
            }
        }
    }

    /// Neither gateway nor policy ever carries content. Its attributes on a framework's span are the framework's.
    fn rules(&self, source: &Source<'_>) -> Option<Rules> {
        is_named(source).then_some(Rules { proof: Proof::Ran, content: Content::Optional })
    }

    /// The session of other dialects' records.
    fn is_layer(&self) -> bool {
        true
    }
}

fn is_own(source: &Source<'_>) -> bool {
    is_named(source) || source.has_prefix("aws.agentcore.")
}

fn is_named(source: &Source<'_>) -> bool {
    source.span().is_some_and(|span| span.name.starts_with(NAMES))
}

fn session<'a>(source: &Source<'a>) -> Option<&'a str> {
    let id = source.text("session.id")?;
    (source.received.resource.attributes().text(PLATFORM.0) == Some(PLATFORM.1)).then_some(id)
}

/// The gateway was asked for a tool. When its policy denied that, it called nothing.
fn invoked(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(tool) = source.text("tool.name") else { return };
    let denied = source.text(DECISION) == Some("DENY") && source.text(MODE) != Some(LOG_ONLY);
    let moment = match denied {
        true => Moment::Refused { by: By::Policy },
        false => Moment::Ran { status: status(source), proof: Proof::Ran },
    };
    of_tool(tool, moment, draft);
    decided(Some(tool), source, draft);
}

/// The gateway called the target behind a tool.
fn called(tool: &str, source: &Source<'_>, draft: &mut Draft<'_>) {
    of_tool(tool, Moment::Ran { status: status(source), proof: Proof::Ran }, draft);
}

fn of_tool(tool: &str, moment: Moment, draft: &mut Draft<'_>) {
    draft.node = Node::Tool;
    let mut call = Call::new(moment);
    call.tool = Some(word(tool));
    draft.own = Some(call);
}

/// An HTTP status is an error where the span's own says nothing.
fn status(source: &Source<'_>) -> Status {
    let code = source.first_count(&["http.response.status_code", "http.status_code"]).filter(|code| *code >= 400);
    match (genai::status(source), code) {
        (Status::Fine, Some(code)) => Status::Error(word(&format!("status {code}"))),
        (status, _) => status,
    }
}

/// The decision about one call, and what policies that are only tried out would have decided.
fn decided(tool: Option<&str>, source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(raw) = source.text(DECISION) else { return };
    let mode = source.text(MODE).unwrap_or_default();
    let enforced = mode != LOG_ONLY;
    let outcome = match (raw, enforced) {
        ("ALLOW", _) => Outcome::Allow,
        ("DENY", true) => Outcome::Deny,
        ("DENY", false) => Outcome::Warn,
        _ => return,
    };
    let reason = source.text(REASON).map(|reason| format!(": {reason}")).unwrap_or_default();
    let made = |outcome, enforced, raw: &str, policies| Decision {
        enforced,
        policies,
        tool: tool.map(word),
        ..at_end(source, outcome, raw)
    };
    let decision = made(outcome, enforced, &format!("{raw}/{mode}{reason}"), texts(source, DETERMINING));
    draft.say(What::Decision(Box::new(decision)));
    let flipping = texts(source, FLIPPING);
    if outcome == Outcome::Allow && !flipping.is_empty() {
        let warning = made(Outcome::Warn, false, "DENY by policies that only log", flipping);
        draft.say(What::Decision(Box::new(warning)));
    }
}

/// Tools that were taken from the list: denials before anybody called.
fn not_listed(source: &Source<'_>, draft: &mut Draft<'_>) {
    draft.node = Node::Check;
    let mode = source.text(MODE).unwrap_or_default();
    let enforced = mode != LOG_ONLY;
    let outcome = if enforced { Outcome::Deny } else { Outcome::Warn };
    for tool in texts(source, DENIED_TOOLS) {
        draft.say(What::Decision(Box::new(Decision {
            enforced,
            scope: GrantScope::Session,
            tool: Some(tool),
            ..at_end(source, outcome, &format!("not listed/{mode}"))
        })));
    }
}

fn at_end(source: &Source<'_>, outcome: Outcome, raw: &str) -> Decision {
    let made = a_decision(source, outcome, By::Policy, raw);
    Decision { at: source.span().map_or(made.at, |span| span.end), ..made }
}

/// An array of texts, or one text.
fn texts(source: &Source<'_>, key: &str) -> Vec<Arc<str>> {
    match source.get(key) {
        Some(AnyValue::Array(array)) => {
            array.iter().take(MAX_ENTRIES).filter_map(|entry| entry.as_str().map(word)).collect()
        }
        Some(AnyValue::Str(one)) if !one.is_empty() => vec![word(one)],
        _ => Vec::new(),
    }
}
