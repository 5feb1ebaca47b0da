//! CPU time and how passes are taken. Wall time moves with whatever else the machine does; CPU time hardly does.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// CPU time of a pass at least, so that the clock's own steps do not count.
const PASS: Duration = Duration::from_millis(100);
/// Passes of a measurement; the median is told.
const PASSES: usize = 7;

/// What some work cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// CPU seconds per million spans (or other units), which is microseconds for one.
    pub micros: f64,
}

/// CPU time of this thread.
pub fn thread() -> Duration {
    since_start(ClockId::ThreadCPUTime)
}

/// CPU time of all threads of this process.
pub fn process() -> Duration {
    since_start(ClockId::ProcessCPUTime)
}

fn since_start(clock: ClockId) -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(clock);
    Duration::new(tv_sec as u64, tv_nsec as u32)
}

/// The CPU time of this thread while `work` runs.
pub fn of<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let before = thread();
    let made = work();
    (thread() - before, made)
}

/// The cost per unit of `work`, which does `units` of them each time and leaves nothing behind.
pub fn measure(units: usize, mut work: impl FnMut()) -> Cost {
    let mut pass = || {
        let (mut spent, mut done) = (Duration::ZERO, 0);
        while spent < PASS {
            spent += of(&mut work).0;
            done += units;
        }
        per(spent, done)
    };
    pass();
    median((0..PASSES).map(|_| pass()).collect())
}

/// The median cost of whole runs, each on something new.
pub fn measure_runs<S>(units: usize, runs: usize, mut fresh: impl FnMut() -> S, mut work: impl FnMut(S)) -> Cost {
    let mut run = || {
        let subject = fresh();
        per(of(|| work(subject)).0, units)
    };
    run();
    median((0..runs).map(|_| run()).collect())
}

/// So much time for so many units.
pub fn per(spent: Duration, units: usize) -> Cost {
    Cost { micros: spent.as_secs_f64() * 1e6 / units as f64 }
}

fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by(|a, b| a.micros.total_cmp(&b.micros));
    costs[costs.len() / 2]
}
