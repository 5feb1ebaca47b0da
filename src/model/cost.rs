//! What a model call cost, exactly: costs are added, and a sum must not depend on the order of its parts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// US dollars, in millionths of a millionth: a token may cost less than a millionth of a dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Cost(pub u64);

impl Cost {
    const PER_DOLLAR: u64 = 1_000_000_000_000;

    /// An amount as it is sent, rounded to the unit. `None` for what is no amount: negative, not finite, too large.
    pub fn dollars(amount: f64) -> Option<Self> {
        let units = (amount * Self::PER_DOLLAR as f64).round();
        (0.0..u64::MAX as f64).contains(&units).then_some(Self(units as u64))
    }

    /// The sum; the largest amount there is when it would be more.
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, part) = (self.0 / Self::PER_DOLLAR, self.0 % Self::PER_DOLLAR);
        let digits = format!("{part:012}");
        let digits = digits.trim_end_matches('0');
        let point = if digits.is_empty() { "" } else { "." };
        write!(f, "{dollars}{point}{digits} USD")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_and_what_is_none_is_refused() {
        for (sent, shown) in [
            (0.0, "0 USD"),
            (2.745e-5, "0.00002745 USD"),
            (3.75e-8, "0.0000000375 USD"),
            (0.1 + 0.2, "0.3 USD"),
            (12.0, "12 USD"),
        ] {
            assert_eq!(Cost::dollars(sent).expect("an amount").to_string(), shown);
        }
        for none in [-0.01, f64::NAN, f64::INFINITY, 1e30] {
            assert_eq!(Cost::dollars(none), None, "{none}");
        }
        let tenth = Cost::dollars(0.1).expect("an amount");
        assert_eq!((0..10).fold(Cost::default(), |sum, _| sum.plus(tenth)).to_string(), "1 USD");
        assert_eq!(Cost(u64::MAX).plus(tenth), Cost(u64::MAX));
    }
}
