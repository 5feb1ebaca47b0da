//! Refusals in runs that others recorded, against the ground truth in their files.
//!
//! AgentDojo's and AgentDyn's runs are too large to be part of the project. The test looks for them in the folder that
//! `WHEREFORE_TRAJECTORIES` names, else near the checkout, and says that it is skipped where they are not. The files
//! hold the messages of each run; they are told here as an agent with OTel GenAI would tell them: `invoke_agent`, with
//! a `chat` for each answer of the model and an `execute_tool` for each call.
//!
//! Who turned a call away, by the words of the runs themselves:
//!
//! | error of the tool message | what happened |
//! |---|---|
//! | `ValidationError: The tool '…' is not allowed. …` | Progent's policy denied it |
//! | `Invalid tool … provided.` | the runtime does not offer it: how a tool filter's work looks to a model |
//! | anything else | the tool failed, or its arguments were no good |
//!
//! Progent also checks arguments. It answers with the message of a JSON Schema, which any tool's own check could write:
//! those calls failed, and nothing says that a policy was at work.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use wherefore::engine::Configuration;
use wherefore::model::{By, Execution, Role, State, Tenant};
use wherefore::pipeline::Offline;

use crate::support::checkers::skipped;
use crate::support::otlp::{attributes, spans};

const FOLDER: &str = "WHEREFORE_TRAJECTORIES";
/// Where else the runs may lie, from the checkout's folder or one around it.
const NEAR: &str = "shared/data/trajectories";

#[test]
fn what_progent_denied_is_refused_by_policy() {
    let Some(runs) = runs("agentdyn.jsonl.zst", "progent") else { return };
    for tool_spans in [true, false] {
        let fates = compare(&runs, tool_spans);
        assert_eq!((fates[&Fate::Denied], fates[&Fate::NotOffered]), (381, 1), "{fates:?}");
    }
}

#[test]
fn what_a_tool_filter_took_away_is_refused_by_the_system() {
    let Some(dyn_runs) = runs("agentdyn.jsonl.zst", "tool_filter") else { return };
    let Some(dojo_runs) = runs("agentdojo.jsonl.zst", "tool_filter") else { return };
    for tool_spans in [true, false] {
        for (runs, not_offered) in [(&dyn_runs, Some(&8)), (&dojo_runs, None)] {
            let fates = compare(runs, tool_spans);
            assert_eq!((fates.get(&Fate::Denied), fates.get(&Fate::NotOffered)), (None, not_offered), "{fates:?}");
        }
    }
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Ran,
    Failed,
    Denied,
    NotOffered,
    /// The run ended with it.
    Unanswered,
}

/// By the error in the tool's message.
fn fate(error: Option<&str>) -> Fate {
    match error {
        None => Fate::Ran,
        Some(error) if error.starts_with("ValidationError: The tool '") && error.contains("' is not allowed") => {
            Fate::Denied
        }
        Some(error) if error.starts_with("Invalid tool ") && error.ends_with(" provided.") => Fate::NotOffered,
        Some(_) => Fate::Failed,
    }
}

/// As the fold sees it.
fn seen(state: &State) -> Option<Fate> {
    match state {
        State::Executed(Execution::Ok) => Some(Fate::Ran),
        State::Executed(Execution::Failed(_)) => Some(Fate::Failed),
        State::Refused(By::Policy) => Some(Fate::Denied),
        State::Refused(By::System) => Some(Fate::NotOffered),
        State::Proposed | State::Expired => Some(Fate::Unanswered),
        _ => None,
    }
}

fn is_refusal(fate: Option<Fate>) -> Option<Fate> {
    fate.filter(|fate| matches!(fate, Fate::Denied | Fate::NotOffered))
}

/// Folds every run, and holds each call of each to what became of it; without tool spans, to whether it was refused.
/// The sums.
fn compare(runs: &[Value], tool_spans: bool) -> BTreeMap<Fate, usize> {
    let mut sums = BTreeMap::new();
    let mut fold = Offline::new(Configuration::default());
    for (number, run) in runs.iter().enumerate() {
        let (signal, body) = spans(&Told::new(number, run).request(tool_spans));
        fold.request(&Tenant::default(), Role::Agent, signal, &body).expect("a request that can be read");
    }
    let (outcome, _) = fold.finish();
    assert_eq!(outcome.rejected, 0);
    let mut found: BTreeMap<(Arc<str>, Arc<str>), Option<Fate>> = BTreeMap::new();
    for action in outcome.actions.values() {
        let turn = &outcome.turns[&action.turn];
        let conversation = &turn.conversation.as_ref().expect("each run names its conversation").value.1;
        let call = action.call_id.clone().expect("each call has an id");
        let before = found.insert((conversation.clone(), call), seen(&action.state));
        assert_eq!(before, None, "a call is one action: {action:#?}");
    }
    for (number, run) in runs.iter().enumerate() {
        for (call, want) in calls(run) {
            let name = (conversation(number).into(), call.into());
            let is = found.remove(&name).unwrap_or_else(|| panic!("{name:?} is no action"));
            assert!(
                is == Some(want) || !tool_spans && is_refusal(is) == is_refusal(Some(want)),
                "{name:?} {want:?} {is:?}"
            );
            *sums.entry(want).or_default() += 1;
        }
    }
    assert!(found.is_empty(), "an action for each call, and none besides: {found:?}");
    sums
}

/// The calls of a run, and what became of each.
fn calls(run: &Value) -> impl Iterator<Item = (&str, Fate)> {
    let messages = messages(run);
    messages.iter().enumerate().flat_map(move |(index, message)| {
        let calls = message["tool_calls"].as_array().into_iter().flatten();
        calls.map(move |call| {
            let answer = answer(&messages[index + 1..], &call["id"]);
            let fate = answer.map_or(Fate::Unanswered, |answer| fate(answer["error"].as_str()));
            (call["id"].as_str().expect("an id"), fate)
        })
    })
}

fn messages(run: &Value) -> &[Value] {
    run["messages"].as_array().expect("messages")
}

fn conversation(number: usize) -> String {
    format!("run-{number}")
}

/// A run, told in spans of OTel GenAI.
struct Told<'a> {
    number: usize,
    run: &'a Value,
    spans: Vec<Value>,
    clock: u64,
}

impl<'a> Told<'a> {
    fn new(number: usize, run: &'a Value) -> Self {
        // A day for each ten runs, so that none is near another.
        Self { number, run, spans: Vec::new(), clock: 1_750_000_000_000 + 8_640_000 * number as u64 }
    }

    fn request(mut self, tool_spans: bool) -> Value {
        let start = self.clock;
        let messages = messages(self.run);
        for (index, message) in messages.iter().enumerate().filter(|(_, message)| message["role"] == "assistant") {
            let heard: Vec<Value> = messages[..index].iter().map(as_message).collect();
            let chat = json!({ "gen_ai.operation.name": "chat", "gen_ai.input.messages": Value::from(heard).to_string(),
                "gen_ai.output.messages": json!([as_message(message)]).to_string() });
            self.span("chat", chat, None);
            for call in message["tool_calls"].as_array().into_iter().flatten().filter(|_| tool_spans) {
                self.call(call, answer(&messages[index + 1..], &call["id"]));
            }
        }
        let root = json!({ "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": self.run["suite"] });
        let end = self.clock + 1;
        self.push("invoke_agent", 1, (start, end), root, None);
        // Ids of calls are those of the files, the same in each run. Without spans nothing else would tell runs apart.
        let service = if tool_spans { "runs".to_owned() } else { conversation(self.number) };
        json!({ "resourceSpans": [{ "resource": { "attributes": attributes(&json!({ "service.name": service })) },
            "scopeSpans": [{ "scope": { "name": "runs" }, "spans": self.spans }] }] })
    }

    /// A call that nobody answers has no span: nothing says that it ran.
    fn call(&mut self, call: &Value, answer: Option<&Value>) {
        let Some(answer) = answer else { return };
        let error = answer["error"].as_str();
        let mut fields = json!({ "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": call["name"],
            "gen_ai.tool.call.id": call["id"], "gen_ai.tool.call.arguments": call["arguments"].to_string(),
            "gen_ai.tool.call.result": said(answer) });
        if let Some(error) = error {
            fields["error.type"] = error.split(':').next().into();
        }
        self.span("execute_tool", fields, error);
    }

    fn span(&mut self, name: &str, fields: Value, error: Option<&str>) {
        let (id, start) = (self.spans.len() + 2, self.clock);
        self.clock += 500;
        self.push(name, id, (start, self.clock - 100), fields, error);
    }

    fn push(&mut self, name: &str, id: usize, (start, end): (u64, u64), mut fields: Value, error: Option<&str>) {
        fields["gen_ai.conversation.id"] = conversation(self.number).into();
        let mut span = json!({ "traceId": format!("{:032x}", self.number + 1), "spanId": format!("{id:016x}"),
            "name": name, "kind": 1, "startTimeUnixNano": format!("{start}000000"),
            "endTimeUnixNano": format!("{end}000000"), "attributes": attributes(&fields) });
        if id > 1 {
            span["parentSpanId"] = format!("{:016x}", 1).into();
        }
        if let Some(error) = error {
            span["status"] = json!({ "code": 2, "message": error.chars().take(256).collect::<String>() });
        }
        self.spans.push(span);
    }
}

/// The answer to a call, before the model speaks again.
fn answer<'a>(later: &'a [Value], id: &Value) -> Option<&'a Value> {
    later.iter().take_while(|message| message["role"] == "tool").find(|message| message["tool_call_id"] == *id)
}

/// What a tool message says: its content, else its error.
fn said(tool: &Value) -> &str {
    let text = |key: &str| tool[key].as_str().filter(|text| !text.is_empty());
    text("content").or(text("error")).unwrap_or_default()
}

/// A message as OTel GenAI writes it.
fn as_message(message: &Value) -> Value {
    if message["role"] == "tool" {
        let answer = json!({ "type": "tool_call_response", "id": message["tool_call_id"], "response": said(message) });
        return json!({ "role": "tool", "parts": [answer] });
    }
    let text = message["content"].as_str().filter(|text| !text.is_empty());
    let text = text.map(|text| json!({ "type": "text", "content": text }));
    let calls = message["tool_calls"].as_array().into_iter().flatten();
    let call = |call: &Value| json!({ "type": "tool_call", "id": call["id"], "name": call["name"], "arguments": call["arguments"] });
    json!({ "role": message["role"], "parts": text.into_iter().chain(calls.map(call)).collect::<Vec<_>>() })
}

/// The runs of a file with one defence; `None`, said by name, where the file is not.
fn runs(file: &str, defence: &str) -> Option<Vec<Value>> {
    let Some(path) = found(file) else {
        skipped(&format!("{file} not found; {FOLDER} names its folder"));
        return None;
    };
    let packed = fs::read(&path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()));
    let text = zstd::decode_all(&*packed).expect("a zstd file");
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let of = |run: &Value| run["defense"] == defence;
    let runs: Vec<Value> = lines.map(|line| serde_json::from_slice(line).expect("a line of JSON")).filter(of).collect();
    assert!(!runs.is_empty(), "{file} has runs with {defence}");
    Some(runs)
}

fn found(file: &str) -> Option<PathBuf> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = std::env::var_os(FOLDER).map(PathBuf::from);
    let folders = named.into_iter().chain(checkout.ancestors().skip(1).map(|folder| folder.join(NEAR)));
    folders.map(|folder| folder.join(file)).find(|path| path.exists())
}
