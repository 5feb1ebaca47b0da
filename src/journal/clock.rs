//! The journal's clock: wall time that never goes back.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::{Nanos, Span};

/// The wall clock of the machine. A clock before 1970 reads as 1970.
pub(super) fn wall() -> Nanos {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// The time of the next frame, and how far the wall clock is behind it.
pub(super) fn stamp(wall: Nanos, last: Nanos) -> (Nanos, Span) {
    let now = wall.max(last);
    (now, now.since(wall))
}
