//! Load: agents whose every record is numbered and whose every request is repeated until somebody says it is kept.
//!
//! ```text
//! Story    what one user asked for and what followed, as requests in the order in which they are sent
//! Client   tells stories over one transport, to whatever address is current; knows what was acknowledged
//! ```

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use prost::Message;
use serde_json::{Value, json};
use tokio::sync::watch;
use tonic::Code;
use wherefore::model::{Evidence, EvidenceId, Nanos, Role, Signal, Tenant};
use wherefore::pipeline::evidence_of;
use wherefore::proto::opentelemetry::proto::collector::logs::v1::ExportLogsServiceRequest;
use wherefore::proto::opentelemetry::proto::collector::logs::v1::logs_service_client::LogsServiceClient;
use wherefore::proto::opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
use wherefore::proto::opentelemetry::proto::collector::trace::v1::trace_service_client::TraceServiceClient;
use wherefore::wire::{json::to_protobuf, validate};

use super::otlp::attributes;
use super::random::Random;

/// The envelope that the stories run into: production is not to be purged.
pub const ENVELOPE: &str = "\
envelope: production
agent: \"*\"
forbid:
  - id: no-purge
    tool: [purge_*]
    because: production is frozen
";

/// The tool that [`ENVELOPE`] forbids.
pub const FORBIDDEN: &str = "purge_rows";

/// How long a client waits for an answer. Not to be reached; a server that hangs must not hang the test.
const PATIENCE: Duration = Duration::from_secs(30);

// ── stories ──────────────────────────────────────────────────────────────────────────────────────────────────────

/// One export request.
pub struct Request {
    pub signal: Signal,
    pub json: Bytes,
    pub protobuf: Bytes,
}

/// One user's request to an agent, numbered.
pub struct Story {
    number: u64,
    /// Which turn of its conversation is told.
    turn: u32,
    trace: String,
    /// When it happens.
    at: Nanos,
}

impl Story {
    /// Story `number`, which begins now. Numbers make ids, so they are not to be used twice.
    pub fn new(number: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
        Self::begins(number, Nanos(u64::try_from(now.as_nanos()).expect("the clock is before 2554")))
    }

    /// Story `number`, which begins at this time.
    pub fn begins(number: u64, at: Nanos) -> Self {
        Self::of_turn(number, 0, at)
    }

    fn of_turn(number: u64, turn: u32, at: Nanos) -> Self {
        let trace = format!("feed{turn:012x}{number:016x}");
        Self { number, turn, trace, at }
    }

    /// The same story: what is told of it from here on happens at this time.
    pub fn later(&self, at: Nanos) -> Self {
        Self::begins(self.number, at)
    }

    /// The next turn of the conversation.
    pub fn next_turn(&self) -> Self {
        Self::of_turn(self.number, self.turn + 1, Nanos(self.at.0 + 1_000_000))
    }

    /// When it happens.
    pub fn at(&self) -> Nanos {
        self.at
    }

    /// The requests that tell it. Every tenth story is of the same kind.
    pub fn requests(&self) -> Vec<Request> {
        let look = |id| self.tool(id, "look_up", json!({}));
        match self.number % 10 {
            // Told in one request.
            0 => vec![traces(&[self.chat(&["a", "b"]), look("a"), look("b"), self.root()])],
            // A call whose root is never heard of.
            1 => vec![traces(&[look("a")])],
            // The proposal, the call and the root come one by one.
            2 => vec![traces(&[self.chat(&["a"])]), traces(&[look("a")]), traces(&[self.root()])],
            // Denied twice, the same thing.
            3 => vec![
                traces(&[self.proposal("pay", &["a", "b"])]),
                logs(&[self.decision("a", "pay", "deny", "policy")]),
                logs(&[self.decision("b", "pay", "deny", "policy")]),
                traces(&[self.root()]),
            ],
            // Forbidden and done, and looked at afterwards.
            4 => vec![
                traces(&[self.tool("a", FORBIDDEN, json!({}))]),
                logs(&[self.evaluation("a")]),
                traces(&[self.root()]),
            ],
            // Nobody answers.
            5 => vec![traces(&[self.chat(&["a"]), self.root()])],
            // A call that is asked for in one turn, and approved and run in the next.
            6 => {
                let next = self.next_turn();
                vec![
                    traces(&[self.chat(&["a"]), self.root()]),
                    logs(&[self.decision("a", "look_up", "ask", "policy")]),
                    logs(&[next.decision("a", "look_up", "allow", "human")]),
                    traces(&[next.tool("a", "look_up", json!({})), next.root()]),
                ]
            }
            // Somebody who knows the model's answer alone has an opinion about it.
            7 => vec![traces(&[self.chat(&["a"]), look("a"), self.root()]), logs(&[self.opinion()])],
            // A call that only the messages of the next turn say was answered.
            8 => {
                let next = self.next_turn();
                vec![traces(&[self.chat(&["a"]), self.root()]), traces(&[next.carrying("a")]), traces(&[next.root()])]
            }
            // A neighbour that is no span.
            _ => vec![traces(&[look("a"), json!({ "traceId": self.trace, "spanId": "00" })]), traces(&[self.root()])],
        }
    }

    /// The agent's run.
    pub fn root(&self) -> Value {
        self.span("0", None, json!({ "gen_ai.operation.name": "invoke_agent" }))
    }

    /// A model call that proposes to look up.
    fn chat(&self, calls: &[&str]) -> Value {
        self.proposal("look_up", calls)
    }

    /// A model call that proposes these calls of a tool, all with the same parameters.
    pub fn proposal(&self, tool: &str, calls: &[&str]) -> Value {
        let input =
            json!([{ "role": "user", "parts": [{ "type": "text", "content": format!("task {}", self.number) }] }]);
        let part = |id: &&str| json!({ "type": "tool_call", "id": self.call(id), "name": tool, "arguments": { "row": self.number } });
        let output = json!([{ "role": "assistant", "parts": calls.iter().map(part).collect::<Vec<_>>() }]);
        let fields = json!({
            "gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.response.id": self.response(),
            "gen_ai.input.messages": input.to_string(), "gen_ai.output.messages": output.to_string(),
        });
        self.span("c", Some("0"), fields)
    }

    /// A model call that reads what an earlier call came to.
    fn carrying(&self, id: &str) -> Value {
        let call = json!({
            "type": "tool_call", "id": self.call(id), "name": "look_up", "arguments": { "row": self.number },
        });
        let answer = json!({ "type": "tool_call_response", "id": self.call(id), "response": "a row" });
        let input = json!([
            { "role": "user", "parts": [{ "type": "text", "content": format!("task {}", self.number) }] },
            { "role": "assistant", "parts": [call] },
            { "role": "tool", "parts": [answer] },
        ]);
        let fields = json!({
            "gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.response.id": self.response(),
            "gen_ai.input.messages": input.to_string(),
        });
        self.span("c", Some("0"), fields)
    }

    /// A call that ran. `more` are attributes of its span.
    pub fn tool(&self, id: &str, tool: &str, more: Value) -> Value {
        let mut fields = json!({
            "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool, "gen_ai.tool.call.id": self.call(id),
            "gen_ai.tool.call.arguments": json!({ "row": self.number }).to_string(),
            "gen_ai.tool.call.result": format!("row {}", self.number),
        });
        extend(&mut fields, more);
        self.span(id, Some("0"), fields)
    }

    /// Somebody decided about a call.
    pub fn decision(&self, id: &str, tool: &str, outcome: &str, by: &str) -> Value {
        let fields = json!({
            "gen_ai.tool.name": tool, "gen_ai.tool.call.id": self.call(id),
            "gen_ai.tool.call.arguments": json!({ "row": self.number }).to_string(),
            "wherefore.decision.outcome": outcome, "wherefore.decision.by": by,
        });
        self.log("wherefore.decision", "c", fields)
    }

    /// Who is asked.
    pub fn agent(&self) -> String {
        format!("agent-{}", self.number % 3)
    }

    /// The id of a call in telemetry.
    pub fn call(&self, id: &str) -> String {
        format!("call_{}_{id}", self.number)
    }

    fn evaluation(&self, id: &str) -> Value {
        let fields = json!({
            "gen_ai.evaluation.name": "outcome_validation", "gen_ai.evaluation.score.label": "fail",
            "gen_ai.tool.call.id": self.call(id),
        });
        self.log("gen_ai.evaluation.result", id, fields)
    }

    fn opinion(&self) -> Value {
        let fields = json!({
            "gen_ai.evaluation.name": "intent_alignment", "gen_ai.evaluation.score.label": "pass",
            "gen_ai.response.id": self.response(),
        });
        json!({
            "timeUnixNano": (self.at.0 + 6_000).to_string(), "eventName": "gen_ai.evaluation.result",
            "attributes": attributes(&fields),
        })
    }

    fn response(&self) -> String {
        format!("r{}-{}", self.number, self.turn)
    }

    /// An event, written in a span.
    fn log(&self, event: &str, span: &str, fields: Value) -> Value {
        json!({
            "timeUnixNano": (self.at.0 + 5_000).to_string(), "eventName": event,
            "traceId": self.trace, "spanId": self.id(span), "attributes": attributes(&fields),
        })
    }

    fn span(&self, id: &str, parent: Option<&str>, mut fields: Value) -> Value {
        let conversation = format!("c{}", self.number);
        extend(&mut fields, json!({ "gen_ai.agent.name": self.agent(), "gen_ai.conversation.id": conversation }));
        let mut span = json!({
            "traceId": self.trace, "spanId": self.id(id), "name": id, "kind": 1,
            "startTimeUnixNano": self.at.0.to_string(), "endTimeUnixNano": (self.at.0 + 1_000).to_string(),
            "attributes": attributes(&fields),
        });
        if let Some(parent) = parent {
            extend(&mut span, json!({ "parentSpanId": self.id(parent) }));
        }
        span
    }

    fn id(&self, id: &str) -> String {
        format!("{:08x}{:08x}", self.number, id.bytes().fold(1 + self.turn, |hash, byte| hash * 31 + u32::from(byte)))
    }
}

/// One request with these spans.
pub fn traces(spans: &[Value]) -> Request {
    let scope = json!({ "scope": { "name": "load" }, "spans": spans });
    request(Signal::Traces, json!({ "resourceSpans": [{ "resource": resource("desk"), "scopeSpans": [scope] }] }))
}

/// One request with these log records.
pub fn logs(records: &[Value]) -> Request {
    let scope = json!({ "scope": { "name": "load" }, "logRecords": records });
    request(Signal::Logs, json!({ "resourceLogs": [{ "resource": resource("desk"), "scopeLogs": [scope] }] }))
}

fn request(signal: Signal, request: Value) -> Request {
    let json = request.to_string();
    let protobuf = to_protobuf(signal, json.as_bytes()).expect("valid OTLP/JSON").body.into();
    Request { signal, json: json.into(), protobuf }
}

fn resource(service: &str) -> Value {
    json!({ "attributes": attributes(&json!({ "service.name": service })) })
}

fn extend(object: &mut Value, more: Value) {
    let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) else { return };
    object.extend(more);
}

impl Request {
    /// What its records say: those that are whole.
    pub fn evidence(&self) -> Vec<Evidence> {
        let whole = validate(self.signal, &self.protobuf).expect("a request").body;
        evidence_of(&Tenant::default(), Role::default(), self.signal, &whole)
    }

    /// The records that have to be kept.
    pub fn records(&self) -> Vec<EvidenceId> {
        self.evidence().iter().map(|record| record.id).collect()
    }
}

// ── clients ──────────────────────────────────────────────────────────────────────────────────────────────────────

/// Where the server is now, if it runs.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    pub grpc: SocketAddr,
    pub http: SocketAddr,
}

/// What all clients share.
#[derive(Default)]
pub struct Stage {
    pub target: watch::Sender<Option<Target>>,
    /// No new stories.
    pub over: AtomicBool,
    stories: AtomicU64,
    /// Records that were sent at least once.
    pub sent: Mutex<BTreeSet<EvidenceId>>,
    /// Records of requests that were answered with success.
    pub acknowledged: Mutex<BTreeSet<EvidenceId>>,
    /// Requests that were answered with success.
    pub answers: AtomicU64,
    /// Requests that were sent and never answered.
    pub unknown: AtomicU64,
}

/// A transport.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    Protobuf,
    Json,
    Grpc,
}

/// Why a request is sent again.
enum Again {
    /// The server said so.
    Told,
    /// Nobody answered.
    Unknown,
}

/// Tells stories until the stage is over; a story that was begun is told to its end.
pub async fn client(stage: Arc<Stage>, form: Form, mut random: Random) {
    let mut sender = Sender::new(form);
    while !stage.over.load(Ordering::Acquire) {
        let story = Story::new(stage.stories.fetch_add(1, Ordering::AcqRel));
        let mut requests = story.requests();
        // Exporters of one turn need not agree on an order.
        if random.below(4) == 0 {
            random.shuffle(&mut requests);
        }
        for request in requests {
            sender.deliver(&stage, &request).await;
            // Exporters are impatient: some send again what was acknowledged.
            if random.below(16) == 0 {
                sender.deliver(&stage, &request).await;
            }
        }
    }
}

/// One client's connections.
pub struct Sender {
    form: Form,
    http: Client<HttpConnector, Full<Bytes>>,
    grpc: Option<(SocketAddr, tonic::transport::Channel)>,
}

impl Sender {
    pub fn new(form: Form) -> Self {
        Self { form, http: Client::builder(TokioExecutor::new()).build_http(), grpc: None }
    }

    /// Sends a request until it is acknowledged.
    pub async fn deliver(&mut self, stage: &Stage, request: &Request) {
        let records = request.records();
        stage.sent.lock().expect("not poisoned").extend(&records);
        let mut current = stage.target.subscribe();
        loop {
            let target = *current.wait_for(Option::is_some).await.expect("the stage stays");
            let Some(target) = target else { continue };
            let answer = tokio::time::timeout(PATIENCE, self.send(target, request)).await;
            match answer.expect("a server answers or is gone") {
                Ok(()) => break,
                Err(Again::Told) => {}
                Err(Again::Unknown) => drop(stage.unknown.fetch_add(1, Ordering::AcqRel)),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stage.acknowledged.lock().expect("not poisoned").extend(&records);
        stage.answers.fetch_add(1, Ordering::AcqRel);
    }

    async fn send(&mut self, target: Target, request: &Request) -> Result<(), Again> {
        match self.form {
            Form::Protobuf => self.post(target.http, request, "application/x-protobuf", &request.protobuf).await,
            Form::Json => self.post(target.http, request, "application/json", &request.json).await,
            Form::Grpc => self.export(target.grpc, request).await,
        }
    }

    async fn post(&self, to: SocketAddr, request: &Request, media: &str, body: &Bytes) -> Result<(), Again> {
        let post = http::Request::post(format!("http://{to}/v1/{}", request.signal.as_str()))
            .header("content-type", media)
            .body(Full::new(body.clone()))
            .expect("a request");
        let response = self.http.request(post).await.map_err(|_| Again::Unknown)?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(|_| Again::Unknown)?.to_bytes();
        match status {
            200 => Ok(()),
            429 | 503 => Err(Again::Told),
            _ => panic!("{status}: {}", String::from_utf8_lossy(&body)),
        }
    }

    async fn export(&mut self, to: SocketAddr, request: &Request) -> Result<(), Again> {
        let channel = match &self.grpc {
            Some((known, channel)) if *known == to => channel.clone(),
            _ => {
                let endpoint = tonic::transport::Endpoint::new(format!("http://{to}")).expect("an address");
                let channel = endpoint.connect().await.map_err(|_| Again::Unknown)?;
                self.grpc = Some((to, channel.clone()));
                channel
            }
        };
        let body = &*request.protobuf;
        let answer = match request.signal {
            Signal::Logs => {
                let request = ExportLogsServiceRequest::decode(body).expect("a request");
                LogsServiceClient::new(channel).export(request).await.map(drop)
            }
            Signal::Traces | Signal::Metrics => {
                let request = ExportTraceServiceRequest::decode(body).expect("a request");
                TraceServiceClient::new(channel).export(request).await.map(drop)
            }
        };
        answer.map_err(|status| match status.code() {
            Code::ResourceExhausted => Again::Told,
            // A connection that broke and a server that says it cannot look the same.
            Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal => Again::Unknown,
            _ => panic!("{status}"),
        })
    }
}
