//! What redaction leaves in the place of a value: a digest, or a mark.

use memchr::memmem;

use crate::model::Digest;

/// The mark of a value that was dropped.
pub const DROPPED: &str = "<REDACTED>";

/// The digest that a text is, with or without quotes, as redaction writes it.
pub fn redacted(text: &str) -> Option<Digest> {
    Digest::from_text(text.trim().trim_matches('"'))
}

/// The key of a canonical JSON text. A string that is a digest or a mark stands for a value that nobody knows here.
pub(super) fn key(json: &str) -> u32 {
    if strings(json, DROPPED).any(|string| string == DROPPED) {
        Digest::PARTLY_WITHHELD
    } else if strings(json, "blake3:").any(|string| Digest::from_text(string).is_some()) {
        Digest::PARTLY_DIGESTED
    } else {
        0
    }
}

/// Strings in canonical JSON that begin like this, as far as they go without an escape: no digest and no mark has one.
fn strings<'a>(json: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    let places = memmem::find_iter(json.as_bytes(), start.as_bytes());
    let quoted = move |at: &usize| json[..*at].ends_with('"');
    places.filter(quoted).map(move |at| json[at..].split('"').next().unwrap_or_default())
}
