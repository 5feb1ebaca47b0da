//! What is sent: requests of 100 spans, the same bytes in every run. A turn is ten spans of one trace, in the order
//! in which they end:
//!
//! ```text
//! retrieval · (chat · execute_tool) × 4 · invoke_agent
//! ```
//!
//! *Rich* spans carry content: each chat repeats the conversation so far (2 to 6 KB of messages), tools carry arguments
//! and results. *Lean* spans are the same with content capture off.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use wherefore::model::{Nanos, Span as Time};
use wherefore::proto::opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
use wherefore::proto::opentelemetry::proto::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use wherefore::proto::opentelemetry::proto::resource::v1::Resource;
use wherefore::proto::opentelemetry::proto::trace::v1::{ResourceSpans, ScopeSpans, Span};

/// Spans of one request.
pub const SPANS: usize = 100;
/// Spans of one turn.
const TURN: usize = 10;
/// Tool calls of one turn.
const STEPS: usize = 4;

/// Whether spans carry content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Rich,
    Lean,
}

impl Content {
    pub const BOTH: [Self; 2] = [Self::Rich, Self::Lean];
}

/// `count` requests of turns that begin one after another from `start` on, a second apart.
pub fn requests(content: Content, count: usize, start: Nanos) -> Vec<Bytes> {
    spaced(content, count, start, Time::seconds(1))
}

/// As [`requests`], with all turns in the time given.
pub fn requests_within(content: Content, count: usize, start: Nanos, time: Duration) -> Vec<Bytes> {
    let turns = (count * SPANS / TURN) as u64;
    spaced(content, count, start, Time(time.as_nanos() as u64 / turns))
}

fn spaced(content: Content, count: usize, start: Nanos, apart: Time) -> Vec<Bytes> {
    let turn = |number: usize| {
        let start = start + Time(apart.0 * number as u64);
        Turn::new(content, number as u64, start, Shape::default()).spans()
    };
    let request = |first: usize| encode((first..first + SPANS / TURN).flat_map(turn).collect());
    (0..count).map(|index| request(index * SPANS / TURN)).collect()
}

/// A request with these spans.
pub fn encode(spans: Vec<Span>) -> Bytes {
    let scope = InstrumentationScope {
        name: "opentelemetry.instrumentation.bench".to_owned(),
        version: "1.2.3".to_owned(),
        ..Default::default()
    };
    let resource = Resource {
        attributes: vec![
            text("service.namespace", "shop"),
            text("service.name", "order-assistant"),
            text("service.version", "4.2.0"),
            text("deployment.environment.name", "production"),
            text("telemetry.sdk.language", "python"),
            text("telemetry.sdk.name", "opentelemetry"),
            text("telemetry.sdk.version", "1.38.0"),
            text("host.name", "worker-17"),
        ],
        ..Default::default()
    };
    let scope_spans = ScopeSpans { scope: Some(scope), spans, ..Default::default() };
    let resource_spans =
        ResourceSpans { resource: Some(resource), scope_spans: vec![scope_spans], ..Default::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }.encode_to_vec().into()
}

/// How a turn differs from the usual one.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Whether calls have ids. Without, a span finds its call by its place among equal ones.
    pub call_ids: bool,
    /// Whether each chat repeats the conversation so far.
    pub history: bool,
    /// About so many bytes of prose in a tool's result.
    pub result: usize,
    /// From the start of a span to that of the next.
    pub pace: Time,
}

impl Default for Shape {
    fn default() -> Self {
        Self { call_ids: true, history: true, result: 700, pace: Time::millis(10) }
    }
}

/// One turn in the making.
pub struct Turn {
    content: Content,
    shape: Shape,
    number: u64,
    start: Nanos,
    question: String,
    random: Random,
    /// Spans and steps so far.
    made: (usize, usize),
    /// The messages so far: an open JSON array.
    messages: String,
}

impl Turn {
    /// The turn of this number: its ids and its words follow from it.
    pub fn new(content: Content, number: u64, start: Nanos, shape: Shape) -> Self {
        let mut random = Random(number + 1);
        let question = random.prose(1_500);
        let (made, messages) = ((0, 0), "[".to_owned());
        let mut turn = Self { content, shape, number, start, question, random, made, messages };
        let said = part_text(&turn.question);
        turn.message("user", &said);
        turn
    }

    /// The usual turn, whole.
    fn spans(mut self) -> Vec<Span> {
        let mut spans = vec![self.retrieval()];
        spans.extend((0..STEPS).flat_map(|_| self.step()));
        spans.push(self.root());
        spans
    }

    /// The next model call and the tool call that it proposes.
    pub fn step(&mut self) -> [Span; 2] {
        let call = Step::new(self);
        [self.chat(&call), self.tool(&call)]
    }

    fn message(&mut self, role: &str, part: &str) {
        let comma = if self.messages.len() > 1 { "," } else { "" };
        self.messages += &format!(r#"{comma}{{"role":"{role}","parts":[{part}]}}"#);
    }

    /// A search in the handbook.
    pub fn retrieval(&mut self) -> Span {
        let ids = (0..4).map(|_| format!(r#"{{"id":"doc-{}","score":0.87}}"#, self.random.below(5_000)));
        let documents = format!("[{}]", ids.collect::<Vec<_>>().join(","));
        let mut attributes = vec![
            text("gen_ai.operation.name", "retrieval"),
            text("gen_ai.provider.name", "openai"),
            text("gen_ai.data_source.id", "handbook"),
            text("gen_ai.request.model", "text-embedding-3-large"),
            text("server.address", "search.internal"),
            number("server.port", 443),
        ];
        if self.content == Content::Rich {
            attributes.push(text("gen_ai.retrieval.query.text", &self.random.prose(120)));
            attributes.push(text("gen_ai.retrieval.documents", &documents));
        }
        self.child("retrieval handbook", attributes)
    }

    fn chat(&mut self, call: &Step) -> Span {
        let proposal = format!(
            r#"{{"type":"tool_call",{}"name":"{}","arguments":{}}}"#,
            call.id_field(),
            call.tool,
            call.arguments
        );
        let mut attributes = vec![
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.provider.name", "openai"),
            text("gen_ai.request.model", "gpt-4.1"),
            text("gen_ai.response.model", "gpt-4.1-2025-04-14"),
            text("gen_ai.response.id", &format!("resp-{}-{}", self.number, self.made.0)),
            text("gen_ai.conversation.id", &format!("conversation-{}", self.number / 8)),
            text("gen_ai.agent.name", "order-assistant"),
            text("gen_ai.output.type", "text"),
            number("gen_ai.request.max_tokens", 4096),
            number("gen_ai.usage.input_tokens", (self.messages.len() / 4) as i64),
            number("gen_ai.usage.output_tokens", 87),
            text("server.address", "api.openai.com"),
            number("server.port", 443),
        ];
        if self.content == Content::Rich {
            let said = self.random.prose(150);
            attributes.push(text("gen_ai.system_instructions", &format!("[{}]", part_text(INSTRUCTIONS))));
            attributes.push(text("gen_ai.input.messages", &format!("{}]", self.messages)));
            let output = format!(
                r#"[{{"role":"assistant","parts":[{},{proposal}],"finish_reason":"tool_call"}}]"#,
                part_text(&said)
            );
            attributes.push(text("gen_ai.output.messages", &output));
        }
        if self.shape.history {
            self.message("assistant", &proposal);
        }
        self.child("chat gpt-4.1", attributes)
    }

    fn tool(&mut self, call: &Step) -> Span {
        let mut attributes = vec![
            text("gen_ai.operation.name", "execute_tool"),
            text("gen_ai.tool.name", call.tool),
            text("gen_ai.tool.type", "function"),
            text("gen_ai.tool.description", "Reads or changes orders of the shop"),
            text("gen_ai.agent.name", "order-assistant"),
            text("gen_ai.conversation.id", &format!("conversation-{}", self.number / 8)),
        ];
        attributes.extend(call.id.as_ref().map(|id| text("gen_ai.tool.call.id", id)));
        if self.content == Content::Rich {
            attributes.push(text("gen_ai.tool.call.arguments", &call.arguments));
            attributes.push(text("gen_ai.tool.call.result", &call.result));
        }
        if self.shape.history {
            let answer = format!(r#"{{"type":"tool_call_response",{}"response":{}}}"#, call.id_field(), call.result);
            self.message("tool", &answer);
        }
        self.child(&format!("execute_tool {}", call.tool), attributes)
    }

    /// The turn's root, which ends last.
    pub fn root(&mut self) -> Span {
        let mut attributes = vec![
            text("gen_ai.operation.name", "invoke_agent"),
            text("gen_ai.provider.name", "openai"),
            text("gen_ai.agent.name", "order-assistant"),
            text("gen_ai.agent.id", "asst_5j66UpCpwteGg4YSxUnt7lPY"),
            text("gen_ai.agent.version", "2026-09-01"),
            text("gen_ai.conversation.id", &format!("conversation-{}", self.number / 8)),
            text("gen_ai.request.model", "gpt-4.1"),
            number("gen_ai.usage.input_tokens", 5_211),
            number("gen_ai.usage.output_tokens", 402),
        ];
        if self.content == Content::Rich {
            let said = self.random.prose(300);
            let user = format!(r#"[{{"role":"user","parts":[{}]}}]"#, part_text(&self.question));
            attributes.push(text("gen_ai.input.messages", &user));
            let assistant =
                format!(r#"[{{"role":"assistant","parts":[{}],"finish_reason":"stop"}}]"#, part_text(&said));
            attributes.push(text("gen_ai.output.messages", &assistant));
        }
        let mut root = self.child("invoke_agent order-assistant", attributes);
        root.parent_span_id = Vec::new();
        root.span_id = span_id(self.number, ROOT);
        root.start_time_unix_nano = self.start.0;
        root
    }

    /// A child of the turn's root.
    fn child(&mut self, name: &str, attributes: Vec<KeyValue>) -> Span {
        let index = self.made.0;
        self.made.0 += 1;
        let begins = self.start + Time(self.shape.pace.0 * index as u64);
        Span {
            trace_id: (u128::from(self.number + 1) << 64 | 0x5eed).to_be_bytes().to_vec(),
            span_id: span_id(self.number, index),
            parent_span_id: span_id(self.number, ROOT),
            flags: 0x101,
            name: name.to_owned(),
            kind: 3,
            start_time_unix_nano: begins.0,
            end_time_unix_nano: (begins + Time::millis(9)).0,
            attributes,
            ..Default::default()
        }
    }
}

/// Stands for the root where the other spans have their index.
const ROOT: usize = 0xff_fff0;

/// One tool call.
struct Step {
    tool: &'static str,
    id: Option<String>,
    arguments: String,
    result: String,
}

impl Step {
    fn new(turn: &mut Turn) -> Self {
        let step = turn.made.1;
        turn.made.1 += 1;
        let order = turn.random.below(1_000_000);
        let note = turn.random.prose(120);
        let detail = turn.random.prose(turn.shape.result);
        Self {
            tool: TOOLS[step % TOOLS.len()],
            id: turn.shape.call_ids.then(|| format!("call_{:08x}_{step:05}", turn.number)),
            arguments: format!(r#"{{"order":{order},"step":{step},"note":"{note}","dry_run":false}}"#),
            result: format!(r#"{{"status":"ok","order":{order},"items":[1,2,3],"detail":"{detail}"}}"#),
        }
    }

    fn id_field(&self) -> String {
        self.id.as_ref().map(|id| format!(r#""id":"{id}","#)).unwrap_or_default()
    }
}

const TOOLS: [&str; 4] = ["find_order", "read_customer", "update_order", "send_message"];

const INSTRUCTIONS: &str = "You help customers of a shop with their orders. Look before you change anything, change \
    only what the customer asked for, and say what you did. Never show data of another customer. When an order was \
    already sent, offer a return instead of a change. Ask a person when the amount is above five hundred euros, when \
    the customer is angry, or when you are not sure. Answer in the language of the customer, in short sentences, \
    without headings. Use the tools for everything you say about an order; never guess.";

const WORDS: [&str; 32] = [
    "order",
    "parcel",
    "the",
    "customer",
    "address",
    "was",
    "changed",
    "before",
    "it",
    "left",
    "our",
    "warehouse",
    "on",
    "Monday",
    "and",
    "now",
    "waits",
    "at",
    "a",
    "shop",
    "nearby",
    "please",
    "return",
    "amount",
    "with",
    "card",
    "that",
    "ends",
    "in",
    "seven",
    "zwölf",
    "étage",
];

/// splitmix64: small, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// About so many bytes of words.
    fn prose(&mut self, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes + 16);
        while text.len() < bytes {
            text.push_str(WORDS[self.below(WORDS.len() as u64) as usize]);
            text.push(' ');
        }
        text
    }
}

fn part_text(content: &str) -> String {
    format!(r#"{{"type":"text","content":"{content}"}}"#)
}

fn span_id(turn: u64, index: usize) -> Vec<u8> {
    ((turn + 1) << 24 | (index as u64 + 2) & 0xff_ffff).to_be_bytes().to_vec()
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, any_value::Value::StringValue(value.to_owned()))
}

fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, any_value::Value::IntValue(value))
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}
