//! The three things that can be counted on a hot path without a shared lock.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;

/// A total that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The total.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many of something there are now.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

/// One of what a [`Gauge`] counts, until it is dropped.
#[derive(Debug)]
pub struct InUse<'a>(&'a Gauge);

impl Gauge {
    /// Counts one more until the result is dropped.
    pub fn enter(&self) -> InUse<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        InUse(self)
    }

    /// How many there are.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Longest latency told apart, in microseconds; longer ones count as this long.
const LONGEST: u64 = 3_600_000_000;

/// Two digits: 1 % of a value, 26 KiB of memory a shard. Three would take 184 KiB.
const DIGITS: u8 = 2;

/// Threads spread over this many shards. A shard's lock is held for some nanoseconds, so few are enough.
const SHARDS: usize = 4;

/// A distribution of durations, from a microsecond to an hour.
#[derive(Debug)]
pub struct Latency {
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug)]
struct Shard {
    micros: Histogram<u64>,
    sum: Duration,
}

/// A [`Latency`] at one moment.
#[derive(Debug, Clone)]
pub struct LatencySnapshot {
    /// The distribution, in microseconds.
    pub micros: Histogram<u64>,
    /// Sum of all durations, exact.
    pub sum: Duration,
}

fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, DIGITS).expect("the bounds are constants inside the allowed range")
}

impl Default for Latency {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::new(Shard { micros: empty(), sum: Duration::ZERO })) }
    }
}

impl Latency {
    /// Counts one duration.
    pub fn record(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        // A shard is consistent after every statement, so a panic elsewhere does not spoil it.
        let mut shard = self.shards[own_shard()].lock().unwrap_or_else(PoisonError::into_inner);
        // Not `record`, which fails beyond the bound.
        shard.micros.saturating_record(micros);
        shard.sum += duration;
    }

    /// All shards together.
    pub fn snapshot(&self) -> LatencySnapshot {
        let mut all = LatencySnapshot { micros: empty(), sum: Duration::ZERO };
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            all.micros.add(&shard.micros).expect("every shard has the same bounds");
            all.sum += shard.sum;
        }
        all
    }
}

impl LatencySnapshot {
    /// How many durations there are.
    pub fn count(&self) -> u64 {
        self.micros.len()
    }

    /// How many durations are at most as long as each bound, within the resolution of two digits: the buckets of an
    /// exposition.
    pub fn at_most(&self, bounds: &[Duration]) -> Vec<u64> {
        let micros = |bound: &Duration| u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
        bounds.iter().map(|bound| self.micros.count_between(0, micros(bound))).collect()
    }
}

/// A shard for this thread, the same one every time.
fn own_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    }
    OWN.with(|own| *own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn buckets_count_every_duration_once(millis in prop::collection::vec(0u64..20_000, 0..200)) {
            let latency = Latency::default();
            std::thread::scope(|scope| {
                for part in millis.chunks(50) {
                    scope.spawn(|| part.iter().for_each(|ms| latency.record(Duration::from_millis(*ms))));
                }
            });
            let snapshot = latency.snapshot();
            prop_assert_eq!(snapshot.count(), millis.len() as u64);
            prop_assert_eq!(snapshot.sum, Duration::from_millis(millis.iter().sum()));
            // Far enough from any value that the resolution plays no part.
            let bounds = [Duration::from_millis(30_000), Duration::from_secs(7200)];
            prop_assert_eq!(snapshot.at_most(&bounds), vec![millis.len() as u64; 2]);
            let zero = millis.iter().filter(|ms| **ms == 0).count() as u64;
            prop_assert_eq!(snapshot.at_most(&[Duration::from_micros(1)]), vec![zero]);
        }
    }

    #[test]
    fn a_duration_beyond_the_bound_counts_as_the_longest() {
        let latency = Latency::default();
        latency.record(Duration::from_secs(1_000_000));
        assert_eq!(latency.snapshot().count(), 1);
        assert_eq!(latency.snapshot().at_most(&[Duration::from_secs(60), Duration::from_secs(1 << 20)]), [0, 1]);
    }

    #[test]
    fn a_gauge_counts_what_is_in_use() {
        let gauge = Gauge::default();
        let first = gauge.enter();
        let second = gauge.enter();
        assert_eq!(gauge.get(), 2);
        drop((first, second));
        assert_eq!(gauge.get(), 0);
    }
}
