//! How long frames wait for the fold, and whether it moves.
//!
//! Looked at about once a second: a frame is known to wait from the look that saw it first. On a clock that nobody
//! sets, so a wrong wall clock does not look like a fold that stands still.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Frames that wait while none is folded for this long are not being judged. A checkpoint takes less.
pub const STALLED: Duration = Duration::from_secs(10);
/// Looks that are remembered; an hour and more.
const LOOKS: usize = 4096;

/// What was seen of the fold.
#[derive(Debug)]
pub(super) struct Lag {
    /// The last frame that was synced at a look, and when that was; only those that are not folded, oldest first.
    waiting: VecDeque<(u64, Instant)>,
    folded: u64,
    /// When the fold was seen to move, or had nothing to do.
    moved: Instant,
}

impl Lag {
    /// A fold that has not been looked at.
    pub fn new(now: Instant) -> Self {
        Self { waiting: VecDeque::new(), folded: 0, moved: now }
    }

    /// Looks at the last frame that is synced and the last that is folded.
    pub fn look(&mut self, synced: u64, folded: u64, now: Instant) {
        if folded != self.folded || folded >= synced {
            self.moved = now;
        }
        self.folded = folded;
        while self.waiting.front().is_some_and(|(waits, _)| *waits <= folded) {
            self.waiting.pop_front();
        }
        let full = self.waiting.len() >= LOOKS;
        match self.waiting.back_mut() {
            Some((last, _)) if *last >= synced => {}
            // Its frames are taken for older than they are.
            Some((last, _)) if full => *last = synced,
            _ if synced > folded => self.waiting.push_back((synced, now)),
            _ => {}
        }
    }

    /// How long the oldest frame that is not folded has waited.
    pub fn waited(&self, now: Instant) -> Duration {
        self.waiting.front().map_or(Duration::ZERO, |(_, since)| now.saturating_duration_since(*since))
    }

    /// Whether frames wait and none is folded.
    pub fn is_stalled(&self, now: Instant) -> bool {
        self.waited(now) >= STALLED && now.saturating_duration_since(self.moved) >= STALLED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Looks once a second at pairs of synced and folded; says how long the oldest frame waits after each.
    fn waited(lag: &mut Lag, start: Instant, looks: &[(u64, u64)]) -> Vec<u64> {
        let at = |second: usize| start + SECOND * second as u32;
        let look = |(second, (synced, folded)): (usize, &(u64, u64))| {
            lag.look(*synced, *folded, at(second));
            lag.waited(at(second)).as_secs()
        };
        looks.iter().enumerate().map(look).collect()
    }

    #[test]
    fn the_oldest_frame_that_waits_is_as_old_as_the_look_that_saw_it() {
        let (mut lag, start) = (Lag::new(Instant::now()), Instant::now());
        let looks = [(0, 0), (5, 5), (9, 5), (12, 5), (12, 8), (12, 9), (20, 11), (20, 12), (20, 20), (21, 21)];
        assert_eq!(waited(&mut lag, start, &looks), [0, 0, 0, 1, 2, 2, 3, 1, 0, 0]);
    }

    #[test]
    fn a_fold_that_works_off_a_backlog_is_not_stalled_and_one_that_stands_still_is() {
        let (mut lag, start) = (Lag::new(Instant::now()), Instant::now());
        let slow: Vec<(u64, u64)> = (0..60).map(|second| (1_000, second / 5)).collect();
        assert_eq!(waited(&mut lag, start, &slow).last(), Some(&59));
        assert!(!lag.is_stalled(start + SECOND * 60));
        assert!(lag.is_stalled(start + SECOND * 70));
        lag.look(1_000, 1_000, start + SECOND * 70);
        assert!(!lag.is_stalled(start + SECOND * 700), "nothing waits");
    }

    #[test]
    fn a_frame_after_a_quiet_hour_does_not_look_stalled() {
        let (mut lag, start) = (Lag::new(Instant::now()), Instant::now());
        lag.look(7, 7, start);
        let later = start + SECOND * 3_600;
        lag.look(8, 7, later);
        assert!(!lag.is_stalled(later) && !lag.is_stalled(later + SECOND));
        assert!(lag.is_stalled(later + STALLED));
    }

    #[test]
    fn a_long_wait_is_remembered_in_bounded_room() {
        let (mut lag, start) = (Lag::new(Instant::now()), Instant::now());
        let looks: Vec<(u64, u64)> = (1..=3 * LOOKS as u64).map(|synced| (synced, 0)).collect();
        let waited = waited(&mut lag, start, &looks);
        assert_eq!(*waited.last().unwrap(), 3 * LOOKS as u64 - 1);
        assert_eq!(lag.waiting.len(), LOOKS);
    }
}
