//! Values of producers: canonical JSON, digests, texts, and readers that forgive.
//!
//! Producers write the same value in many ways: as an object, as a string that holds JSON, with other spacing and
//! key order, `true` as `"true"`. Everything here is total and linear in its input: text that is not what it should
//! be is a value too.

mod canonical;
pub mod document;
mod effect;
mod number;
pub mod plan;
mod pseudo;
mod read;
mod replaced;
mod resource;
mod spoken;
pub mod standing;

use std::sync::Arc;

use bytes::Bytes;

use crate::model::{Algorithm, Body, Digest, Hash, Text};

pub use canonical::canonical;
pub use effect::{effect_of, reaches_out};
pub use number::write_number;
pub use pseudo::pseudo;
pub use read::{known, number_of, truth_of};
pub use replaced::{DROPPED, redacted};
pub use resource::{bare, resource_in};
pub use spoken::{is_failure, speaks_of_policy, spoken, turned_away};

/// Digest of a text: of its canonical JSON when it is JSON, else of its bytes. Key 0, unless redaction was here: of a
/// text that is a digest it is that one, and JSON with replaced values has a key of its own.
pub fn digest_json(text: &str) -> Digest {
    if let Some(digest) = redacted(text) {
        return digest;
    }
    match canonical(text) {
        Some(json) => Digest { key: replaced::key(&json), ..digest_bytes(json.as_bytes()) },
        None => digest_bytes(text.as_bytes()),
    }
}

/// Digest of bytes as they are. Key 0.
pub fn digest_bytes(bytes: &[u8]) -> Digest {
    Digest { algorithm: Algorithm::Blake3, key: 0, bytes: Hash(*blake3::hash(bytes).as_bytes()) }
}

/// Digest of everything that a value says of itself to a hasher. To be compared only with what the same binary made:
/// another compiler may hash in another way.
pub fn digest_of(value: &impl std::hash::Hash) -> Hash {
    let mut said = Said(Vec::with_capacity(4096));
    value.hash(&mut said);
    Hash(*blake3::hash(&said.0).as_bytes())
}

/// Writes down what it is told. One pass over all of it costs less than hashing many small parts.
struct Said(Vec<u8>);

impl std::hash::Hasher for Said {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Of no use: the bytes are what counts.
    fn finish(&self) -> u64 {
        self.0.len() as u64
    }
}

/// A text as a row keeps it, and its whole as a body when it is longer than that.
pub fn text(whole: &str) -> (Text, Option<Body>) {
    let digest = digest_json(whole);
    let head = head(whole, Text::HEAD);
    let body = (head.len() < whole.len()).then(|| Body { digest, bytes: Bytes::copy_from_slice(whole.as_bytes()) });
    (Text { digest, len: whole.len() as u64, head: Arc::from(head) }, body)
}

/// The longest beginning of at most `most` bytes that ends at a character.
pub fn head(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_same_call_has_one_digest_however_it_is_written() {
        let plain = digest_json(r#"{"order_id":"A-1001","amount":42.5}"#);
        for same in [
            r#"{ "amount": 42.50, "order_id": "A-1001" }"#,
            r#"{"order_id":"\u0041-1001","amount":4.25e1}"#,
            r#""{\"order_id\": \"A-1001\", \"amount\": 42.5}""#,
            "\n{\"order_id\":\t\"A-1001\",\"amount\":42.5}\n",
        ] {
            assert_eq!(plain.agrees_with(&digest_json(same)), Some(true), "{same}");
        }
        for other in [r#"{"order_id":"A-1001","amount":42.51}"#, r#"{"order_id":"A-1001"}"#, "{order_id}", ""] {
            assert_eq!(plain.agrees_with(&digest_json(other)), Some(false), "{other}");
        }
    }

    #[test]
    fn a_digest_in_the_place_of_a_value_agrees_with_the_value() {
        let value = r#"{"id":7}"#;
        let digest = digest_json(value);
        for redacted in [digest.to_string(), format!("{:?}", digest.to_string()), format!(" {digest}\n")] {
            assert_eq!(digest_json(&redacted), digest, "{redacted}");
            assert_eq!(text(&redacted).0.digest, digest, "{redacted}");
        }
        assert_eq!(digest.agrees_with(&digest_json(&digest_json(r#"{"id":8}"#).to_string())), Some(false));
        let keyed = Digest { key: 3, ..digest };
        assert_eq!(digest_json(&keyed.to_string()), keyed);
        assert_eq!(digest.agrees_with(&keyed), None);
    }

    #[test]
    fn values_with_replaced_parts_are_the_same_or_nobody_knows() {
        let digested = |value: &str| format!(r#"{{"id":7,"password":"{}"}}"#, digest_json(value));
        let dropped = format!(r#"{{"id":7,"password":"{DROPPED}"}}"#);
        let inside = format!(r#"{{"a":"[\"{DROPPED}\"]"}}"#);
        let plain = r#"{"id":7,"password":"x"}"#;
        for (one, other, want) in [
            (digested("x"), digested("x"), Some(true)),
            (digested("x"), digested("y"), None),
            (digested("x"), plain.to_owned(), None),
            (dropped.clone(), plain.to_owned(), None),
            (dropped.clone(), digested("x"), None),
            (dropped.clone(), dropped.clone(), Some(true)),
            (inside.clone(), r#"{"a":["b"]}"#.to_owned(), None),
        ] {
            assert_eq!(digest_json(&one).agrees_with(&digest_json(&other)), want, "{one} {other}");
        }
        let key = |text: &str| digest_json(text).key;
        assert_eq!((key(&dropped), key(&digested("x"))), (Digest::PARTLY_WITHHELD, Digest::PARTLY_DIGESTED));
        for plain in [plain, r#"{"a":"blake3:abc"}"#, r#"{"a":"what does <REDACTED> mean?"}"#, "blake3:abc", DROPPED] {
            assert_eq!(key(plain), 0, "{plain}");
        }
    }

    #[test]
    fn what_differs_has_another_digest() {
        let values = [("", "ab"), ("a", "b"), ("ab", ""), ("ab", "c")];
        for (one, other) in values.iter().flat_map(|one| values.iter().map(move |other| (one, other))) {
            assert_eq!(digest_of(one) == digest_of(other), one == other, "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_long_text_keeps_its_head_and_has_a_body() {
        let (short, none) = text("ü");
        assert!(none.is_none() && short.is_whole());
        let whole = "ü".repeat(Text::HEAD);
        let (long, body) = text(&format!("x{whole}"));
        assert_eq!((long.len, long.head.len()), (2 * Text::HEAD as u64 + 1, Text::HEAD - 1));
        let body = body.expect("longer than a row keeps");
        assert_eq!((body.digest, body.bytes.len() as u64), (long.digest, long.len));
    }

    proptest! {
        #[test]
        fn any_text_has_a_head_inside_the_limit(whole in ".{0,40}", most in 0_usize..80) {
            let head = head(&whole, most);
            prop_assert!(head.len() <= most && whole.starts_with(head));
            prop_assert!(head.len() + 4 > most.min(whole.len()));
        }
    }
}
