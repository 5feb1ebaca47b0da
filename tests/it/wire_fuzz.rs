//! Foreign bytes never panic, whatever they are. [`poke`] is the target: it sends bytes through every entry and
//! looks at everything that comes back; any other harness may call it as well.

use bytes::Bytes;
use proptest::prelude::*;
use wherefore::model::Signal;
use wherefore::wire::{Attributes, Received, Record, count_metrics, framing, json, records, validate};

use crate::wire_view::{changed, changes, noise, script, wild_request};

/// Everything that reads foreign bytes.
pub(crate) fn poke(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    for signal in Signal::ALL {
        if let Ok(validated) = validate(signal, &body) {
            let _ = validated.rejected.to_string();
        }
        if let Err(error) = json::receive(signal, data) {
            let _ = error.to_string();
        }
        records(signal, data).for_each(look);
    }
    let _ = count_metrics(data);
    assert!(framing::delimited(data).count() <= data.len());
}

fn look(received: Received<'_>) {
    look_at(received.resource.attributes());
    look_at(received.scope.attributes());
    look_at(received.record.attributes());
    match received.record {
        Record::Span(span) => {
            span.events().for_each(|event| look_at(event.attributes()));
            span.links().for_each(|link| look_at(link.attributes()));
        }
        Record::Log(log) => {
            log.body().write_json(&mut Vec::new());
            let _ = log.time_or_observed();
        }
    }
}

fn look_at(attributes: Attributes<'_>) {
    for attribute in attributes.iter() {
        attribute.value().write_json(&mut Vec::new());
        let _ = attributes.get(attribute.key());
    }
}

/// A small request in OTLP/JSON, to be broken.
const JSON: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":{"arrayValue":{"values":
[{"intValue":"1"},{"doubleValue":1.5e3},null]}}}]},"scopeSpans":[{"scope":{"name":"\u00e9\ud83d\ude00"},"spans":[{
"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","name":"n\n","events":[{"name":"e"}],
"startTimeUnixNano":"1","flags":257,"status":{"code":2}}]}]}]}"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::wire_view::cases() * 40))]

    #[test]
    fn nothing_panics(script in script(), changes in changes(), noise in noise()) {
        poke(&noise);
        poke(&changed(JSON.as_bytes().to_vec(), &changes));
        for signal in Signal::ALL {
            poke(&changed(wild_request(signal, &script), &changes));
        }
    }
}

/// Values inside values, `levels` deep, as the body of a log record.
fn nested(levels: usize) -> Vec<u8> {
    // Built from the inside out; each level is two keys and two lengths, so the tail never moves.
    let mut reversed = vec![];
    let mut wrap = |key: u8, len: usize| {
        let mut varint = Vec::new();
        let mut rest = len;
        while rest >= 0x80 {
            varint.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        varint.push(rest as u8);
        reversed.extend(varint.iter().rev());
        reversed.push(key);
        len + varint.len() + 1
    };
    let value = (0..levels).fold(0, |len, _| {
        let array = wrap(0x0a, len);
        wrap(0x2a, array)
    });
    [0x2a, 0x12, 0x12, 0x0a].into_iter().fold(value, |len, key| wrap(key, len));
    reversed.reverse();
    reversed
}

#[test]
fn nesting_never_exhausts_the_stack() {
    for levels in [10, 1_000, 200_000] {
        poke(&nested(levels));
    }
    poke(&[b'['; 1_000_000]);
    poke(&[0x0b; 1_000_000]);
}

#[test]
fn nesting_within_the_limit_is_accepted() {
    for (levels, accepted) in [(49, 1), (50, 0)] {
        let validated = validate(Signal::Logs, &nested(levels).into()).expect("framing");
        assert_eq!(validated.accepted, accepted, "{levels}");
    }
}
