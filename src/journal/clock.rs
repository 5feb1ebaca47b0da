//! The journal's clock: wall time that never goes back and never stands still.
//!
//! After a wall clock was too far ahead and has been set right, the journal's goes on from where it was, as fast as
//! time passes, until the wall clock has come up with it: a deadline that is due in a minute passes in a minute.

use std::sync::{Mutex, OnceLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::model::{Nanos, Span};

use super::lock;

/// The wall clock of the machine. A clock before 1970 reads as 1970.
pub fn wall() -> Nanos {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// The time since this process asked first. Nobody sets this clock.
pub(super) fn monotonic() -> Span {
    static STARTED: OnceLock<Instant> = OnceLock::new();
    let since = STARTED.get_or_init(Instant::now).elapsed();
    Span(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// What frames are stamped with.
#[derive(Debug)]
pub(super) struct Clock {
    wall: fn() -> Nanos,
    monotonic: fn() -> Span,
    last: Mutex<Reading>,
}

/// A time of the journal, and when it was read on the clock that nobody sets.
#[derive(Debug, Clone, Copy)]
struct Reading {
    now: Nanos,
    at: Span,
}

impl Clock {
    /// A clock that goes on at the time of the last frame.
    pub fn new(wall: fn() -> Nanos, monotonic: fn() -> Span, last: Nanos) -> Self {
        Self { wall, monotonic, last: Mutex::new(Reading { now: last, at: monotonic() }) }
    }

    /// The time of the next frame, and how far the wall clock is behind it.
    pub fn stamp(&self) -> (Nanos, Span) {
        let mut last = lock(&self.last);
        *last = self.after(*last);
        (last.now, self.ahead_of_wall(last.now))
    }

    /// The time that a frame would have now, and how far the wall clock is behind it.
    pub fn now(&self) -> (Nanos, Span) {
        let now = self.after(*lock(&self.last)).now;
        (now, self.ahead_of_wall(now))
    }

    fn after(&self, last: Reading) -> Reading {
        // The wall first: what passes between the two must not add up.
        let wall = (self.wall)();
        let at = (self.monotonic)();
        Reading { now: wall.max(last.now + Span(at.0.saturating_sub(last.at.0))), at }
    }

    fn ahead_of_wall(&self, now: Nanos) -> Span {
        now.since((self.wall)())
    }
}
