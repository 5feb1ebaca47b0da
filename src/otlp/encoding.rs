//! Compressed bodies, decompressed inside a fixed amount of memory.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, HeaderName};
use zstd::stream::read::Decoder as ZstdDecoder;

use super::refused::{Refused, Why};
use crate::net::Reservation;

/// Output is reserved and produced in steps of this many bytes.
const STEP: usize = 64 << 10;

/// A zstd window larger than all that may come out is memory for nothing, but senders that compress while they write
/// do not know how little that will be; every decoder should take this much (RFC 8878 §3.1.1.1.2).
const WINDOW_MIN: usize = 8 << 20;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// What the header names; its case does not matter. More than one compression on top of each other is not
    /// understood.
    pub fn of(headers: &HeaderMap, name: HeaderName) -> Result<Self, Refused> {
        let mut values = headers.get_all(&name).iter();
        let (value, more) = (values.next(), values.next());
        let Some(value) = value else {
            return Ok(Self::Identity);
        };
        let text = value.to_str().unwrap_or_default().trim().to_ascii_lowercase();
        match (text.as_str(), more) {
            ("" | "identity", None) => Ok(Self::Identity),
            ("gzip" | "x-gzip", None) => Ok(Self::Gzip),
            ("zstd", None) => Ok(Self::Zstd),
            _ => Err(Refused::new(Why::Encoding, format!("`{name}` must be one of `gzip`, `zstd` and `identity`"))),
        }
    }

    /// How many bytes as sent make about `bytes` of the kind that agents send.
    pub fn worth_of(self, bytes: usize) -> usize {
        match self {
            Self::Identity => bytes,
            Self::Gzip | Self::Zstd => bytes / 8,
        }
    }

    /// The bytes that were compressed, at most `limit` of them. `held` grows with the output, so a bomb stops where
    /// the limit or the memory for all requests ends.
    pub fn decompress(self, wire: Bytes, limit: usize, held: &mut Reservation) -> Result<Bytes, Refused> {
        match self {
            Self::Identity => Ok(wire),
            Self::Gzip => read(MultiGzDecoder::new(&wire[..]), limit, held),
            Self::Zstd => {
                let mut decoder = ZstdDecoder::with_buffer(&wire[..]).map_err(unreadable)?;
                decoder.window_log_max(limit.max(WINDOW_MIN).ilog2()).map_err(unreadable)?;
                read(decoder, limit, held)
            }
        }
    }
}

fn read(mut from: impl Read, limit: usize, held: &mut Reservation) -> Result<Bytes, Refused> {
    let before = held.bytes();
    let mut out = Vec::new();
    loop {
        held.ensure(before + out.len() + STEP)?;
        let step = (&mut from).take(STEP as u64).read_to_end(&mut out).map_err(unreadable)?;
        if out.len() > limit {
            return Err(Refused::too_large("decompressed request", limit));
        }
        if step == 0 {
            return Ok(out.into());
        }
    }
}

fn unreadable(error: std::io::Error) -> Refused {
    Refused::new(Why::Malformed, format!("cannot decompress the request: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Budget;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http::HeaderValue;
    use http::header::CONTENT_ENCODING;
    use proptest::prelude::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 3).unwrap()
    }

    fn decompress(encoding: Encoding, wire: Vec<u8>, limit: usize) -> Result<Bytes, Why> {
        let mut held = Budget::new(1 << 30).open();
        encoding.decompress(wire.into(), limit, &mut held).map_err(|refused| refused.why)
    }

    proptest! {
        #[test]
        fn what_was_compressed_in_one_or_two_parts_comes_back(
            first in prop::collection::vec(any::<u8>(), 0..5000),
            second in prop::collection::vec(any::<u8>(), 0..5000),
        ) {
            let both = [first.clone(), second.clone()].concat();
            for (encoding, compress) in [(Encoding::Gzip, gzip as fn(&[u8]) -> Vec<u8>), (Encoding::Zstd, zstd)] {
                let parts = [compress(&first), compress(&second)].concat();
                prop_assert_eq!(decompress(encoding, parts.clone(), both.len()), Ok(Bytes::from(both.clone())));
                if !both.is_empty() {
                    prop_assert_eq!(decompress(encoding, parts, both.len() - 1), Err(Why::TooLarge));
                }
            }
        }

        #[test]
        fn garbage_is_malformed_and_never_more(bytes in prop::collection::vec(any::<u8>(), 1..300)) {
            for encoding in [Encoding::Gzip, Encoding::Zstd] {
                let outcome = decompress(encoding, bytes.clone(), 1 << 20);
                prop_assert!(matches!(outcome, Err(Why::Malformed) | Ok(_)), "{:?}", outcome);
            }
        }
    }

    #[test]
    fn a_bomb_ends_at_the_limit_or_at_the_budget() {
        let zeros = vec![0; 64 << 20];
        for (encoding, wire) in [(Encoding::Gzip, gzip(&zeros)), (Encoding::Zstd, zstd(&zeros))] {
            assert!(wire.len() < 1 << 17, "a bomb is small");
            assert_eq!(decompress(encoding, wire.clone(), 1 << 20), Err(Why::TooLarge));
            let budget = Budget::new(1 << 20);
            let mut held = budget.open();
            let refused = encoding.decompress(wire.into(), 64 << 20, &mut held).unwrap_err();
            assert_eq!(refused.why, Why::Overloaded);
            drop(held);
            assert_eq!(budget.held(), 0);
        }
    }

    #[test]
    fn the_header_is_read_without_case_and_one_compression_is_understood() {
        for (value, want) in [
            ("gzip", Ok(Encoding::Gzip)),
            ("GZIP", Ok(Encoding::Gzip)),
            (" zstd ", Ok(Encoding::Zstd)),
            ("Identity", Ok(Encoding::Identity)),
            ("", Ok(Encoding::Identity)),
            ("gzip, gzip", Err(Why::Encoding)),
            ("br", Err(Why::Encoding)),
            ("deflate", Err(Why::Encoding)),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(Encoding::of(&headers, CONTENT_ENCODING).map_err(|refused| refused.why), want, "{value}");
        }
        let mut twice = HeaderMap::new();
        twice.append(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        twice.append(CONTENT_ENCODING, HeaderValue::from_static("zstd"));
        assert!(Encoding::of(&twice, CONTENT_ENCODING).is_err());
    }
}
