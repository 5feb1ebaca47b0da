//! Reads JSON (RFC 8259) token by token. Every method stands at the first byte of a value or at the space before it.
//!
//! Two things are left to the caller, so that they cost a record and not the request: texts are not looked at for
//! being UTF-8, and values may be nested to any depth when they are skipped.

use std::borrow::Cow;

use super::{Fault, FaultKind};

/// A cursor over JSON text.
#[derive(Debug, Clone)]
pub struct Reader<'j> {
    json: &'j [u8],
    at: usize,
}

/// The first thing of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    Object,
    Array,
    Text,
    Number,
    Bool,
    Null,
}

type Read<T> = Result<T, Fault>;

impl<'j> Reader<'j> {
    pub fn new(json: &'j [u8]) -> Self {
        Self { json, at: 0 }
    }

    /// Bytes before the cursor.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Goes back to where the cursor was.
    pub fn rewind(&mut self, offset: usize) {
        self.at = offset;
    }

    /// What the next value is, by its first byte.
    pub fn peek(&mut self) -> Read<Token> {
        self.space();
        match self.json.get(self.at) {
            Some(b'{') => Ok(Token::Object),
            Some(b'[') => Ok(Token::Array),
            Some(b'"') => Ok(Token::Text),
            Some(b'-' | b'0'..=b'9') => Ok(Token::Number),
            Some(b't' | b'f') => Ok(Token::Bool),
            Some(b'n') => Ok(Token::Null),
            _ => self.expected("a value"),
        }
    }

    /// Passes the bracket that opens an object or array.
    pub fn open(&mut self) {
        self.at += 1;
    }

    /// The key of the next member of an object, or `None` behind its end. `first`: the object was just opened.
    pub fn key(&mut self, first: bool) -> Read<Option<Cow<'j, [u8]>>> {
        if !self.more(first, b'}')? {
            return Ok(None);
        }
        let key = self.text()?;
        self.space();
        self.byte(b':', "`:`")?;
        Ok(Some(key))
    }

    /// Whether an array has another element; stands behind its end if not. `first`: the array was just opened.
    pub fn element(&mut self, first: bool) -> Read<bool> {
        self.more(first, b']')
    }

    fn more(&mut self, first: bool, end: u8) -> Read<bool> {
        self.space();
        match self.json.get(self.at) {
            Some(byte) if *byte == end => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') if !first => {
                self.at += 1;
                self.space();
                Ok(true)
            }
            _ if first => Ok(true),
            _ => self.expected("`,` or the closing bracket"),
        }
    }

    /// A text, with its escapes resolved. Not necessarily UTF-8.
    pub fn text(&mut self) -> Read<Cow<'j, [u8]>> {
        self.byte(b'"', "a text")?;
        let plain = self.plain();
        if self.json.get(self.at) == Some(&b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_vec();
        loop {
            match self.json.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.escape(&mut text)?,
                _ => return self.expected("a character of a text"),
            }
            text.extend_from_slice(self.plain());
        }
        self.at += 1;
        Ok(Cow::Owned(text))
    }

    /// The bytes up to a quote, a backslash, a control character or the end.
    fn plain(&mut self) -> &'j [u8] {
        let rest = &self.json[self.at..];
        let end = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
        let end = rest[..end].iter().position(|byte| *byte < 0x20).unwrap_or(end);
        self.at += end;
        &rest[..end]
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Read<()> {
        let byte = match self.json.get(self.at + 1) {
            Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => return self.unicode_escape(text),
            _ => return self.expected("an escape"),
        };
        self.at += 2;
        text.push(byte);
        Ok(())
    }

    /// A UTF-16 unit or a pair of them; half a pair becomes U+FFFD.
    fn unicode_escape(&mut self, text: &mut Vec<u8>) -> Read<()> {
        let Some(unit) = self.unit() else {
            return self.expected("four hex digits");
        };
        self.at += 6;
        let mut character = char::from_u32(unit);
        if let 0xd800..=0xdbff = unit
            && let Some(low @ 0xdc00..=0xdfff) = self.unit()
        {
            self.at += 6;
            character = char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
        }
        let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    /// The unit of the `\uXXXX` at the cursor, which does not move.
    fn unit(&self) -> Option<u32> {
        let digits = self.json.get(self.at..self.at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
    }

    /// A number, as written.
    pub fn number(&mut self) -> Read<&'j str> {
        let rest = &self.json[self.at..];
        let len = number_len(rest);
        match std::str::from_utf8(&rest[..len]) {
            Ok(number) if len > 0 => {
                self.at += len;
                Ok(number)
            }
            _ => self.expected("a number"),
        }
    }

    /// `true` or `false`.
    pub fn boolean(&mut self) -> Read<bool> {
        let truth = self.json.get(self.at) == Some(&b't');
        self.word(if truth { b"true" } else { b"false" })?;
        Ok(truth)
    }

    /// `null`.
    pub fn null(&mut self) -> Read<()> {
        self.word(b"null")
    }

    fn word(&mut self, word: &[u8]) -> Read<()> {
        if !self.json[self.at..].starts_with(word) {
            return self.expected("`true`, `false` or `null`");
        }
        self.at += word.len();
        Ok(())
    }

    /// Passes over a value, however deep.
    pub fn skip(&mut self) -> Read<()> {
        let mut inside = Vec::new();
        loop {
            match self.peek()? {
                token @ (Token::Object | Token::Array) => {
                    self.open();
                    inside.push((token, true));
                }
                Token::Text => drop(self.text()?),
                Token::Number => drop(self.number()?),
                Token::Bool => drop(self.boolean()?),
                Token::Null => self.null()?,
            }
            loop {
                let Some((token, first)) = inside.last_mut() else {
                    return Ok(());
                };
                let first = std::mem::take(first);
                let more = match token {
                    Token::Object => self.key(first)?.is_some(),
                    _ => self.element(first)?,
                };
                if more {
                    break;
                }
                inside.pop();
            }
        }
    }

    /// Nothing but space is left.
    pub fn end(&mut self) -> Read<()> {
        self.space();
        if self.at == self.json.len() { Ok(()) } else { self.expected("the end") }
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.json.get(self.at) {
            self.at += 1;
        }
    }

    fn byte(&mut self, byte: u8, expected: &'static str) -> Read<()> {
        if self.json.get(self.at) != Some(&byte) {
            return self.expected(expected);
        }
        self.at += 1;
        Ok(())
    }

    fn expected<T>(&self, expected: &'static str) -> Read<T> {
        Err(Fault { offset: self.at, kind: FaultKind::Syntax { expected } })
    }
}

/// How many bytes of `text`, from its first, are a number by the grammar of RFC 8259; 0 when it starts with none.
pub fn number_len(text: &[u8]) -> usize {
    let digits = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut len = usize::from(text.first() == Some(&b'-'));
    len += match text.get(len) {
        Some(b'0') => 1,
        Some(b'1'..=b'9') => digits(len),
        _ => return 0,
    };
    if text.get(len) == Some(&b'.') {
        match digits(len + 1) {
            0 => return 0,
            fraction => len += 1 + fraction,
        }
    }
    if let Some(b'e' | b'E') = text.get(len) {
        let sign = usize::from(matches!(text.get(len + 1), Some(b'+' | b'-')));
        match digits(len + 1 + sign) {
            0 => return 0,
            exponent => len += 1 + sign + exponent,
        }
    }
    len
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn skips(json: &[u8]) -> bool {
        let mut reader = Reader::new(json);
        reader.skip().and_then(|()| reader.end()).is_ok()
    }

    #[test]
    fn texts_are_read_with_their_escapes() {
        for (json, want) in [
            (r#""""#, ""),
            (r#""plain""#, "plain"),
            (r#""a\"b\\c\/d""#, "a\"b\\c/d"),
            (r#""\b\f\n\r\t""#, "\u{8}\u{c}\n\r\t"),
            (r#""\u00e9\u20AC""#, "é€"),
            (r#""\ud83d\ude00!""#, "😀!"),
            (r#""cut \ud83d""#, "cut \u{fffd}"),
            (r#""\ude00\ud83dx""#, "\u{fffd}\u{fffd}x"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
        ] {
            assert_eq!(Reader::new(json.as_bytes()).text().as_deref(), Ok(want.as_bytes()), "{json}");
        }
    }

    #[test]
    fn nesting_costs_no_stack() {
        let deep = [vec![b'['; 1_000_000], vec![b']'; 1_000_000]].concat();
        assert!(skips(&deep));
        assert!(!skips(&deep[..deep.len() - 1]));
    }

    /// Pieces that make likely JSON and near misses.
    fn fragments() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"a\"",
            "\"\\n\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"",
            " ",
            "\n",
            "0",
            "-",
            "1",
            "01",
            "1.5",
            ".5",
            "1.",
            "1e3",
            "1e",
            "-0",
            "true",
            "tru",
            "false",
            "null",
            "nul",
            "é",
            "\u{1}",
        ]);
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn what_serde_json_reads_is_read_and_the_rest_is_not(json in fragments()) {
            let wanted = serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok();
            prop_assert_eq!(skips(json.as_bytes()), wanted, "{:?}", json);
        }
    }
}
