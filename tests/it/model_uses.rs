//! Models, tokens and costs of every recording, against a count of another kind.
//!
//! The scripted model answers each request once and says what it used, so the truth is the sum over requests. For each
//! stack [`LAYERS`] names, by hand, the one kind of record that stands for a request; it is read from the recorded JSON
//! without any of the program's code. What this does not prove: that a framework told the right numbers.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wherefore::engine::Configuration;
use wherefore::lineage::assemble;
use wherefore::model::{Cost, Evidence, ModelUse, Role, Tenant};
use wherefore::pipeline::{Offline, Outcome};

use crate::support::made::made;
use crate::support::otlp;
use crate::support::recordings::{Recording, recordings};

/// Which records stand for a request to the model, and where they say what it used.
struct Layer {
    stack: &'static str,
    /// An attribute, and what it begins with there.
    has: (&'static str, &'static str),
    /// The scope of its record, or the beginning of it.
    scope: &'static str,
    /// Attributes with the tokens read and written. After `/`: where in the JSON text of the attribute.
    tokens: [&'static str; 2],
}

const fn layer(
    stack: &'static str,
    scope: &'static str,
    has: (&'static str, &'static str),
    tokens: [&'static str; 2],
) -> Layer {
    Layer { stack, has, scope, tokens }
}

const CHAT: (&str, &str) = ("gen_ai.operation.name", "chat");
const LLM: (&str, &str) = ("openinference.span.kind", "LLM");
const USAGE: [&str; 2] = ["gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"];
const COUNTS: [&str; 2] = ["llm.token_count.prompt", "llm.token_count.completion"];
const LOGGED: [&str; 2] = ["input_token_count", "output_token_count"];

const LAYERS: &[Layer] = &[
    // Every answer is told twice, once of them with counts.
    layer("codex-cli", "codex_otel.log_only", ("event.name", "codex.sse_event"), LOGGED),
    // Spans and events of OTel GenAI repeat it.
    layer("gemini-cli", "gemini-cli", ("event.name", "gemini_cli.api_response"), LOGGED),
    layer(
        "genkit",
        "genkit-tracer",
        ("genkit:metadata:subtype", "model"),
        ["genkit:output/usage/inputTokens", "genkit:output/usage/outputTokens"],
    ),
    // The details events repeat it; so does `call_llm` of schema 1, around it.
    layer("google-adk", "gcp.vertex.agent", ("gen_ai.operation.name", "generate_content"), USAGE),
    layer("google-adk-schema1", "gcp.vertex.agent", ("gen_ai.operation.name", "generate_content"), USAGE),
    layer("guardrails-ai", "guardrails-ai", LLM, COUNTS),
    layer(
        "langfuse-sdk",
        "langfuse-sdk",
        ("langfuse.observation.type", "generation"),
        ["langfuse.observation.usage_details/prompt_tokens", "langfuse.observation.usage_details/completion_tokens"],
    ),
    layer("langgraph-openinference", "openinference", LLM, COUNTS),
    layer("langgraph-traceloop", "opentelemetry", CHAT, USAGE),
    // Inside it the same method again, of the class below.
    layer("llama-index-openinference", "openinference", LLM, COUNTS),
    // The span of the agent repeats the sum.
    layer("ms-agent-framework", "agent_framework", CHAT, USAGE),
    layer("nemo-guardrails", "nemo_guardrails", ("gen_ai.request.model", ""), USAGE),
    layer("openai-agents-logfire", "logfire", CHAT, USAGE),
    layer("openai-agents-openinference", "openinference", LLM, COUNTS),
    layer("openai-agents-traceloop", "opentelemetry", CHAT, USAGE),
    layer("otel-openai-v2", "opentelemetry", CHAT, USAGE),
    // Below it stands the span of Anthropic's own client.
    layer("pydantic-ai", "pydantic-ai", CHAT, USAGE),
    layer("smolagents-openinference", "openinference", LLM, COUNTS),
    layer("strands-agents", "strands", CHAT, USAGE),
    layer("traceloop-sdk", "opentelemetry.instrumentation.openai", CHAT, USAGE),
    // The span around it, `ai.generateText`, repeats the sum.
    layer("vercel-ai-sdk", "ai", ("gen_ai.system", ""), USAGE),
    layer("vercel-ai-sdk-7", "gen_ai", CHAT, USAGE),
];

/// Stacks whose requests are log records: their turns are no traces, so all of a recording is compared.
const LOGS: [&str; 2] = ["codex-cli", "gemini-cli"];

/// Calls, tokens read, tokens written, cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Used(u64, u64, u64, Cost);

impl Used {
    fn add(&mut self, read: u64, written: u64, cost: Cost) {
        *self = Self(self.0 + 1, self.1 + read, self.2 + written, self.3.plus(cost));
    }
}

/// By trace, or altogether.
type Uses = BTreeMap<String, Used>;

/// The count by hand.
fn by_hand(recording: &Recording) -> Uses {
    let layer = LAYERS.iter().find(|layer| layer.stack == recording.stack).expect("every stack has a layer");
    let records: Vec<(Value, Value)> = recording.raw().iter().flat_map(records).collect();
    let stands = |scope: &Value, record: &Value| {
        let told = |text: &str| text.starts_with(layer.has.1);
        let in_log = record.get("spanId").is_none() || record.get("kind").is_none();
        scope.as_str().is_some_and(|scope| scope.starts_with(layer.scope))
            && attribute(record, layer.has.0).is_some_and(|value| told(value.as_str().unwrap_or_default()))
            && in_log == LOGS.contains(&layer.stack)
    };
    let chosen: Vec<&Value> = records.iter().filter(|(scope, it)| stands(scope, it)).map(|(_, it)| it).collect();
    let mut uses = Uses::new();
    for record in &chosen {
        let parent = |it: &&&Value| it["spanId"] == record["parentSpanId"] && it["traceId"] == record["traceId"];
        let inside = !record["parentSpanId"].is_null() && chosen.iter().any(|other| parent(&other));
        let counts_elsewhere = layer.stack == "codex-cli" && count(record, layer.tokens[0]).is_none();
        if inside || counts_elsewhere || is_preparation(record) {
            continue;
        }
        let trace = if LOGS.contains(&layer.stack) { "" } else { record["traceId"].as_str().expect("a trace") };
        let cost = attribute(record, "operation.cost").and_then(|cost| Cost::dollars(cost.as_f64()?));
        let [read, written] = layer.tokens.map(|at| outermost_count(&chosen, record, at));
        uses.entry(trace.to_owned()).or_default().add(read, written, cost.unwrap_or_default());
    }
    uses
}

/// The count of a record, or of the one inside it.
fn outermost_count(chosen: &[&Value], record: &Value, at: &str) -> u64 {
    let inside = || chosen.iter().find(|other| other["parentSpanId"] == record["spanId"]);
    count(record, at).or_else(|| Some(outermost_count(chosen, inside()?, at))).unwrap_or(0)
}

/// LlamaIndex marks what it does to a request beforehand as a model call too.
fn is_preparation(record: &Value) -> bool {
    record["name"].as_str().is_some_and(|name| name.ends_with("._prepare_chat_with_tools"))
}

fn records(request: &Value) -> Vec<(Value, Value)> {
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let scopes = |resource: &Value| [list(resource, "scopeSpans"), list(resource, "scopeLogs")].concat();
    let resources = [list(request, "resourceSpans"), list(request, "resourceLogs")].concat();
    let of = |scope: Value| {
        let records = [list(&scope, "spans"), list(&scope, "logRecords")].concat();
        records.into_iter().map(move |record| (scope["scope"]["name"].clone(), record)).collect::<Vec<_>>()
    };
    resources.iter().flat_map(scopes).flat_map(of).collect()
}

/// An attribute's value, without the name of its type.
fn attribute(record: &Value, key: &str) -> Option<Value> {
    let attributes = record["attributes"].as_array()?;
    let found = attributes.iter().find(|attribute| attribute["key"] == *key)?;
    found["value"].as_object()?.values().next().cloned()
}

fn count(record: &Value, at: &str) -> Option<u64> {
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    match at.find('/') {
        None => number(&attribute(record, at)?),
        Some(slash) => {
            let inner: Value = serde_json::from_str(attribute(record, &at[..slash])?.as_str()?).ok()?;
            number(inner.pointer(&at[slash..])?)
        }
    }
}

fn replay(recording: &Recording) -> Outcome {
    let mut offline = Offline::new(Configuration::default());
    for (signal, body) in recording.requests() {
        offline.request(&Tenant::default(), Role::Unspecified, signal, &body).expect("a recording is OTLP");
    }
    offline.finish().0
}

/// What the turns say.
fn by_turns(recording: &Recording) -> Uses {
    let mut uses = Uses::new();
    for turn in replay(recording).turns.values() {
        let trace = turn.trace.filter(|_| !LOGS.contains(&recording.stack.as_str())).map(|trace| trace.to_string());
        for ModelUse { tokens, cost, .. } in &turn.models {
            let slot = uses.entry(trace.clone().unwrap_or_default()).or_default();
            slot.add(tokens.0, tokens.1, cost.unwrap_or_default());
        }
    }
    uses
}

#[test]
fn every_request_to_a_model_counts_once() {
    let mut differences = Vec::new();
    let mut all = Used::default();
    for recording in recordings() {
        let (want, got) = (by_hand(&recording), by_turns(&recording));
        for used in want.values() {
            all = Used(all.0 + used.0, all.1 + used.1, all.2 + used.2, all.3.plus(used.3));
        }
        if want != got {
            differences.push(format!("{}\n  by hand  {want:?}\n  by turns {got:?}", recording.name()));
        }
    }
    assert!(differences.is_empty(), "{} recordings differ:\n{}", differences.len(), differences.join("\n"));
    assert!(all.0 > 700, "{all:?}");
}

/// What the turns of these records say a model read and wrote, whatever order they come in.
fn told(mut set: Vec<Evidence>) -> Vec<(u64, u64)> {
    let once = |set: &[Evidence]| -> Vec<(u64, u64)> {
        assemble(set).turns.iter().flat_map(|turn| &turn.models).map(|used| used.tokens).collect()
    };
    let forwards = once(&set);
    set.reverse();
    assert_eq!(forwards, once(&set));
    set.rotate_left(1);
    assert_eq!(forwards, once(&set));
    forwards
}

/// A details event of OTel GenAI in a span of the common trace, or in none.
fn details(span: u8, response: &str, tokens: (u64, u64), at: u64) -> Evidence {
    let fields = json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5", "gen_ai.response.id": response,
        "gen_ai.usage.input_tokens": tokens.0, "gen_ai.usage.output_tokens": tokens.1});
    let place = json!({"eventName": "gen_ai.client.inference.operation.details", "timeUnixNano": at.to_string(),
        "traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": format!("{span:016x}")});
    otlp::read(otlp::log(fields, place))
}

fn chat(at: (u8, u8), response: &str, tokens: (u64, u64)) -> Evidence {
    let fields = json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5", "gen_ai.response.id": response,
        "gen_ai.usage.input_tokens": tokens.0, "gen_ai.usage.output_tokens": tokens.1});
    made("gen_ai", "chat gpt-5", at, fields)
}

#[test]
fn events_in_the_span_of_another_work_tell_of_a_call_each() {
    let server = || made("http", "POST /ask", (1, 0), json!({"http.request.method": "POST"}));
    let (first, second) = (|| details(1, "r1", (10, 2), 1500), || details(1, "r2", (7, 1), 1600));
    assert_eq!(told(vec![first(), second()]), [(10, 2), (7, 1)]);
    assert_eq!(told(vec![server(), first(), second()]), [(10, 2), (7, 1)]);
    assert_eq!(told(vec![server(), first(), first(), second()]), [(10, 2), (7, 1)]);
}

#[test]
fn events_of_a_call_that_has_a_span_tell_of_no_other() {
    let event = |span| details(span, "r1", (10, 2), 1500);
    assert_eq!(told(vec![chat((1, 0), "r1", (10, 2)), event(1)]), [(10, 2)], "in it");
    let request = || made("http", "POST", (2, 1), json!({"http.request.method": "POST"}));
    assert_eq!(told(vec![chat((1, 0), "r0", (10, 2)), request(), event(2)]), [(10, 2)], "below it");
    let agent = || made("gen_ai", "invoke_agent desk", (1, 0), json!({"gen_ai.operation.name": "invoke_agent"}));
    assert_eq!(told(vec![agent(), chat((2, 1), "r1", (10, 2)), event(1)]), [(10, 2)], "beside it, by response");
    let another = details(1, "r2", (7, 1), 1600);
    let mut both = told(vec![agent(), chat((2, 1), "r1", (10, 2)), event(1), another]);
    both.sort();
    assert_eq!(both, [(7, 1), (10, 2)]);
    assert_eq!(told(vec![chat((1, 0), "r1", (0, 0)), event(1)]), [(10, 2)], "what the span does not tell");
}
