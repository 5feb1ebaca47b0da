//! Random units for the tests: what a seed repeats.

use super::evidence::Badness;

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    /// In [0, 1).
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The wait in days for the next of so many a day, Poisson.
    pub fn wait(&mut self, a_day: f64) -> f64 {
        -(1.0 - self.next()).ln() / a_day
    }

    /// A unit that is bad with this probability.
    pub fn unit(&mut self, bad: f64) -> Badness {
        if self.next() < bad { Badness::BAD } else { Badness::GOOD }
    }
}
