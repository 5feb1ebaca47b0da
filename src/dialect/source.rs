//! One Received as dialects look at it: its attributes indexed once, its name resolved, readers that forgive.

use bytes::Bytes;

use crate::values;
use crate::wire::{AnyValue, Attributes, EventView, KeyValue, LogView, Received, Record, SpanView};

/// One span or log record, ready to be asked.
pub struct Source<'a> {
    /// The record with its resource and scope.
    pub received: &'a Received<'a>,
    frame: &'a Bytes,
    attributes: Vec<KeyValue<'a>>,
    /// How its keys begin: most dialects ask for keys that most records have not.
    begin: Beginnings,
    event: &'a str,
}

impl<'a> Source<'a> {
    /// Looks at a record whose bytes `frame` holds.
    pub fn new(received: &'a Received<'a>, frame: &'a Bytes) -> Self {
        let attributes: Vec<_> = received.record.attributes().iter().collect();
        let begin = Beginnings::of(&attributes);
        let mut source = Self { received, frame, attributes, begin, event: "" };
        source.event = source.resolve_event();
        source
    }

    /// The record as a span.
    pub fn span(&self) -> Option<&'a SpanView<'a>> {
        match &self.received.record {
            Record::Span(span) => Some(span),
            Record::Log(_) => None,
        }
    }

    /// The record as a log record.
    pub fn log(&self) -> Option<&'a LogView<'a>> {
        match &self.received.record {
            Record::Span(_) => None,
            Record::Log(log) => Some(log),
        }
    }

    /// The name of the instrumentation scope.
    pub fn scope(&self) -> &'a str {
        self.received.scope.name
    }

    /// The name of an event that is a log record: its field, else `event.name`, else its body when that is a text.
    /// Empty for spans.
    pub fn event(&self) -> &'a str {
        self.event
    }

    fn resolve_event(&self) -> &'a str {
        let Some(log) = self.log() else { return "" };
        [Some(log.event_name), self.text("event.name"), log.body().as_str()]
            .into_iter()
            .flatten()
            .find(|name| !name.is_empty())
            .unwrap_or_default()
    }

    /// The events of a span, in order.
    pub fn span_events(&self) -> impl Iterator<Item = EventView<'a>> + use<'a> {
        self.span().into_iter().flat_map(SpanView::events)
    }

    /// An attribute's value. Of equal keys the last counts.
    pub fn get(&self, key: &str) -> Option<AnyValue<'a>> {
        if !self.begin.may_hold(key) {
            return None;
        }
        let found = self.attributes.iter().rev().find(|attribute| attribute.key_bytes() == key.as_bytes())?;
        Some(found.value())
    }

    /// An attribute that is a text and not empty.
    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.get(key)?.as_str().filter(|text| !text.is_empty())
    }

    /// The first of several attributes that is a text and not empty.
    pub fn first_text(&self, keys: &[&str]) -> Option<&'a str> {
        keys.iter().find_map(|key| self.text(key))
    }

    /// The first of several attributes that is a number at least 0, also as text.
    pub fn first_number(&self, keys: &[&str]) -> Option<f64> {
        keys.iter().find_map(|key| {
            let value = self.get(key)?;
            let number = value.as_f64().or_else(|| values::number_of(value.as_str()?))?;
            (number >= 0.0).then_some(number)
        })
    }

    /// As [`Source::first_number`], without a fraction.
    pub fn first_count(&self, keys: &[&str]) -> Option<u64> {
        self.first_number(keys).map(|number| number as u64)
    }

    /// Whether any attribute's key starts so.
    pub fn has_prefix(&self, prefix: &str) -> bool {
        self.begin.may_hold(prefix)
            && self.attributes.iter().any(|attribute| attribute.key_bytes().starts_with(prefix.as_bytes()))
    }

    /// The attributes whose keys start so, with the rest of the key.
    pub fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = (&'a str, AnyValue<'a>)> {
        self.attributes
            .iter()
            .filter_map(move |attribute| Some((attribute.key().strip_prefix(prefix)?, attribute.value())))
    }

    /// The sender dropped attributes: what is not here may have been lost.
    pub fn lost_attributes(&self) -> bool {
        match &self.received.record {
            Record::Span(span) => span.dropped_attributes > 0,
            Record::Log(log) => log.dropped_attributes > 0,
        }
    }

    /// Bytes of this record without copying. Bytes of another place are copied.
    pub fn slice(&self, part: &[u8]) -> Bytes {
        let (frame, inner) = (self.frame.as_ptr_range(), part.as_ptr_range());
        if frame.start <= inner.start && inner.end <= frame.end {
            self.frame.slice_ref(part)
        } else {
            Bytes::copy_from_slice(part)
        }
    }

    /// A text as it is, another value as JSON; nothing for no value.
    pub fn json(&self, value: AnyValue<'a>) -> Option<Bytes> {
        match value {
            AnyValue::Empty => None,
            AnyValue::Str(text) => Some(self.slice(text.as_bytes())),
            other => {
                let mut json = Vec::new();
                other.write_json(&mut json);
                Some(json.into())
            }
        }
    }
}

/// The first three bytes of keys, as a set that may say yes too often.
#[derive(Clone, Copy, Default)]
struct Beginnings(u128);

impl Beginnings {
    fn of(attributes: &[KeyValue<'_>]) -> Self {
        Self(attributes.iter().fold(0, |bits, attribute| bits | 1 << Self::bit(attribute.key_bytes())))
    }

    fn bit(key: &[u8]) -> u32 {
        let byte = |at: usize| u32::from(key.get(at).copied().unwrap_or_default());
        (byte(0) ^ byte(1).rotate_left(3) ^ byte(2).rotate_left(5)).wrapping_mul(0x9E37_79B1) >> 25
    }

    /// Whether a key may begin so. A shorter beginning is not looked for.
    fn may_hold(self, beginning: &str) -> bool {
        beginning.len() < 3 || self.0 >> Self::bit(beginning.as_bytes()) & 1 == 1
    }
}

/// A text attribute of a span event, not empty.
pub fn event_text<'a>(attributes: Attributes<'a>, key: &str) -> Option<&'a str> {
    attributes.text(key).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_key_begins_with_may_be_held() {
        for key in ["", "a", "id", "gen_ai.tool.name", "agt.policy", "\u{e9}\u{e9}"] {
            let begin = Beginnings(1 << Beginnings::bit(key.as_bytes()));
            for end in (0..=key.len()).filter(|end| key.is_char_boundary(*end)) {
                assert!(begin.may_hold(&key[..end]), "{key} begins with {}", &key[..end]);
            }
        }
        assert!(!Beginnings::default().may_hold("gen_ai."));
    }
}
