//! How often an alarm is false, and how late a true one comes: the burn alarm beside the usual rules over several
//! windows, on series simulated alike, and spikes of denied actions. Not a measure of speed: a seed gives the figures.

use wherefore::model::Nanos;
use wherefore::slo::baseline::PRIOR;
use wherefore::slo::burn::{BurnAlarm, BurnWatch};
use wherefore::slo::evidence::{Allowance, Badness};
use wherefore::slo::spike::{SpikeAlarm, SpikeWatch};

use crate::multi_window::MultiWindow;
use crate::table::{Rows, number};

pub const MINUTES_A_DAY: f64 = 1_440.0;
const YEAR: f64 = 365.0;
const DAY_NANOS: f64 = 86_400e9;

const BUDGETS: [f64; 2] = [0.05, 0.01];
const A_DAY: [f64; 4] = [5.0, 50.0, 500.0, 5_000.0];
/// Failures of one kind.
const TRIALS: u64 = 400;
/// Units that a failure may take at most on average, when all are bad.
const MOST_UNITS: f64 = 6.0;
/// A failure that is not seen for so long is missed.
const MISSED: f64 = 30.0;
/// A series; many of them make the years.
const SERIES_YEARS: f64 = 10.0;
const YEARS: f64 = 2_000.0;
const MOST_SIMULATED: f64 = 5e7;
/// Minutes cost, not units.
const YEARS_OF_RULES: f64 = 100.0;

/// What hears units, at times in days that do not go back, and pages.
pub trait Pager {
    fn hear(&mut self, at: f64, bad: bool);
    /// Pages so far, and when the last one was.
    fn pages(&self) -> u64;
    fn paged_at(&self) -> f64;
}

/// The burn alarm. Each crossing counts as a page, although those of one failure share one.
struct Ours {
    alarm: BurnAlarm,
    watch: BurnWatch,
    pages: u64,
    paged_at: f64,
}

impl Ours {
    fn new(alarm: Option<BurnAlarm>) -> Self {
        let watch = BurnWatch::since(Nanos(0));
        Self { alarm: alarm.expect("the budgets here have alarms"), watch, pages: 0, paged_at: 0.0 }
    }
}

impl Pager for Ours {
    fn hear(&mut self, at: f64, bad: bool) {
        let x = if bad { Badness::BAD } else { Badness::GOOD };
        if self.alarm.update(&mut self.watch, nanos(at), x) {
            self.pages += 1;
            self.paged_at = at;
        }
    }

    fn pages(&self) -> u64 {
        self.pages
    }

    fn paged_at(&self) -> f64 {
        self.paged_at
    }
}

/// splitmix64, as arrivals and outcomes.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Days until the next of so many a day: Poisson.
    fn wait(&mut self, a_day: f64) -> f64 {
        -(1.0 - self.next()).ln() / a_day
    }
}

pub fn run() {
    let mut broken = Vec::new();
    healthy(&mut broken);
    failing(&mut broken);
    spikes(&mut broken);
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn healthy(broken: &mut Vec<String>) {
    let mut rows = Rows::new(
        "alarms, false: a year and series, with a probability of bad of exactly the budget",
        &["budget, units a day", "pages", "allowed", "tickets", "allowed", "pages of a fleet's 200", "window rules"],
    );
    for (budget, a_day) in cases() {
        let years = YEARS.min(MOST_SIMULATED / a_day / YEAR);
        let page = |allowance| move || Ours::new(BurnAlarm::page(budget, allowance));
        let pages = false_alarms(page(Allowance::PAGE), years, a_day, budget);
        let tickets =
            false_alarms(|| Ours::new(BurnAlarm::ticket(budget, Allowance::TICKET)), years / 4.0, a_day, budget);
        let fleet = false_alarms(page(fleet()), years, a_day, budget);
        let rules = false_alarms(|| MultiWindow::new(budget), YEARS_OF_RULES, a_day, budget);
        let case = format!("{} %, {a_day}", 100.0 * budget);
        let allowed = [Allowance::PAGE, Allowance::TICKET, self::fleet()].map(|allowance| YEAR / allowance.as_days());
        hold(broken, &format!("{case}: pages"), pages, years, allowed[0]);
        hold(broken, &format!("{case}: tickets"), tickets, years / 4.0, allowed[1]);
        hold(broken, &format!("{case}: pages in a fleet"), fleet, years, allowed[2]);
        rows.row([
            case,
            number(pages),
            number(allowed[0]),
            number(tickets),
            number(allowed[1]),
            number(fleet * 200.0),
            number(rules),
        ]);
    }
    rows.print();
}

/// 200 series that may raise twelve false pages a year together.
fn fleet() -> Allowance {
    Allowance::fleet(200, 12.0).expect("more than none")
}

/// Not more than allowed, but for three standard deviations of what was simulated.
fn hold(broken: &mut Vec<String>, what: &str, a_year: f64, years: f64, allowed: f64) {
    if a_year > allowed + 3.0 * (allowed / years).sqrt() {
        broken.push(format!("{what}: {a_year} false a year and series, {allowed} are allowed"));
    }
}

fn failing(broken: &mut Vec<String>) {
    let mut rows = Rows::new(
        "alarms, delay: units until the page (hours), from a long healthy time; in brackets behind it what is missed in 30 days",
        &["budget, units a day", "all bad", "a fleet's", "rules", "ten times", "rules", "half bad", "rules"],
    );
    for (budget, a_day) in cases() {
        let ours = |bad, allowance| delay(|| Ours::new(BurnAlarm::page(budget, allowance)), a_day, budget, bad);
        let rules = |bad| delay(|| MultiWindow::new(budget), a_day, budget, bad);
        let case = format!("{} %, {a_day}", 100.0 * budget);
        let total = ours(1.0, Allowance::PAGE);
        if total.units > MOST_UNITS || total.missed > 0 {
            broken.push(format!("{case}: {} units of total failure until a page", total.units));
        }
        rows.row([
            case,
            total.text(),
            ours(1.0, fleet()).text(),
            rules(1.0).text(),
            ours(10.0 * budget, Allowance::PAGE).text(),
            rules(10.0 * budget).text(),
            ours(0.5, Allowance::PAGE).text(),
            rules(0.5).text(),
        ]);
    }
    rows.print();
}

fn cases() -> impl Iterator<Item = (f64, f64)> {
    BUDGETS.into_iter().flat_map(|budget| A_DAY.map(|a_day| (budget, a_day)))
}

fn nanos(days: f64) -> Nanos {
    Nanos((days * DAY_NANOS) as u64)
}

/// Pages a year of series with this probability of bad.
fn false_alarms<P: Pager>(new: impl Fn() -> P, years: f64, a_day: f64, bad: f64) -> f64 {
    let series = (years / SERIES_YEARS).ceil();
    let length = years / series * YEAR;
    let mut random = Random(1);
    let mut pages = 0;
    for _ in 0..series as u64 {
        let (mut pager, mut at) = (new(), 0.0);
        while at < length {
            at += random.wait(a_day);
            pager.hear(at, random.next() < bad);
        }
        pages += pager.pages();
    }
    pages as f64 / years
}

/// Means over the failures that were seen.
struct Delay {
    units: f64,
    hours: f64,
    missed: u64,
}

impl Delay {
    fn text(&self) -> String {
        let missed = match self.missed {
            0 => String::new(),
            TRIALS => return "never".into(),
            missed => format!(" [{} %]", number(100.0 * missed as f64 / TRIALS as f64)),
        };
        format!("{} ({}){missed}", number(self.units), number(self.hours))
    }
}

/// Until the page, from the moment on that `bad` is the probability of bad.
fn delay<P: Pager>(new: impl Fn() -> P, a_day: f64, usual: f64, bad: f64) -> Delay {
    let mut random = Random(2);
    let seen: Vec<(f64, f64)> = (0..TRIALS).filter_map(|_| failure(new(), &mut random, a_day, usual, bad)).collect();
    let n = seen.len() as f64;
    Delay {
        units: seen.iter().map(|(units, _)| units).sum::<f64>() / n,
        hours: seen.iter().map(|(_, days)| 24.0 * days).sum::<f64>() / n,
        missed: TRIALS - seen.len() as u64,
    }
}

/// Units and days from the failure to its page.
fn failure(mut pager: impl Pager, random: &mut Random, a_day: f64, usual: f64, bad: f64) -> Option<(f64, f64)> {
    // Long enough for evidence and windows to be as they usually are, and no page of before is told twice.
    let healthy = (300.0 / a_day).max(1.0);
    let mut at = 0.0;
    while at < healthy || pager.pages() > 0 && at - pager.paged_at() < 1.0 {
        at += random.wait(a_day);
        pager.hear(at, random.next() < usual);
    }
    let (began, before) = (at, pager.pages());
    let mut units = Vec::new();
    while pager.pages() == before {
        at += random.wait(a_day);
        if at - began > MISSED {
            return None;
        }
        units.push(at);
        pager.hear(at, random.next() < bad);
    }
    let heard = units.iter().filter(|unit| **unit <= pager.paged_at()).count();
    Some((heard as f64, pager.paged_at() - began))
}

/// An agent that is refused 3 % of its attempts, the same all day or nine times as often by day as by night.
fn spikes(broken: &mut Vec<String>) {
    let mut rows = Rows::new(
        "alarms, spikes of denied actions (3 % are usual): false a year and agent; units until the alarm (hours)",
        &["units a day", "false, flat", "false, seasons", "to 15 %", "to 40 %", "to 90 %"],
    );
    let flat = |_: f64| 0.03;
    let seasons = |day: f64| 0.03 * (1.0 + 0.8 * (std::f64::consts::TAU * day).sin());
    for a_day in [20.0, 200.0, 2_000.0] {
        let years = (MOST_SIMULATED / 5.0 / a_day / YEAR).min(200.0);
        let found = [false_spikes(years, a_day, flat), false_spikes(years, a_day, seasons)];
        for a_year in found {
            hold(broken, &format!("spikes, {a_day}"), a_year, years, 1.0);
        }
        let to = [0.15, 0.4, 0.9].map(|refused| spike(a_day, refused));
        rows.row([a_day.to_string()].into_iter().chain(found.map(number)).chain(to));
    }
    rows.print();
}

/// One agent that is watched.
struct Agent {
    watch: SpikeWatch,
    random: Random,
    at: f64,
    a_day: f64,
}

impl Agent {
    fn new(seed: u64, a_day: f64) -> Self {
        Self { watch: SpikeWatch::since(Nanos(0)), random: Random(seed), at: 0.0, a_day }
    }

    fn step(&mut self, refused: impl Fn(f64) -> f64) -> bool {
        self.at += self.random.wait(self.a_day);
        let x = if self.random.next() < refused(self.at) { Badness::BAD } else { Badness::GOOD };
        SpikeAlarm::new(Allowance::PAGE).update(&mut self.watch, PRIOR, nanos(self.at), x)
    }
}

fn false_spikes(years: f64, a_day: f64, refused: impl Fn(f64) -> f64) -> f64 {
    let mut agent = Agent::new(3, a_day);
    let mut alarms = 0;
    while agent.at < years * YEAR {
        alarms += u64::from(agent.step(&refused));
    }
    alarms as f64 / years
}

/// From two months of habit to this share.
fn spike(a_day: f64, share: f64) -> String {
    const SPIKES: u64 = 40;
    let (mut units, mut days) = (0_u64, 0.0);
    for seed in 0..SPIKES {
        let mut agent = Agent::new(100 + seed, a_day);
        while agent.at < 60.0 {
            agent.step(|_| 0.03);
        }
        let began = agent.at;
        units += 1;
        while !agent.step(|_| share) {
            units += 1;
        }
        days += agent.at - began;
    }
    format!("{} ({})", number(units as f64 / SPIKES as f64), number(24.0 * days / SPIKES as f64))
}
