//! Numbers as ECMAScript writes them (RFC 8785 §3.2.2.3): the shortest digits that read back as the same double.

use std::fmt::Write as _;

use serde_json::Number;

/// Appends a number in canonical form. Integers of up to 64 bits keep their digits.
pub fn write_number(number: &Number, out: &mut String) {
    let exact = number.as_u64().map(|n| n.to_string()).or_else(|| number.as_i64().map(|n| n.to_string()));
    match (exact, number.as_f64()) {
        (Some(digits), _) => out.push_str(&digits),
        (None, Some(double)) => write_double(double, out),
        (None, None) => out.push_str("null"),
    }
}

/// The layout rules of ECMAScript's Number::toString. Rust's `{:e}` gives the same shortest digits.
fn write_double(double: f64, out: &mut String) {
    if double == 0.0 {
        return out.push('0'); // also for -0
    }
    let scientific = format!("{double:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return out.push_str("null");
    };
    let Ok(exponent) = exponent.parse::<i32>() else {
        return out.push_str("null");
    };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits = mantissa.replace('.', "");
    out.push_str(sign);
    let point = exponent + 1; // position of the decimal point, counted from the first digit
    let count = digits.len() as i32;
    if (count..=21).contains(&point) {
        out.push_str(&digits);
        out.extend(std::iter::repeat_n('0', (point - count) as usize));
    } else if (1..=21).contains(&point) {
        let (whole, part) = digits.split_at(point as usize);
        let _ = write!(out, "{whole}.{part}");
    } else if (-5..=0).contains(&point) {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', -point as usize));
        out.push_str(&digits);
    } else {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        let _ = write!(out, "{first}{dot}{rest}e{exponent:+}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(double: f64) -> String {
        let mut out = String::new();
        write_double(double, &mut out);
        out
    }

    /// RFC 8785 appendix B.
    #[test]
    fn doubles_are_written_as_ecmascript_does() {
        for (bits, want) in [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        ] {
            assert_eq!(written(f64::from_bits(bits)), want, "{bits:016x}");
        }
    }

    proptest! {
        #[test]
        fn a_double_reads_back(double in any::<f64>().prop_filter("finite", |d| d.is_finite())) {
            prop_assert_eq!(written(double).parse::<f64>().expect("a number"), double);
        }
    }
}
