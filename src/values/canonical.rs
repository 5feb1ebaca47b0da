//! Canonical JSON: RFC 8785, after unwrapping strings that hold a JSON object or array.
//!
//! Two deliberate differences from the RFC. Unwrapping, because one producer sends arguments as an object and the
//! next as a string of the same object. And integers of up to 64 bits keep all their digits: the RFC rounds them to
//! doubles, which would give two order numbers one digest.

use serde_json::{Map, Value};

use super::write_number;

/// Longer texts are not parsed; their digest is of their bytes.
const MAX_LEN: usize = 1 << 20;
/// Deeper strings are kept as strings. With serde_json's own limit of 128 per parse this bounds the stack.
const MAX_DEPTH: usize = 64;

/// The canonical form, if the text is JSON.
///
/// Of duplicate keys the last wins. Not JSON: `NaN`, lone surrogates, more than 128 levels, more than 1 MiB.
pub fn canonical(text: &str) -> Option<String> {
    let value = parse(text)?;
    let mut out = String::with_capacity(text.len());
    write(&value, 0, &mut out);
    Some(out)
}

fn parse(text: &str) -> Option<Value> {
    if text.len() > MAX_LEN { None } else { serde_json::from_str(text).ok() }
}

fn write(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => match wrapped(text, depth) {
            Some(inner) => write(&inner, depth + 1, out),
            None => write_string(text, out),
        },
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, depth + 1, out);
            }
            out.push(']');
        }
        Value::Object(fields) => write_object(fields, depth, out),
    }
}

fn write_object(fields: &Map<String, Value>, depth: usize, out: &mut String) {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_unstable_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push('{');
    for (i, (key, value)) in sorted.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_string(key, out);
        out.push(':');
        write(value, depth + 1, out);
    }
    out.push('}');
}

/// What a string holds, if that is a JSON object or array.
fn wrapped(text: &str, depth: usize) -> Option<Value> {
    let may_be = depth < MAX_DEPTH && text.trim_start().starts_with(['{', '[']);
    if may_be { parse(text) } else { None }
}

/// The escapes of RFC 8785 §3.2.2.2 and no others.
fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = first_escaped(rest.as_bytes()) {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        let mut tail = tail.chars();
        match tail.next() {
            Some('\u{8}') => out.push_str("\\b"),
            Some('\t') => out.push_str("\\t"),
            Some('\n') => out.push_str("\\n"),
            Some('\u{c}') => out.push_str("\\f"),
            Some('\r') => out.push_str("\\r"),
            Some(control) if control < ' ' => out.push_str(&format!("\\u{:04x}", control as u32)),
            Some(marked) => out.extend(['\\', marked]),
            None => {}
        }
        rest = tail.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// Where the first byte stands that is not written as it is. By blocks, which the processor looks at as a whole.
fn first_escaped(bytes: &[u8]) -> Option<usize> {
    const BLOCK: usize = 32;
    let escaped = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
    let plain = |block: &&[u8]| !block.iter().fold(false, |any, byte| any | escaped(byte));
    let skipped = bytes.chunks_exact(BLOCK).take_while(plain).count() * BLOCK;
    Some(skipped + bytes[skipped..].iter().position(escaped)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, want: &str) {
        assert_eq!(canonical(text).as_deref(), Some(want), "{text}");
    }

    #[test]
    fn the_form_is_that_of_rfc_8785() {
        check(
            r#"{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
                "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
                "literals": [null, true, false]}"#,
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
             \"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}",
        );
        // Sorted by UTF-16 code unit: the surrogates of U+1F600 come before U+FB33.
        check(
            r#"{"\ufb33":6,"\ud83d\ude00":5,"\u20ac":4,"\u00f6":3,"1":1,"\r":0,"\u0080":2}"#,
            "{\"\\r\":0,\"1\":1,\"\u{80}\":2,\"ö\":3,\"€\":4,\"😀\":5,\"\u{fb33}\":6}",
        );
    }

    #[test]
    fn strings_that_hold_json_are_unwrapped() {
        check(r#"{"a":"{\"b\":\"[1, 2]\"}"}"#, r#"{"a":{"b":[1,2]}}"#);
        check(r#"{"a":"12","b":"true","c":"{not json}"}"#, r#"{"a":"12","b":"true","c":"{not json}"}"#);
        check(r#"" [1] ""#, "[1]");
    }

    #[test]
    fn large_integers_keep_their_digits() {
        check(
            "[9007199254740993,18446744073709551615,-9223372036854775808]",
            "[9007199254740993,18446744073709551615,-9223372036854775808]",
        );
    }

    #[test]
    fn what_is_not_json_has_no_canonical_form() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let long = format!("\"{}\"", "a".repeat(MAX_LEN));
        for text in ["", "sent", "{", "[1,]", "NaN", r#""\ud800""#, "{} {}", &deep, &long] {
            assert_eq!(canonical(text), None, "{}", &text[..text.len().min(40)]);
        }
    }

    #[test]
    fn unwrapping_is_bounded() {
        let mut text = "[0]".to_owned();
        for _ in 0..12 {
            text = format!("[{}]", serde_json::to_string(&text).expect("a string"));
        }
        assert_eq!(canonical(&text), Some(format!("{}0{}", "[".repeat(13), "]".repeat(13))));
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map(".{0,4}", inner.clone(), 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
                inner.prop_map(|value| Value::String(value.to_string())),
            ]
        })
    }

    proptest! {
        #[test]
        fn canonical_is_a_fixed_point_and_ignores_spelling(value in json()) {
            let once = canonical(&value.to_string()).expect("json");
            prop_assert_eq!(canonical(&once), Some(once.clone()));
            let pretty = serde_json::to_string_pretty(&value).expect("json");
            prop_assert_eq!(canonical(&pretty), Some(once));
        }

        #[test]
        fn any_text_is_answered(text in r#"[\[\]{}":,\\u0-9a-f ]{0,60}"#) {
            let _ = canonical(&text);
        }
    }
}
