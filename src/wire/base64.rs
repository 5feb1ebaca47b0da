//! Base64 by RFC 4648: written in the standard alphabet with padding, read in either alphabet with or without.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends `bytes` as base64.
pub fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().enumerate().fold(0, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for at in 0..4 {
            out.push(if at > chunk.len() { b'=' } else { ALPHABET[(bits >> (18 - 6 * at) & 63) as usize] });
        }
    }
}

/// Appends the bytes that `text` stands for, as every proto3 JSON reader must: standard or URL-safe, padded or
/// not. `None` when it is not base64; `out` then holds some of it.
pub fn decode(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let digits = text.strip_suffix(b"==").or(text.strip_suffix(b"=")).unwrap_or(text);
    if digits.len() != text.len() && !text.len().is_multiple_of(4) {
        return None;
    }
    for chunk in digits.chunks(4) {
        let mut bits = 0;
        for (at, digit) in chunk.iter().enumerate() {
            bits |= value(*digit)? << (18 - 6 * at);
        }
        match chunk.len() {
            1 => return None,
            len => out.extend_from_slice(&bits.to_be_bytes()[1..len]),
        }
    }
    Some(())
}

fn value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_vectors_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut encoded = Vec::new();
            encode(bytes.as_bytes(), &mut encoded);
            assert_eq!(encoded, text.as_bytes());
        }
    }

    #[test]
    fn what_is_not_base64_is_refused() {
        for text in ["Z", "Zg=", "Z===", "Zm9vY", "Zg==Zg==", "Z g=", "Zm9v=", "=", "===="] {
            assert_eq!(decode(text.as_bytes(), &mut Vec::new()), None, "`{text}`");
        }
    }

    proptest! {
        #[test]
        fn both_alphabets_with_and_without_padding_give_the_bytes_back(bytes: Vec<u8>) {
            let mut standard = Vec::new();
            encode(&bytes, &mut standard);
            let standard = String::from_utf8(standard).expect("base64 is ASCII");
            let url_safe = standard.replace('+', "-").replace('/', "_");
            for text in [&standard, &url_safe] {
                for text in [text.as_str(), text.trim_end_matches('=')] {
                    let mut decoded = Vec::new();
                    prop_assert_eq!(decode(text.as_bytes(), &mut decoded), Some(()));
                    prop_assert_eq!(&decoded, &bytes);
                }
            }
        }
    }
}
