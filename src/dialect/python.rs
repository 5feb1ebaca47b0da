//! Python literals to JSON: some producers write values with `repr()` instead of as JSON.
//!
//! Dicts, lists, tuples, strings, numbers, `True`, `False`, `None`. Anything else (an object's `repr`, a set, a bytes
//! literal) is no literal of this kind.

use std::iter::Peekable;
use std::str::Chars;

use serde_json::Value;

/// The value of a literal; `None` when it is none.
pub fn literal(text: &str) -> Option<Value> {
    let mut json = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\'' | '"' => string(c, &mut rest, &mut json)?,
            '(' => json.push('['),
            ')' | ']' => close(&mut json),
            c if c.is_ascii_alphabetic() => json.push_str(word(c, &mut rest)?),
            c => json.push(c),
        }
    }
    serde_json::from_str(&json).ok()
}

/// A trailing comma is fine in Python only: `(1,)`.
fn close(json: &mut String) {
    if let Some(before) = json.trim_end().strip_suffix(',') {
        json.truncate(before.len());
    }
    json.push(']');
}

/// A keyword, or the exponent of a number.
fn word(first: char, rest: &mut Peekable<Chars<'_>>) -> Option<&'static str> {
    let mut word = String::from(first);
    while let Some(c) = rest.next_if(|c| c.is_ascii_alphabetic()) {
        word.push(c);
    }
    match &*word {
        "True" => Some("true"),
        "False" => Some("false"),
        "None" => Some("null"),
        "e" => Some("e"),
        _ => None,
    }
}

/// The rest of a string after its opening quote, as a JSON string.
fn string(quote: char, rest: &mut Peekable<Chars<'_>>, json: &mut String) -> Option<()> {
    let mut text = String::new();
    loop {
        match rest.next()? {
            c if c == quote => break,
            '\\' => text.push(escape(rest)?),
            c => text.push(c),
        }
    }
    json.push_str(&Value::String(text).to_string());
    Some(())
}

fn escape(rest: &mut Peekable<Chars<'_>>) -> Option<char> {
    match hex_digits(rest.peek()?) {
        Some(digits) => {
            rest.next();
            let code: String = rest.by_ref().take(digits).collect();
            char::from_u32(u32::from_str_radix(&code, 16).ok()?)
        }
        None => match rest.next()? {
            'n' => Some('\n'),
            't' => Some('\t'),
            'r' => Some('\r'),
            other => Some(other),
        },
    }
}

fn hex_digits(kind: &char) -> Option<usize> {
    match kind {
        'x' => Some(2),
        'u' => Some(4),
        'U' => Some(8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn literals_become_json() {
        for (text, want) in [
            ("{'order_id': 'A-1001', 'amount': 42.5}", Some(json!({"order_id": "A-1001", "amount": 42.5}))),
            (r#"{"it's": [True, None, (1, 2)]}"#, Some(json!({"it's": [true, null, [1, 2]]}))),
            ("[1e5, 2]", Some(json!([1e5, 2]))),
            (r"'a\'b\n\x41\u20ac'", Some(json!("a'b\nA€"))),
            ("{'q': 'True, ,] [x]'}", Some(json!({"q": "True, ,] [x]"}))),
            ("(1,)", Some(json!([1]))),
            ("Interrupt(value=1)", None),
            ("{'a': <object>}", None),
            ("'open", None),
            ("", None),
        ] {
            assert_eq!(literal(text), want, "{text}");
        }
    }
}
