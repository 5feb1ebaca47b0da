//! When is a share surely smaller than another was? A test that may be asked after every action.
//!
//! Whoever compares again and again finds a difference in the end where there is none, unless the bounds hold at all
//! times together. These do. Of `n` observations in `[0, 1]` with sum `s`, whose mean is `p`,
//!
//! ```text
//! M = ∫₀¹ uˢ(1−u)ⁿ⁻ˢ du / pˢ(1−p)ⁿ⁻ˢ
//! ```
//!
//! begins at 1 and does not grow in the mean: Robbins' mixture ("Statistical methods related to the law of the
//! iterated logarithm", Annals of Mathematical Statistics 41, 1970), also for observations between 0 and 1, since
//! `aˣb¹⁻ˣ ≤ xa + (1−x)b`. By Ville's inequality it ever reaches 1/α with a probability of at most α. The integral
//! is at least `ûˢ(1−û)ⁿ⁻ˢ/(n+1)` for `û = s/n`: below `û` the integrand is at least `(u/û)ⁿ` of its value at `û`,
//! above it at least `((1−u)/(1−û))ⁿ`, and the integrals of these sum to `1/(n+1)`. So every `p` is excluded rightly,
//! for ever and with probability 1−α, for which
//!
//! ```text
//! n · KL(û ‖ p) > ln((n + 1) / α)
//! ```

/// How often equal shares are ever told apart, for one field of one version: one in ten thousand.
const ALPHA: f64 = 1e-4;
/// How much smaller a share has to be, surely, before anybody is told: five in a hundred. What another mix of agents
/// brings about is rarely more.
const MARGIN: f64 = 0.05;

/// A sum of observations between 0 and 1, and how many they are. Parts of an observation may be given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sum {
    /// How many.
    pub n: f64,
    /// Their sum, in `[0, n]`.
    pub s: f64,
}

/// Whether the mean of `new` is surely smaller than that of `old`, by more than the margin. Whenever it is asked, and
/// however often, it is wrong with a probability of at most one in ten thousand.
pub(super) fn fell(old: Sum, new: Sum) -> bool {
    fell_by(old, new, MARGIN, ALPHA)
}

fn fell_by(old: Sum, new: Sum, margin: f64, alpha: f64) -> bool {
    let apart = |old: f64, new: f64| new + margin < old;
    let means = old.n > 0.0 && new.n > 0.0 && apart(old.s / old.n, new.s / new.n);
    // Each bound is wrong with half of the probability.
    means && apart(least(old, alpha / 2.0), 1.0 - least(Sum { s: new.n - new.s, ..new }, alpha / 2.0))
}

/// The least mean that is not excluded. By bisection: below the observed mean the distance grows to the left.
fn least(sum: Sum, alpha: f64) -> f64 {
    let (observed, most) = (sum.s / sum.n, ((sum.n + 1.0) / alpha).ln());
    let (mut out, mut inside) = (0.0, observed);
    for _ in 0..50 {
        let middle = (out + inside) / 2.0;
        match sum.n * divergence(observed, middle) > most {
            true => out = middle,
            false => inside = middle,
        }
    }
    out
}

/// Kullback-Leibler divergence of two Bernoulli distributions, in nats.
fn divergence(observed: f64, p: f64) -> f64 {
    let part = |observed: f64, p: f64| if observed > 0.0 { observed * (observed / p).ln() } else { 0.0 };
    part(observed, p) + part(1.0 - observed, 1.0 - p)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(s: u32, n: u32) -> Sum {
        Sum { n: n.into(), s: s.into() }
    }

    #[test]
    fn a_share_that_is_gone_is_told_from_thirty_on_and_a_small_change_is_not() {
        for (old, new, want) in [
            (of(30, 30), of(0, 30), true),
            (of(30, 30), of(0, 3), false),
            (of(4, 4), of(0, 500), false),
            (of(30, 30), of(30, 30), false),
            (of(0, 30), of(30, 30), false),
            (of(0, 30), of(0, 30), false),
            (of(100, 100), of(50, 100), true),
            (of(100, 100), of(90, 100), false),
            (of(10_000, 10_000), of(9_000, 10_000), true),
            (of(100_000, 100_000), of(96_000, 100_000), false),
            (of(200, 1_000), of(0, 1_000), true),
            (of(0, 0), of(0, 0), false),
        ] {
            assert_eq!(fell(old, new), want, "{old:?} {new:?}");
        }
    }

    /// SplitMix64, as numbers in [0, 1).
    fn random(state: &mut u64) -> f64 {
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Two streams with one mean, looked at after every observation of the second. How many are ever told apart.
    fn false_alarms(runs: u64, mean: f64, draw: fn(f64, f64) -> f64, alpha: f64) -> usize {
        let alarm = |seed: &u64| {
            let mut state = seed.wrapping_mul(0x1000_0001);
            let mut next = || draw(mean, random(&mut state));
            let n = 40 + (seed % 7) * 60;
            let old = Sum { n: n as f64, s: (0..n).map(|_| next()).sum() };
            let mut new = Sum { n: 0.0, s: 0.0 };
            (0..400).any(|_| {
                new = Sum { n: new.n + 1.0, s: new.s + next() };
                fell_by(old, new, 0.0, alpha)
            })
        };
        (0..runs).filter(alarm).count()
    }

    #[test]
    fn equal_shares_are_told_apart_no_more_often_than_promised() {
        let bernoulli: fn(f64, f64) -> f64 = |mean, random| f64::from(u8::from(random < mean));
        // Two actions of a turn, each half of an observation.
        let parts: fn(f64, f64) -> f64 = |mean, random| {
            let other = (random * 1e6).fract();
            f64::from(u8::from(random < mean)) / 2.0 + f64::from(u8::from(other < mean)) / 2.0
        };
        for mean in [0.02, 0.3, 0.5, 0.9, 0.99] {
            for draw in [bernoulli, parts] {
                // One in five is promised. What the bounds give away for being simple leaves one in a hundred.
                assert!(false_alarms(1_000, mean, draw, 0.2) <= 20, "{mean}");
                assert_eq!(false_alarms(300, mean, draw, ALPHA), 0, "{mean}");
            }
        }
    }
}
