//! The usual page rules for an error budget, as Prometheus would evaluate them: bad share over 14.4 times the budget in
//! one hour and in five minutes, or over six times in six hours and in thirty minutes (SRE Workbook, "Alerting on SLOs").
//!
//! Evaluated once a minute, on exact counts of whole minutes. A window without units says nothing (0/0).

use crate::alarms::{MINUTES_A_DAY, Pager};

/// (long window, short window) in minutes, and the factor.
const RULES: [((usize, usize), f64); 2] = [((60, 5), 14.4), ((360, 30), 6.0)];
/// The longest of them.
const LONGEST: usize = 360;
/// A page that stopped for less is still the same page, as long as our own alarm lasts at least.
const SAME_PAGE: u64 = 15;

/// Units and bad ones.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    units: u32,
    bad: u32,
}

/// One series under both rules.
pub struct MultiWindow {
    budget: f64,
    /// Minutes, the minute `m` at `m % LONGEST`.
    minutes: [Tally; LONGEST],
    /// Sums of the windows, in the order of the rules, long before short.
    windows: [(usize, Tally); 4],
    minute: u64,
    /// The last minute with a unit, and the last one in which a rule held.
    heard: u64,
    held: Option<u64>,
    pages: u64,
    paged_at: f64,
}

impl MultiWindow {
    pub fn new(budget: f64) -> Self {
        let [((a, b), _), ((c, d), _)] = RULES;
        Self {
            budget,
            minutes: [Tally::default(); LONGEST],
            windows: [a, b, c, d].map(|minutes| (minutes, Tally::default())),
            minute: 0,
            heard: 0,
            held: None,
            pages: 0,
            paged_at: 0.0,
        }
    }

    /// Evaluates the minute that is over, and begins the next.
    fn tick(&mut self) {
        self.minute += 1;
        if self.holds() {
            if self.held.is_none_or(|held| self.minute - held > SAME_PAGE) {
                self.pages += 1;
                self.paged_at = self.minute as f64 / MINUTES_A_DAY;
            }
            self.held = Some(self.minute);
        }
        for (minutes, sum) in &mut self.windows {
            let left = self.minutes[((self.minute + (LONGEST - *minutes) as u64) % LONGEST as u64) as usize];
            sum.units -= left.units;
            sum.bad -= left.bad;
        }
        self.minutes[(self.minute % LONGEST as u64) as usize] = Tally::default();
    }

    fn holds(&self) -> bool {
        let over = |(_, sum): &(usize, Tally), factor: f64| {
            sum.units > 0 && f64::from(sum.bad) > factor * self.budget * f64::from(sum.units)
        };
        let pairs = self.windows.chunks(2).zip(RULES);
        pairs.into_iter().any(|(pair, (_, factor))| pair.iter().all(|window| over(window, factor)))
    }
}

impl Pager for MultiWindow {
    fn hear(&mut self, at: f64, bad: bool) {
        let now = (at * MINUTES_A_DAY) as u64;
        while self.minute < now {
            if self.minute > self.heard + LONGEST as u64 {
                self.minute = now; // nothing left in any window
            } else {
                self.tick();
            }
        }
        self.heard = now;
        let sums = self.windows.iter_mut().map(|(_, sum)| sum);
        for tally in sums.chain([&mut self.minutes[(now % LONGEST as u64) as usize]]) {
            tally.units += 1;
            tally.bad += u32::from(bad);
        }
    }

    fn pages(&self) -> u64 {
        self.pages
    }

    fn paged_at(&self) -> f64 {
        self.paged_at
    }
}
