//! The evidence while it is being read: dialects add facts, and refine what a more general dialect said.

use std::sync::Arc;

use crate::model::{
    Body, By, Call, Check, CheckResult, Decision, Direction, Fact, Known, Messages, Missing, Moment, Nanos, Node,
    Outcome, Provenance, Span, SpanId, Status, Text, Tie, TraceId, What,
};
use crate::values;
use crate::wire::{AnyValue, SpanView};

use super::source::Source;
use super::{Content, Rules};

/// Longer words of producers (an error type, a name) are cut.
const MAX_WORD: usize = 256;

/// What stands where a producer has no id.
const PLACEHOLDERS: &[&str] =
    &["", "<not specified>", "n/a", "none", "null", "undefined", "unknown", "00000000-0000-0000-0000-000000000000"];

/// Beginnings of model response ids: some producers put the previous response where a conversation belongs, so
/// that it changes with every turn.
const RESPONSE_IDS: &[&str] = &["resp_", "chatcmpl-"];

/// Evidence in the making.
pub struct Draft<'a> {
    source: &'a Source<'a>,
    /// What kind of work the record is about.
    pub node: Node,
    /// The call that the record itself is, on a tool span. Refinements change it in place.
    pub own: Option<Call>,
    /// Where a log record without trace context says that it stands.
    pub place: Option<(TraceId, SpanId)>,
    /// What the dialect's tool spans prove, and whether its records carry content.
    pub(super) rules: Rules,
    pub(super) dialect: &'static str,
    pub(super) facts: Vec<Fact>,
    pub(super) bodies: Vec<Body>,
}

impl<'a> Draft<'a> {
    /// An empty draft of a record.
    pub fn new(source: &'a Source<'a>) -> Self {
        let node = if source.span().is_some() { Node::Other } else { Node::Log };
        let (facts, bodies) = (Vec::new(), Vec::new());
        Self { source, node, own: None, place: None, rules: Rules::DEFAULT, dialect: super::UNREAD, facts, bodies }
    }

    /// Adds a fact in the producer's own convention.
    pub fn say(&mut self, what: What) {
        self.fact(Provenance::Dialect, what);
    }

    /// Adds a fact.
    pub fn fact(&mut self, provenance: Provenance, what: What) {
        self.facts.push(Fact { provenance, what });
    }

    /// Adds what a record says about some call.
    pub fn call(&mut self, call: Call) {
        self.say(What::Call(Box::new(call)));
    }

    /// Whether a fact of this kind is there.
    pub fn has(&self, is: impl Fn(&What) -> bool) -> bool {
        self.facts.iter().any(|fact| is(&fact.what))
    }

    /// The checks said so far, to refine them.
    pub fn checks(&mut self) -> impl Iterator<Item = &mut Check> {
        self.facts.iter_mut().filter_map(|fact| match &mut fact.what {
            What::Check(check) => Some(&mut **check),
            _ => None,
        })
    }

    /// The calls said so far other than the record's own, to refine them.
    pub fn calls(&mut self) -> impl Iterator<Item = &mut Call> {
        self.facts.iter_mut().filter_map(|fact| match &mut fact.what {
            What::Call(call) => Some(&mut **call),
            _ => None,
        })
    }

    /// The messages said so far, to refine them.
    pub fn all_messages(&mut self) -> impl Iterator<Item = &mut Messages> {
        self.facts.iter_mut().filter_map(|fact| match &mut fact.what {
            What::Messages(messages) => Some(messages),
            _ => None,
        })
    }

    /// A text of the producer, its body kept when it is long; or why it is none.
    pub fn text(&mut self, raw: &str) -> Known<Text> {
        values::known(raw).map(|whole| self.keep(whole))
    }

    /// Another text in the place of an earlier one, whose body is forgotten.
    pub fn replace(&mut self, known: &mut Known<Text>, raw: &str) {
        if let Some(old) = known.value() {
            self.bodies.retain(|body| body.digest != old.digest);
        }
        *known = self.text(raw);
    }

    /// A value as text: a text as it is, others as JSON, no value as absent.
    pub fn value(&mut self, value: Option<AnyValue<'_>>) -> Known<Text> {
        match value {
            None | Some(AnyValue::Empty) => Known::ABSENT,
            Some(AnyValue::Str(raw)) => self.text(raw),
            Some(other) => {
                let mut json = Vec::new();
                other.write_json(&mut json);
                self.text(&String::from_utf8_lossy(&json))
            }
        }
    }

    /// The value of an attribute as text. Where the sender dropped attributes, an absent one may be lost.
    pub fn attribute(&mut self, key: &str) -> Known<Text> {
        match self.value(self.source.get(key)) {
            Known::Missing(Missing::Absent) if self.source.lost_attributes() => Known::Missing(Missing::Lost),
            known => known,
        }
    }

    fn keep(&mut self, whole: &str) -> Text {
        let (text, body) = values::text(whole);
        self.bodies.extend(body.filter(|body| self.bodies.iter().all(|known| known.digest != body.digest)));
        text
    }

    /// Messages of a model call, passed on unread. A redacted value is withheld, a digest of one too; what is no array
    /// is ignored.
    pub fn messages(&mut self, direction: Direction, value: AnyValue<'a>) {
        if let AnyValue::Str(raw) = value
            && (values::known(raw) == Known::Missing(Missing::Withheld) || values::redacted(raw).is_some())
        {
            return self.withheld();
        }
        let Some(json) = self.source.json(value) else { return };
        self.message_json(direction, json);
    }

    /// Messages as JSON text.
    pub fn message_json(&mut self, direction: Direction, json: bytes::Bytes) {
        let bare = json.trim_ascii();
        if bare.starts_with(b"[") && bare != b"[]" {
            self.say(What::Messages(Messages { direction, json }));
        }
    }

    /// A conversation id, unless it is a placeholder. A model response's id names none: it says what is continued.
    pub fn conversation(&mut self, id: &str) {
        let Some(id) = an_id(id) else { return };
        if RESPONSE_IDS.iter().any(|start| id.starts_with(start)) {
            self.continues(&id);
        } else if !self.has(|what| matches!(what, What::Conversation(known) if *known == id)) {
            self.say(What::Conversation(id));
        }
    }

    /// The model response that this record's model call goes on from.
    pub fn continues(&mut self, response: &str) {
        let Some(id) = an_id(response) else { return };
        let tie = What::Takes(Tie::Response(id));
        if !self.has(|what| *what == tie) {
            self.say(tie);
        }
    }

    /// Words of a message that is a record of its own, see [`What::Spoke`].
    pub fn spoke(&mut self, direction: Direction, by_user: bool, text: &str) {
        if !text.trim().is_empty() {
            let hash = values::digest_json(text).bytes;
            self.say(What::Spoke { direction, by_user, hash });
            if direction == Direction::Output
                && let Some(plan) = values::plan::plan_in(text)
            {
                let text = self.text(plan);
                self.fact(Provenance::Computed, What::Plan { id: None, text });
            }
        }
    }

    /// What the user asked for, in an attribute that its record has unless content capture is off.
    pub fn asked(&mut self, key: &str) {
        let text = match self.source.text(key) {
            Some(text) => self.text(text),
            None => Known::Missing(Missing::Withheld),
        };
        if !text.is_present() {
            self.withheld();
        }
        self.say(What::Intent(text));
    }

    /// The acting agent. The first dialect to name it wins.
    pub fn agent(&mut self, name: &str, version: Option<&str>) {
        if !name.is_empty() && !self.has(|what| matches!(what, What::Agent { .. })) {
            self.say(What::Agent { name: word(name), version: version.map(word) });
        }
    }

    /// A mode of approval in force, and whether calls run in it unasked, by a table of the dialect's words.
    pub fn mode(&mut self, mode: &str, unasked: &[(&str, Option<bool>)]) {
        let known = unasked.iter().find(|(known, _)| known.eq_ignore_ascii_case(mode));
        self.say(What::Mode { mode: word(mode), bypass: known.and_then(|(_, bypass)| *bypass) });
    }

    /// Content capture is off at this record.
    pub fn withheld(&mut self) {
        if !self.has(|what| matches!(what, What::Withheld)) {
            self.say(What::Withheld);
        }
    }

    /// The last step, when every dialect has read: the table's rules decide what an ended tool span proves and
    /// whether missing content was withheld.
    pub(super) fn finish(&mut self) {
        self.drop_responses_named_conversation();
        let mut own = self.own.take();
        if let Some(call) = &mut own {
            self.settle(call);
        }
        if self.rules.content != Content::Optional && self.lacks_content(own.as_ref()) {
            if let Some(call) = &mut own {
                withhold(&mut call.arguments);
                withhold(&mut call.result);
            }
            if self.rules.content == Content::Here {
                self.withheld();
            }
        }
        if let Some(call) = own {
            let fact = Fact { provenance: Provenance::Dialect, what: What::Call(Box::new(call)) };
            self.facts.insert(0, fact);
        }
    }

    fn settle(&self, call: &mut Call) {
        if let Moment::Ran { proof, status } = &mut call.moment {
            *proof = self.rules.proof;
            let failed =
                call.result.value().is_some_and(|result| values::is_failure(result.whole().unwrap_or_default()));
            if failed && *status == Status::Fine {
                *status = Status::Error(Arc::from("error in the result"));
            }
        }
        if let Some(by) = self.turned_away(call) {
            call.moment = Moment::Refused { by };
        }
        if let (None, Some(tool)) = (&call.pseudo, &call.tool) {
            let arguments = call.arguments.value().map(|text| &*text.head);
            call.pseudo = values::pseudo(tool, self.source.text("gen_ai.tool.type"), arguments);
        }
    }

    /// A span that failed because something kept its tool from running: what came back, or else the span's error, says
    /// so of this tool.
    fn turned_away(&self, call: &Call) -> Option<By> {
        let failed = matches!(call.moment, Moment::Ran { status: Status::Error(_), .. });
        let error = || Some(self.source.span()?.status.message);
        let said = call.result.value().map(|result| &*result.head).or_else(error).filter(|_| failed)?;
        values::turned_away(call.tool.as_deref()?, said)
    }

    /// Whether the record lacks what its dialect would capture, see [`Content`].
    fn lacks_content(&self, own: Option<&Call>) -> bool {
        let bare = |known: &Known<Text>| known.missing().is_some_and(|why| why != Missing::Lost);
        match (self.node, own) {
            (_, Some(call)) => bare(&call.arguments) && bare(&call.result),
            (Node::Model, None) => !self.has(is_content),
            _ => false,
        }
    }

    /// An id that equals a model response's is no conversation.
    fn drop_responses_named_conversation(&mut self) {
        let previous = self.source.text("gen_ai.request.previous_response.id");
        let responses: Vec<Arc<str>> = self
            .facts
            .iter()
            .filter_map(|fact| match &fact.what {
                What::Response(id) => Some(id.clone()),
                _ => None,
            })
            .collect();
        self.facts.retain(|fact| match &fact.what {
            What::Conversation(id) => !responses.contains(id) && previous != Some(id),
            _ => true,
        });
    }
}

fn withhold(known: &mut Known<Text>) {
    if *known == Known::ABSENT {
        *known = Known::Missing(Missing::Withheld);
    }
}

fn is_content(what: &What) -> bool {
    matches!(what, What::Messages(_) | What::Intent(_) | What::Call(_))
}

/// An id as sent, unless it is a placeholder.
pub fn an_id(id: &str) -> Option<Arc<str>> {
    let placeholder = PLACEHOLDERS.iter().any(|word| id.trim().eq_ignore_ascii_case(word));
    (!placeholder).then(|| Arc::from(id))
}

/// A decision about this call alone that was enforced, made when the record began. `raw`: the producer's own words.
pub fn a_decision(source: &Source<'_>, outcome: Outcome, by: By, raw: &str) -> Decision {
    Decision::new(written_or(source, |span| span.start), outcome, by, word(raw))
}

/// A check that names no call, made when the record ended. `name`: of what checked.
pub fn a_check(source: &Source<'_>, name: &str, result: CheckResult) -> Check {
    Check::new(written_or(source, |span| span.end), word(name), result, word(""))
}

/// When a log record was written, or a time of a span.
fn written_or(source: &Source<'_>, of: fn(&SpanView<'_>) -> Nanos) -> Nanos {
    match (source.log(), source.span()) {
        (Some(log), _) => log.time_or_observed(),
        (None, span) => span.map(of).unwrap_or_default(),
    }
}

/// How long somebody was asked, on the span that waited for the answer: as it says itself, else as long as it took.
pub fn waited(source: &Source<'_>) -> Option<Span> {
    let said = source.first_number(&["duration_ms"]).map(|millis| Span((millis * 1e6) as u64));
    said.or_else(|| source.span().map(|span| span.end.since(span.start)))
}

/// A decision that names a call: its id, its tool, its parameters.
pub fn about(call: &Call, decision: Decision) -> Decision {
    Decision {
        call_id: call.id.clone(),
        tool: call.tool.clone(),
        parameters: call.arguments.value().map(|text| text.digest),
        ..decision
    }
}

/// A producer's word, cut when it is too long to be one.
pub fn word(text: &str) -> Arc<str> {
    Arc::from(values::head(text, MAX_WORD))
}
