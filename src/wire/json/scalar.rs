//! One JSON value to one protobuf scalar, by the JSON mapping of proto3 as OTLP narrows it.

use crate::wire::base64;
use crate::wire::check::check_text;
use crate::wire::rejected::Reason;
use crate::wire::write;

use super::reader::{Reader, Token, number_len};
use super::schema::{Kind, Number};
use super::{Fault, FaultKind};

/// Appends the value at the cursor as the payload of `field`: without its key, and for texts and bytes without a
/// length. Says whether it is the type's default.
pub fn write(reader: &mut Reader<'_>, field: &'static str, kind: Kind, out: &mut Vec<u8>) -> Result<bool, Fault> {
    let token = reader.peek()?;
    let at = Place { offset: reader.offset(), field };
    match kind {
        Kind::Text => {
            let text = at.text(token, reader, "a text")?;
            check_text(&text).map_err(|reason| at.fault(reason, "UTF-8"))?;
            out.extend_from_slice(&text);
            Ok(text.is_empty())
        }
        Kind::Base64 => {
            let text = at.text(token, reader, "base64")?;
            base64::decode(&text, out).ok_or(at.fault(Reason::JsonValue, "base64"))?;
            Ok(text.is_empty())
        }
        Kind::Id(len, reason) => {
            let text = at.text(token, reader, "hex digits")?;
            if text.is_empty() {
                return Ok(true);
            }
            let mut id = [0; 16];
            let id = &mut id[..len];
            const_hex::decode_to_slice(&*text, id)
                .ok()
                .filter(|()| text.len() == 2 * len)
                .ok_or(at.fault(reason, if len == 16 { "32 hex digits" } else { "16 hex digits" }))?;
            out.extend_from_slice(id);
            Ok(false)
        }
        Kind::Bool => {
            if token != Token::Bool {
                return Err(at.fault(Reason::JsonValue, "`true` or `false`"));
            }
            let truth = reader.boolean()?;
            out.push(u8::from(truth));
            Ok(!truth)
        }
        Kind::Double => {
            let number = at.number(token, reader, "a number")?;
            let number = double(&number).ok_or(at.fault(Reason::JsonValue, "a number"))?;
            out.extend_from_slice(&number.to_le_bytes());
            Ok(number.to_bits() == 0)
        }
        Kind::Whole(number) => {
            let text = at.number(token, reader, "a whole number")?;
            let value = whole(&text, number).ok_or(at.fault(Reason::JsonValue, "a whole number in range"))?;
            write_whole(value, number, out);
            Ok(value == 0)
        }
        Kind::Message(_) => Err(at.fault(Reason::JsonValue, "an object")),
    }
}

/// Where a value stands, for the fault it may be.
#[derive(Clone, Copy)]
struct Place {
    offset: usize,
    field: &'static str,
}

impl Place {
    fn fault(self, reason: Reason, expected: &'static str) -> Fault {
        Fault { offset: self.offset, kind: FaultKind::Value { reason, field: self.field, expected } }
    }

    fn text<'j>(
        self,
        token: Token,
        reader: &mut Reader<'j>,
        expected: &'static str,
    ) -> Result<std::borrow::Cow<'j, [u8]>, Fault> {
        if token == Token::Text { reader.text() } else { Err(self.fault(Reason::JsonValue, expected)) }
    }

    /// A number, or a text that may hold one.
    fn number(self, token: Token, reader: &mut Reader<'_>, expected: &'static str) -> Result<String, Fault> {
        match token {
            Token::Number => reader.number().map(str::to_owned),
            Token::Text => {
                String::from_utf8(reader.text()?.into_owned()).map_err(|_| self.fault(Reason::JsonValue, expected))
            }
            _ => Err(self.fault(Reason::JsonValue, expected)),
        }
    }
}

fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => finite(text),
    }
}

fn finite(text: &str) -> Option<f64> {
    if !is_number(text) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Whether the text is a JSON number and nothing else: Rust would read more than that, `inf` for one.
fn is_number(text: &str) -> bool {
    !text.is_empty() && number_len(text.as_bytes()) == text.len()
}

/// A whole number that fits `number`. It may be written as a decimal without a fraction: 42.0 and 1e3 are whole. Read
/// digit by digit, because a nanosecond time does not fit a double.
fn whole(text: &str, number: Number) -> Option<i128> {
    if !is_number(text) {
        return None;
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (before_point, behind_point) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [before_point, behind_point].concat();
    let significant = digits.trim_end_matches('0');
    let value = if significant.is_empty() || significant == "-" {
        0
    } else {
        let zeros = exponent.parse::<i64>().ok()?.checked_add((digits.len() - significant.len()) as i64)?;
        let zeros = u32::try_from(zeros.checked_sub(behind_point.len() as i64)?).ok()?;
        significant.parse::<i128>().ok()?.checked_mul(10_i128.checked_pow(zeros)?)?
    };
    number.range().contains(&value).then_some(value)
}

/// The casts keep the low bits, which is what the protocol asks of negative numbers; the value is in range.
fn write_whole(value: i128, number: Number, out: &mut Vec<u8>) {
    match number {
        Number::Int32 | Number::Int64 | Number::Uint32 | Number::Uint64 => write::varint(value as u64, out),
        Number::Sint32 => write::varint((value << 1 ^ value >> 31) as u32 as u64, out),
        Number::Fixed32 => out.extend_from_slice(&(value as u32).to_le_bytes()),
        Number::Fixed64 | Number::Sfixed64 => out.extend_from_slice(&(value as u64).to_le_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_may_be_written_as_floats_but_must_fit() {
        for (text, number, want) in [
            ("0", Number::Int64, Some(0)),
            ("-0", Number::Int64, Some(0)),
            ("42.0", Number::Int64, Some(42)),
            ("1e3", Number::Int64, Some(1000)),
            ("1.5e18", Number::Fixed64, Some(1_500_000_000_000_000_000)),
            ("1795149303599000001.0", Number::Fixed64, Some(1_795_149_303_599_000_001)),
            ("100E-2", Number::Int64, Some(1)),
            ("-1.20e+1", Number::Int64, Some(-12)),
            ("0e99999999999999999999", Number::Int64, Some(0)),
            ("1e99999999999999999999", Number::Int64, None),
            ("12e-1", Number::Int64, None),
            ("9007199254740993", Number::Int64, Some(9_007_199_254_740_993)),
            ("18446744073709551615", Number::Fixed64, Some(i128::from(u64::MAX))),
            ("18446744073709551616", Number::Fixed64, None),
            ("9223372036854775808", Number::Int64, None),
            ("-9223372036854775808", Number::Int64, Some(i128::from(i64::MIN))),
            ("-1", Number::Fixed64, None),
            ("4294967296", Number::Uint32, None),
            ("-2147483648", Number::Int32, Some(-2_147_483_648)),
            ("1.5", Number::Int64, None),
            ("1e999", Number::Int64, None),
            ("+1", Number::Int64, None),
            ("01", Number::Int64, None),
            ("", Number::Int64, None),
            (" 1", Number::Int64, None),
            ("NaN", Number::Int64, None),
            ("0x10", Number::Int64, None),
            ("SPAN_KIND_SERVER", Number::Int32, None),
        ] {
            assert_eq!(whole(text, number), want, "`{text}` as {number:?}");
        }
    }

    #[test]
    fn doubles_may_be_texts_and_need_not_be_finite() {
        for (text, want) in [
            ("1.5", Some(1.5)),
            ("-0", Some(-0.0)),
            ("1e-3", Some(0.001)),
            ("Infinity", Some(f64::INFINITY)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("inf", None),
            ("nan", None),
            ("1e999", None),
            ("1,5", None),
        ] {
            assert_eq!(double(text), want, "`{text}`");
        }
        assert!(double("NaN").is_some_and(f64::is_nan));
    }

    #[test]
    fn signed_numbers_are_zigzagged() {
        for (value, want) in [(0, &[0][..]), (-1, &[1]), (1, &[2]), (-2_147_483_648, &[0xff, 0xff, 0xff, 0xff, 0x0f])] {
            let mut out = Vec::new();
            write_whole(value, Number::Sint32, &mut out);
            assert_eq!(out, want, "{value}");
        }
    }
}
