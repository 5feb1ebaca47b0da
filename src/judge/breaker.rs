//! When an agent keeps trying what is denied: the attempt that tips the scale.
//!
//! Counted are distinct attempts of one turn (tool and target); retries of the same are a loop, not evidence. Told is
//! the first attempt at which a threshold is reached, so that a breaker trips once a turn.
//!
//! By evidence: an agent whose attempts are denied with a probability of at most 5 % reaches the threshold with at most
//! the probability that the rule allows, however often one looks (Ville's inequality; `slo.md` §3.4).

use crate::envelope::Breaker;

/// What is usual, and what an agent that hammers shows.
const USUAL: f64 = 0.05;
const HAMMERS: f64 = 0.6;

/// Why the last of these attempts (oldest first; whether each was denied) trips a breaker, if it does and none before
/// it did.
pub(super) fn tips(breaker: &Breaker, attempts: &[bool]) -> Option<String> {
    let (last, before) = attempts.split_last()?;
    let mut so_far = Count::default();
    for denied in before {
        so_far = so_far.and(*denied);
        if so_far.trips(breaker).is_some() {
            return None;
        }
    }
    so_far.and(*last).trips(breaker)
}

/// Attempts so far.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    in_a_row: u64,
    in_all: u64,
    log_evidence: f64,
}

impl Count {
    fn and(self, denied: bool) -> Self {
        let likely = if denied { HAMMERS / USUAL } else { (1.0 - HAMMERS) / (1.0 - USUAL) };
        Self {
            in_a_row: if denied { self.in_a_row + 1 } else { 0 },
            in_all: self.in_all + u64::from(denied),
            log_evidence: self.log_evidence + likely.ln(),
        }
    }

    fn trips(self, breaker: &Breaker) -> Option<String> {
        let Self { in_a_row, in_all, log_evidence } = self;
        if breaker.consecutive.is_some_and(|most| in_a_row >= most) {
            return Some(format!("{in_a_row} attempts in a row were denied"));
        }
        if breaker.total.is_some_and(|most| in_all >= most) {
            return Some(format!("{in_all} attempts were denied"));
        }
        let unlikely = |evidence: &f64| log_evidence >= -evidence.ln();
        breaker.evidence.filter(unlikely).map(|_| format!("{in_all} denied attempts are no chance"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At which attempt a breaker trips.
    fn trips_at(breaker: Breaker, attempts: &str) -> Vec<usize> {
        let attempts: Vec<bool> = attempts.chars().map(|c| c == 'x').collect();
        (1..=attempts.len()).filter(|n| tips(&breaker, &attempts[..*n]).is_some()).collect()
    }

    #[test]
    fn a_breaker_trips_once() {
        let none = Breaker { consecutive: None, total: None, evidence: None };
        let in_a_row = Breaker { consecutive: Some(3), ..none };
        let total = Breaker { total: Some(4), ..none };
        let evidence = Breaker { evidence: Some(1e-4), ..none };
        for (breaker, attempts, want) in [
            (in_a_row, "xxxxx", &[3][..]),
            (in_a_row, "xx.xx.x", &[]),
            (in_a_row, "xx.xxxxxx", &[6]),
            (total, "x.x.x.x.x", &[7]),
            // Four refusals in a row: 4 · ln 12 = 9.94 > 9.21 = -ln 1e-4.
            (evidence, "xxxxx", &[4]),
            (evidence, "x....x....x....", &[]),
        ] {
            assert_eq!(trips_at(breaker, attempts), want, "{breaker:?} {attempts}");
        }
    }
}
