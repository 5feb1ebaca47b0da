//! Reads a model's messages (`telemetry.md` §4.4): a JSON array of messages, each with typed parts.
//!
//! ```text
//! [ { "role": "user", "parts": [ {"type":"text","content":"…"} ] },
//!   { "role": "assistant", "parts": [ {"type":"tool_call","id":"…","name":"…","arguments":…} ] },
//!   { "role": "tool", "parts": [ {"type":"tool_call_response","id":"…","response":…} ] } ]
//! ```
//!
//! Known liberties of producers: results under `result`, tool results under role `user`, `arguments` as a JSON
//! string, parts without content (capture is off), chat-completions messages (`content`, `tool_calls`,
//! `tool_call_id`), arrays cut in the middle. What cannot be read ends the reading; what was read stays.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::model::{Call, Direction, Hash, Known, Missing, Moment, Stand, Text};
use crate::values::{self, standing};

use super::above::{place, words_of};

/// What a message array says.
#[derive(Debug, Default, PartialEq)]
pub struct Reading {
    /// Read or written by the model.
    pub direction: Direction,
    /// The calls, in order, with the moment they show.
    pub calls: Vec<Call>,
    /// The text of the last user message.
    pub intent: Option<Known<Text>>,
    /// The text of the system messages.
    pub prompt: Option<Known<Text>>,
    /// A part had a type and no content: capture is off.
    pub withheld: bool,
    /// The array ended in the middle.
    pub truncated: bool,
    /// Longer texts.
    pub bodies: Vec<crate::model::Body>,
    /// Some call has no id, so that its place in the array is its identity.
    pub idless: bool,
    /// Texts of users, by their place in the array.
    pub users: Vec<(u64, Hash)>,
    /// Texts of the model, by their place: of what it read, those before the last user message.
    pub answers: Vec<(u64, Hash)>,
    /// The last message of the model that is a plan, where it wrote.
    pub plan: Option<Text>,
    /// Standing constraints in what users say, in order.
    pub stands: Vec<Uttered>,
    /// How many messages stand up to here.
    pub messages: u64,
}

/// A standing constraint in a message array.
#[derive(Debug, Clone, PartialEq)]
pub struct Uttered {
    /// What is said.
    pub stand: Stand,
    /// How often the same was said before in this array.
    pub k: u32,
    /// Its place in the array.
    pub place: u64,
    /// It stands in the last message of the user.
    pub now: bool,
}

/// How many calls before the last user message are read. They complete actions of earlier turns and create none,
/// and only the most recent can still be open.
const HISTORY: usize = 32;

/// A message array that was read whole: a longer one that starts with it needs only its new end.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cursor {
    /// Whether it was read or written by the model: the same bytes mean different things.
    pub direction: Direction,
    /// Start of the record it came from: an extension that claims to be older is read whole.
    pub start: crate::model::Nanos,
    /// Its length without the closing bracket.
    pub len: usize,
    /// How many messages it holds.
    pub messages: u64,
    /// BLAKE3 of those bytes.
    pub hash: [u8; 32],
    /// Standing constraints in them.
    pub stands: Vec<Uttered>,
    /// The last plan in them.
    pub plan: Option<Text>,
}

/// The hash of an array's first bytes, ready to go on: no byte is hashed twice.
#[derive(Default)]
pub(super) struct Hashed {
    hasher: blake3::Hasher,
    len: usize,
}

impl Cursor {
    /// Of an array that ends properly and can be continued, and whose first bytes are hashed. An empty one cannot: what
    /// follows a comma would be read, although no array begins with one.
    pub fn of(json: &[u8], reading: &Reading, start: crate::model::Nanos, hashed: Hashed) -> Option<Self> {
        let open = trim_end(json).strip_suffix(b"]")?;
        if open.trim_ascii() == b"[" {
            return None;
        }
        let Hashed { mut hasher, len } = hashed;
        hasher.update(open.get(len..)?);
        let (direction, messages, stands) = (reading.direction, reading.messages, reading.stands.clone());
        let plan = reading.plan.clone();
        Some(Self { direction, start, len: open.len(), messages, hash: *hasher.finalize().as_bytes(), stands, plan })
    }

    /// The part of `json` behind this array, if `json` continues it, and the hash of what stands before.
    pub fn suffix<'a>(&self, json: &'a [u8], start: crate::model::Nanos) -> Option<(&'a [u8], Hashed)> {
        if start < self.start || json.len() <= self.len {
            return None;
        }
        let (head, tail) = json.split_at(self.len);
        let tail = trim_start(tail).strip_prefix(b",")?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(head);
        (*hasher.finalize().as_bytes() == self.hash).then_some((tail, Hashed { hasher, len: self.len }))
    }
}

fn trim_end(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii_end()
}

fn trim_start(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii_start()
}

/// Reads a whole array, or with `continued` the rest of one: what follows the comma after so many messages, up to the
/// bracket.
pub fn read(json: &[u8], direction: Direction, continued: Option<u64>) -> Reading {
    let mut reader = Reader::after(continued.unwrap_or(0), direction);
    let whole;
    let bytes = if continued.is_some() {
        whole = [b"[", json].concat();
        &whole
    } else {
        json
    };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    if serde::de::Deserializer::deserialize_seq(&mut deserializer, &mut reader).is_err() {
        reader.out.truncated = true;
    }
    reader.finish()
}

#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    role: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    parts: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_call_id: Option<Cow<'a, str>>,
}

#[derive(Debug, Default, Deserialize)]
struct Part<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "toolCallId", alias = "tool_call_id")]
    tool_call_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    is_error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    function: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
struct Function<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
}

struct Reader {
    out: Reading,
    /// Calls seen before the last user message.
    history: Vec<Call>,
    /// Calls seen after it.
    current: Vec<Call>,
    /// Texts of the model seen after it.
    answers: Vec<(u64, Hash)>,
}

impl Reader {
    fn after(messages: u64, direction: Direction) -> Self {
        let out = Reading { direction, messages, ..Reading::default() };
        Self { out, history: Vec::new(), current: Vec::new(), answers: Vec::new() }
    }

    fn message(&mut self, message: &Message<'_>) {
        let role = message.role.as_deref().unwrap_or_default();
        let mut texts: Vec<Cow<'_, str>> = Vec::new();
        let mut skeleton = false;
        let mut answers = false;
        if let Some(parts) = message.parts {
            for raw in elements(parts) {
                let Ok(part) = serde_json::from_str::<Part<'_>>(raw.get()) else {
                    continue;
                };
                match part.kind.as_deref().unwrap_or_default() {
                    "text" => match part.content.or(part.text).and_then(string) {
                        Some(text) => texts.push(text),
                        None => skeleton = true,
                    },
                    "tool_call" | "tool-call" | "server_tool_call" => {
                        self.proposal(part.id.and_then(scalar), part.name, part.arguments)
                    }
                    "tool_call_response" | "tool-result" | "server_tool_call_response" => {
                        answers = true;
                        self.answer(
                            part.id.and_then(scalar),
                            part.name,
                            part.response.or(part.result).or(part.content),
                            part.is_error.is_some_and(|raw| raw.get() == "true"),
                        );
                    }
                    "tool-approval-request" => self.asked(part.tool_call_id.as_deref()),
                    _ => {}
                }
            }
        }
        if let Some(content) = message.content {
            let mut parts = Vec::new();
            content_texts(content, &mut parts);
            if role == "tool" {
                answers = true;
                let id = message.tool_call_id.clone();
                self.answer(id, None, Some(content), false);
            } else {
                texts.extend(parts);
            }
        }
        if let Some(calls) = message.tool_calls {
            for raw in elements(calls) {
                let Ok(part) = serde_json::from_str::<Part<'_>>(raw.get()) else {
                    continue;
                };
                let function: Function<'_> =
                    part.function.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
                self.proposal(
                    part.id.and_then(scalar),
                    part.name.or(function.name),
                    part.arguments.or(function.arguments),
                );
            }
        }
        self.spoke(role, &texts);
        self.said(role, &texts, skeleton, answers);
        self.out.messages = self.out.messages.saturating_add(1);
    }

    /// Keeps what was said, by its hash.
    fn spoke(&mut self, role: &str, texts: &[Cow<'_, str>]) {
        let Some(hash) = spoken_hash(&texts.join("\n")) else { return };
        let spoken = (self.out.messages, hash);
        match role {
            "user" | "human" => {
                self.out.users.push(spoken);
                self.out.answers.append(&mut self.answers);
            }
            "assistant" | "model" | "ai" => {
                self.answers.push(spoken);
                self.planned(texts);
            }
            _ => {}
        }
    }

    /// Keeps what the model wrote where it is a plan.
    fn planned(&mut self, texts: &[Cow<'_, str>]) {
        let written = texts.iter().filter(|_| self.out.direction == Direction::Output);
        if let Some(plan) = written.filter_map(|text| values::plan::plan_in(text)).next_back() {
            self.out.plan = Some(self.text(plan));
        }
    }

    /// Text of a user ends the history; text of the system is the prompt.
    fn said(&mut self, role: &str, texts: &[Cow<'_, str>], skeleton: bool, answers: bool) {
        self.out.withheld |= skeleton;
        if self.out.direction == Direction::Output || answers || texts.is_empty() && !skeleton {
            return;
        }
        let said = if texts.is_empty() {
            Known::Missing(Missing::Withheld)
        } else {
            Known::Value(self.text(&texts.join("\n")))
        };
        match role {
            "user" | "human" => {
                self.out.intent = Some(said);
                self.history.append(&mut self.current);
                self.binds(texts);
            }
            "system" | "developer" => self.out.prompt = Some(said),
            _ => {}
        }
    }

    /// Keeps what a user says that binds the conversation. What was said before it is history now.
    fn binds(&mut self, texts: &[Cow<'_, str>]) {
        self.out.stands.iter_mut().for_each(|earlier| earlier.now = false);
        let found: Vec<Stand> = texts.iter().flat_map(|text| standing::stands(text)).collect();
        for (part, stand) in found.into_iter().enumerate() {
            let words = words_of(&stand);
            let same = self.out.stands.iter().filter(|known| words_of(&known.stand) == words).count();
            let place = place(self.out.messages, part);
            self.out.stands.push(Uttered { stand, k: u32::try_from(same).unwrap_or(u32::MAX), place, now: true });
        }
    }

    fn proposal(&mut self, id: Option<Cow<'_, str>>, name: Option<Cow<'_, str>>, arguments: Option<&RawValue>) {
        let moment = match self.out.direction {
            Direction::Output => Moment::Proposed,
            Direction::Input => Moment::Carried,
        };
        let mut call = Call::new(moment);
        call.pseudo = name.as_deref().and_then(|tool| values::pseudo(tool, None, None));
        call.tool = name.as_deref().map(Arc::from);
        call.arguments = self.json(arguments);
        self.push(id, call);
    }

    /// Somebody has to decide about a call: the one that is named, else the last that nobody was asked about yet.
    fn asked(&mut self, named: Option<&str>) {
        let asked: Vec<_> =
            self.current.iter().filter(|it| it.moment == Moment::Asked).map(|it| it.id.clone()).collect();
        let open = |call: &&Call| {
            let spoken = matches!(call.moment, Moment::Proposed | Moment::Carried);
            spoken && call.id.is_some() && !asked.contains(&call.id)
        };
        let meant = |call: &&Call| named.is_none_or(|named| call.id.as_deref() == Some(named));
        if let Some(call) = self.current.iter().filter(open).rfind(meant).cloned() {
            self.current.push(Call { moment: Moment::Asked, ..call });
        }
    }

    fn answer(&mut self, id: Option<Cow<'_, str>>, name: Option<Cow<'_, str>>, result: Option<&RawValue>, error: bool) {
        let spoken = result.and_then(|raw| match string(raw) {
            Some(text) => values::spoken(&text),
            None => values::spoken(raw.get()),
        });
        let moment = spoken.unwrap_or(Moment::Answered { error, history: false });
        let mut call = Call::new(moment);
        call.tool = name.as_deref().map(Arc::from);
        call.result = self.json(result);
        self.push(id, call);
    }

    fn push(&mut self, id: Option<Cow<'_, str>>, mut call: Call) {
        call.id = id.filter(|id| !id.is_empty()).as_deref().map(Arc::from);
        self.out.idless |= call.id.is_none();
        self.current.push(call);
    }

    /// The text of a JSON value: a string's content, anything else as it stands. No value: capture is off.
    fn json(&mut self, raw: Option<&RawValue>) -> Known<Text> {
        let Some(raw) = raw.filter(|raw| raw.get() != "null") else {
            self.out.withheld = true;
            return Known::Missing(Missing::Withheld);
        };
        let said = string(raw).unwrap_or(Cow::Borrowed(raw.get()));
        match values::known(&said) {
            Known::Missing(why) => Known::Missing(why),
            Known::Value(said) => Known::Value(self.text(said)),
        }
    }

    fn text(&mut self, said: &str) -> Text {
        let (text, body) = values::text(said);
        self.out.bodies.extend(body);
        text
    }

    fn finish(mut self) -> Reading {
        if self.out.direction == Direction::Input {
            let old = self.history.len().saturating_sub(HISTORY);
            for mut call in self.history.drain(..).skip(old) {
                call.moment = match call.moment {
                    Moment::Carried => Moment::History,
                    Moment::Asked => continue,
                    Moment::Answered { error, .. } => Moment::Answered { error, history: true },
                    // A framework's own sentence in the place of a result is an answer too; `told` reads it again.
                    _ => Moment::Answered { error: false, history: true },
                };
                self.out.calls.push(call);
            }
        } else {
            self.out.calls.append(&mut self.history);
            self.out.answers.append(&mut self.answers);
        }
        self.out.calls.append(&mut self.current);
        self.out
    }
}

impl<'de> Visitor<'de> for &mut Reader {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(raw) = seq.next_element::<&RawValue>()? {
            if let Ok(message) = serde_json::from_str::<Message<'_>>(raw.get()) {
                self.message(&message);
            }
        }
        Ok(())
    }
}

/// The hash of something said, as of any text.
pub(super) fn spoken_hash(said: &str) -> Option<Hash> {
    (!said.trim().is_empty()).then(|| values::digest_json(said).bytes)
}

/// The elements of an array as far as they can be read.
fn elements(raw: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

/// The content of a JSON string.
fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);
    raw.get().starts_with('"').then(|| serde_json::from_str::<Borrowed<'_>>(raw.get()).ok()).flatten().map(|it| it.0)
}

/// A string or a number, as text.
fn scalar(raw: &RawValue) -> Option<Cow<'_, str>> {
    match raw.get().as_bytes().first()? {
        b'"' => string(raw),
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(raw.get())),
        _ => None,
    }
}

/// Chat-completions content: a string, or an array of `{"type":"text","text":…}`.
fn content_texts<'a>(raw: &'a RawValue, out: &mut Vec<Cow<'a, str>>) {
    if let Some(text) = string(raw) {
        out.push(text);
        return;
    }
    for element in elements(raw) {
        if let Ok(part) = serde_json::from_str::<Part<'a>>(element.get()) {
            out.extend(part.text.or(part.content).and_then(string));
        }
    }
}
