//! Langfuse SDK (4–5): `langfuse.observation.*` on spans, the kind of work in `langfuse.observation.type`.
//!
//! ```text
//! refund_desk       agent
//!   guardrail       guardrail    output = {"blocked": false, …}
//!   plan-and-act    generation   input = {messages, tools}, output = a message, model.name, usage_details
//!   retrieve        retriever    output = documents
//!   call_tool       tool         input = {"args": […], "kwargs": {…}}, output = result; no call id
//! ```
//!
//! * The application decides with decorators which functions become observations. What a decorated function was called
//!   with is `args` and `kwargs`; a function that calls tools by name has the tool's name in it.
//! * A refused call has no observation; the refusal is the tool message in the next generation's input.
//! * The verdict of a guardrail or evaluator is what its function returned: words are tabled below.
//! * `langfuse.trace.*` and `session.id` are also put on spans of other instrumentations, which stay what they are.
//!
//! Source: the attribute names of Langfuse's OpenTelemetry documentation, and recordings of 5.0.4.

use serde_json::{Map, Value};

use crate::model::{
    By, Call, Check, CheckResult, Direction, Known, Missing, Moment, Nanos, Node, Outcome, Proof, Status, What,
};

use super::draft::{a_check, a_decision, an_id, word};
use super::evaluation::result_of;
use super::message::{Message, Part, message, messages, to_json};
use super::{Content, Dialect, Draft, Rules, Source, definitions, documents, genai};

const TYPE: &str = "langfuse.observation.type";
const INPUT: &str = "langfuse.observation.input";
const OUTPUT: &str = "langfuse.observation.output";
const USAGE: &str = "langfuse.observation.usage_details";
const CONVERSATION: &[&str] = &["session.id", "langfuse.session.id"];
const TOKENS_IN: &[&str] = &["prompt_tokens", "input_tokens", "input"];
const TOKENS_OUT: &[&str] = &["completion_tokens", "output_tokens", "output"];

/// Observations with a role of their own; `span`, `event`, `chain` and `embedding` have none.
const TYPES: &[(&str, Node)] = &[
    ("agent", Node::Agent),
    ("generation", Node::Model),
    ("tool", Node::Tool),
    ("retriever", Node::Retrieval),
    ("guardrail", Node::Check),
    ("evaluator", Node::Check),
];

/// Names of functions that call any tool by its name.
const DISPATCHERS: &[&str] = &[
    "call_tool",
    "call_function",
    "dispatch",
    "dispatch_tool",
    "execute_tool",
    "handle_tool_call",
    "invoke_tool",
    "run_tool",
    "tool_call",
    "use_tool",
];
const TOOL_KEYS: &[&str] = &["name", "tool_name", "tool", "function_name"];
const ARGUMENT_KEYS: &[&str] = &["arguments", "args", "input", "tool_input", "params", "parameters"];

/// What a verdict's boolean means when it is true.
const VERDICTS: &[(&str, CheckResult)] = &[
    ("blocked", CheckResult::Fail),
    ("flagged", CheckResult::Fail),
    ("triggered", CheckResult::Fail),
    ("tripwire_triggered", CheckResult::Fail),
    ("violated", CheckResult::Fail),
    ("denied", CheckResult::Fail),
    ("passed", CheckResult::Pass),
    ("allowed", CheckResult::Pass),
    ("approved", CheckResult::Pass),
    ("safe", CheckResult::Pass),
    ("valid", CheckResult::Pass),
];

/// Where a verdict has its word and its reason.
const LABELS: &[&str] = &["verdict", "decision", "label", "result", "outcome", "status"];
const REASONS: &[&str] = &["reason", "explanation", "message", "comment"];

/// Spans with `langfuse.*` attributes.
pub struct Langfuse;

impl Dialect for Langfuse {
    fn name(&self) -> &'static str {
        "langfuse"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.span().is_some() && source.has_prefix("langfuse.")
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if let Some(id) = source.first_text(CONVERSATION) {
            draft.conversation(id);
        }
        let Some(kind) = source.text(TYPE) else { return };
        if let Some((_, node)) = TYPES.iter().find(|(name, _)| *name == kind) {
            draft.node = *node;
        }
        prompt_version(source, draft);
        match draft.node {
            Node::Agent => run(source, draft),
            Node::Model => generation(source, draft),
            Node::Tool => draft.own = Some(tool_call(source, draft)),
            Node::Retrieval => draft.say(documents::context(source.text(OUTPUT))),
            Node::Check => verdict(source, draft),
            _ => {}
        }
    }

    /// The function of an observation ran. Its input and output are captured by default.
    fn rules(&self, source: &Source<'_>) -> Option<Rules> {
        source.text(TYPE).map(|_| Rules { proof: Proof::Ran, content: Content::Here })
    }

    fn is_layer(&self) -> bool {
        true
    }
}

fn parsed(source: &Source<'_>, key: &str) -> Value {
    source.text(key).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

fn text_at<'v>(fields: &'v Map<String, Value>, keys: &[&str]) -> Option<&'v str> {
    keys.iter().find_map(|key| fields.get(*key)?.as_str())
}

/// The managed prompt that an observation used.
fn prompt_version(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(name) = source.text("langfuse.observation.prompt.name") else { return };
    let version = source.get("langfuse.observation.prompt.version");
    let version = version.and_then(|it| it.as_str().map(str::to_owned).or_else(|| Some(it.as_int()?.to_string())));
    let version = version.map_or_else(|| name.to_owned(), |version| format!("{name}@{version}"));
    draft.say(What::PromptVersion(word(&version)));
}

/// The agent, and what its root was asked for: a guardrail may stop it before any model is.
fn run(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(span) = source.span() else { return };
    draft.agent(span.name, None);
    if span.parent_span_id.is_some() {
        return;
    }
    let input = parsed(source, INPUT);
    let given = decorated(&input).and_then(|(args, kwargs)| kwargs.get("messages").or_else(|| args.first()));
    let given = given.or_else(|| input.get("messages")).unwrap_or(&input);
    let listed = messages(given);
    let said = listed.iter().rev().find(|it| it.role == "user").map(Message::text);
    if let Some(said) = said.or_else(|| given.as_str().map(str::to_owned)).filter(|said| !said.is_empty()) {
        let text = draft.text(&said);
        draft.say(What::Intent(text));
    }
}

fn generation(source: &Source<'_>, draft: &mut Draft<'_>) {
    let said = |draft: &Draft<'_>, side| draft.has(|what| matches!(what, What::Messages(it) if it.direction == side));
    if let (Some(model), false) =
        (source.text("langfuse.observation.model.name"), draft.has(|what| matches!(what, What::Model { .. })))
    {
        let usage = parsed(source, USAGE);
        let tokens = |keys: &[&str]| keys.iter().find_map(|key| usage.get(*key)?.as_u64()).unwrap_or(0);
        let (provider, tokens) = (word(""), (tokens(TOKENS_IN), tokens(TOKENS_OUT)));
        draft.say(What::Model { provider, model: word(model), tokens });
    }
    if !said(draft, Direction::Input) {
        let input = parsed(source, INPUT);
        if let Some(tools) = input.get("tools").or_else(|| input.pointer("/kwargs/tools")) {
            definitions::of_value(tools, draft);
        }
        let listed = input.get("messages").or_else(|| input.pointer("/kwargs/messages")).unwrap_or(&input);
        draft.message_json(Direction::Input, to_json(&messages(listed)));
    }
    if !said(draft, Direction::Output) {
        let answer = match (parsed(source, OUTPUT), source.text(OUTPUT)) {
            (Value::Array(listed), _) => messages(&Value::Array(listed)),
            (value @ Value::Object(_), _) => vec![message(&value)],
            (_, Some(text)) => vec![Message { role: "assistant".to_owned(), parts: vec![Part::Text(text.to_owned())] }],
            (_, None) => Vec::new(),
        };
        draft.message_json(Direction::Output, to_json(&answer));
    }
}

fn tool_call(source: &Source<'_>, draft: &mut Draft<'_>) -> Call {
    let mut call = draft.own.take().unwrap_or_else(|| Call::new(genai::moment(source)));
    if let (Moment::Ran { status: status @ Status::Fine, .. }, Some("ERROR")) =
        (&mut call.moment, source.text("langfuse.observation.level"))
    {
        *status = Status::Error(word(source.text("langfuse.observation.status_message").unwrap_or("error")));
    }
    let name = source.span().map_or("", |span| span.name);
    let (tool, arguments) = called(name, parsed(source, INPUT));
    call.tool = call.tool.or_else(|| Some(word(&tool)));
    if !call.arguments.is_present() {
        call.arguments = match arguments {
            Some(arguments) => draft.text(&arguments),
            None if source.text(INPUT).is_some_and(is_decorated) => Known::Missing(Missing::Lost),
            None => draft.attribute(INPUT),
        };
    }
    if !call.result.is_present() {
        call.result = result(source, &mut call.id, draft);
    }
    call
}

fn is_decorated(input: &str) -> bool {
    serde_json::from_str::<Value>(input).is_ok_and(|input| decorated(&input).is_some())
}

/// `{"args": […], "kwargs": {…}}`
fn decorated(input: &Value) -> Option<(&Vec<Value>, &Map<String, Value>)> {
    Some((input.get("args")?.as_array()?, input.get("kwargs")?.as_object()?))
}

/// The tool and its arguments. Positional arguments have no names: as parameters they are lost.
fn called(function: &str, input: Value) -> (String, Option<String>) {
    let Some((args, kwargs)) = decorated(&input) else {
        return (function.to_owned(), input.is_object().then(|| input.to_string()));
    };
    if DISPATCHERS.contains(&function) {
        let named = text_at(kwargs, TOOL_KEYS).or_else(|| args.first()?.as_str());
        let given = ARGUMENT_KEYS.iter().find_map(|key| kwargs.get(*key));
        let given = given.or_else(|| args.get(usize::from(text_at(kwargs, TOOL_KEYS).is_none())));
        if let Some(tool) = named {
            return (tool.to_owned(), given.map(text_of));
        }
    }
    let arguments = match (&args[..], kwargs.is_empty()) {
        ([], _) => Some(Value::Object(kwargs.clone()).to_string()),
        ([only @ Value::Object(_)], true) => Some(only.to_string()),
        _ => None,
    };
    (function.to_owned(), arguments)
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The result; LangChain's tool message has the call id beside it.
fn result(
    source: &Source<'_>,
    id: &mut Option<std::sync::Arc<str>>,
    draft: &mut Draft<'_>,
) -> Known<crate::model::Text> {
    let output = parsed(source, OUTPUT);
    let answered =
        output.as_object().and_then(|fields| Some((text_at(fields, &["tool_call_id"])?, fields.get("content")?)));
    match answered {
        Some((call, content)) => {
            *id = id.take().or_else(|| an_id(call));
            draft.text(&text_of(content))
        }
        None => draft.attribute(OUTPUT),
    }
}

/// What a guardrail or an evaluator returned. A guardrail also decides.
fn verdict(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(span) = source.span() else { return };
    let output = parsed(source, OUTPUT);
    let (label, result) = read_verdict(&output);
    let reason = output.as_object().and_then(|fields| text_at(fields, REASONS));
    let explanation = reason.map_or(Known::ABSENT, |reason| draft.text(reason));
    let score = output.get("score").unwrap_or(&output).as_f64().map(|score| score.to_string().into());
    let at: Nanos = span.end;
    draft.say(What::Check(Box::new(Check {
        label: word(&label),
        score,
        explanation,
        ..a_check(source, span.name, result)
    })));
    let outcome = match result {
        CheckResult::Pass => Outcome::Allow,
        CheckResult::Fail => Outcome::Deny,
        CheckResult::Unknown => return,
    };
    if source.text(TYPE) == Some("guardrail") {
        let mut decision = a_decision(source, outcome, By::Policy, &label);
        decision.at = at;
        draft.say(What::Decision(Box::new(decision)));
    }
}

/// `{"blocked": true}`, `{"verdict": "pass"}`, or the word alone.
fn read_verdict(output: &Value) -> (String, CheckResult) {
    let Some(fields) = output.as_object() else {
        let label = output.as_str().unwrap_or_default();
        return (label.to_owned(), result_of(label));
    };
    for (key, when_true) in VERDICTS {
        if let Some(said) = fields.get(*key).and_then(Value::as_bool) {
            let opposite = if *when_true == CheckResult::Pass { CheckResult::Fail } else { CheckResult::Pass };
            return (format!("{key}={said}"), if said { *when_true } else { opposite });
        }
    }
    let label = text_at(fields, LABELS).unwrap_or_default();
    (label.to_owned(), result_of(label))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_called_tool_is_told_from_the_function() {
        for (function, input, tool, arguments) in [
            ("call_tool", json!({"args": ["get_order", {"id": 1}], "kwargs": {}}), "get_order", Some(r#"{"id":1}"#)),
            (
                "run_tool",
                json!({"args": [], "kwargs": {"name": "get_order", "arguments": {"id": 1}}}),
                "get_order",
                Some(r#"{"id":1}"#),
            ),
            ("call_tool", json!({"args": [], "kwargs": {"id": 1}}), "call_tool", Some(r#"{"id":1}"#)),
            ("get_order", json!({"args": [], "kwargs": {"id": 1}}), "get_order", Some(r#"{"id":1}"#)),
            ("get_order", json!({"args": [{"id": 1}], "kwargs": {}}), "get_order", Some(r#"{"id":1}"#)),
            ("get_order", json!({"args": ["A-1", {"id": 1}], "kwargs": {}}), "get_order", None),
            ("get_order", json!({"id": 1}), "get_order", Some(r#"{"id":1}"#)),
            ("get_order", Value::Null, "get_order", None),
        ] {
            let want = (tool.to_owned(), arguments.map(str::to_owned));
            assert_eq!(called(function, input.clone()), want, "{function} {input}");
        }
    }

    #[test]
    fn a_verdict_is_read_in_either_sense() {
        for (output, label, want) in [
            (json!({"blocked": true, "policy": "scope"}), "blocked=true", CheckResult::Fail),
            (json!({"blocked": false, "policy": "scope"}), "blocked=false", CheckResult::Pass),
            (json!({"passed": false}), "passed=false", CheckResult::Fail),
            (json!({"verdict": "pass"}), "pass", CheckResult::Pass),
            (json!("unsafe"), "unsafe", CheckResult::Fail),
            (json!({"policy": "scope"}), "", CheckResult::Unknown),
            (json!(true), "", CheckResult::Unknown),
        ] {
            assert_eq!(read_verdict(&output), (label.to_owned(), want), "{output}");
        }
    }
}
