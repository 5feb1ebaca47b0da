//! The window of an error budget: the last so many days, or a piece of somebody's calendar.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::model::{Nanos, Span};

/// Over which time a budget is counted.
#[derive(Debug, Clone, PartialEq)]
pub enum Window {
    /// What lies back at most so far. It moves with every moment.
    Rolling(Span),
    /// One piece of a calendar after the other. Each begins with a full budget.
    Calendar(Calendar),
}

/// Pieces of one length, the first of which begins at `start` on the clocks of a zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Calendar {
    /// How long a piece is.
    pub piece: Piece,
    /// Where one begins, in the zone's local time.
    pub start: DateTime,
    /// The zone, with the name it has in the IANA time zone database.
    pub zone: TimeZone,
}

/// A length that clocks and calendars measure: a day of it may have 23 hours, a month of it 28 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// `1d`
    Day,
    /// `1w`
    Week,
    /// `1M`
    Month,
    /// `1Q`
    Quarter,
    /// `1Y`
    Year,
}

impl Piece {
    /// Every piece with its letter in OpenSLO.
    pub const ALL: [(Self, char); 5] =
        [(Self::Day, 'd'), (Self::Week, 'w'), (Self::Month, 'M'), (Self::Quarter, 'Q'), (Self::Year, 'Y')];

    /// Days of a usual one (OpenSLO: a month is 30 d, a quarter 90 d, a year 365 d).
    pub const fn days(self) -> u64 {
        match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 30,
            Self::Quarter => 90,
            Self::Year => 365,
        }
    }

    fn times(self, number: i64) -> jiff::Span {
        match self {
            Self::Day => number.days(),
            Self::Week => number.weeks(),
            Self::Month => number.months(),
            Self::Quarter => (number * 3).months(),
            Self::Year => number.years(),
        }
    }
}

impl Window {
    /// How long it is; of a calendar, how long a usual piece is.
    pub const fn length(&self) -> Span {
        match self {
            Self::Rolling(length) => *length,
            Self::Calendar(calendar) => Span::days(calendar.piece.days()),
        }
    }

    /// The window that holds `now`: its beginning, and where it ends. Of a rolling one that is `now`.
    pub fn around(&self, now: Nanos) -> (Nanos, Nanos) {
        match self {
            Self::Rolling(length) => (Nanos(now.0.saturating_sub(length.0)), now),
            // A point beyond the calendar's years lies in a piece without beginning or end.
            Self::Calendar(calendar) => calendar.around(now).unwrap_or((Nanos(0), Nanos(u64::MAX))),
        }
    }
}

impl Calendar {
    fn around(&self, now: Nanos) -> Option<(Nanos, Nanos)> {
        let at = Timestamp::from_nanosecond(i128::from(now.0)).ok()?;
        let since = self.zone.to_datetime(at).duration_since(self.start).as_secs();
        // A guess from usual lengths is a piece or two off in a human life; then clocks decide.
        let mut number = since.div_euclid(86_400 * self.piece.days() as i64);
        while self.beginning(number)? > at {
            number -= 1;
        }
        while self.beginning(number + 1)? <= at {
            number += 1;
        }
        Some((nanos(self.beginning(number)?), nanos(self.beginning(number + 1)?)))
    }

    /// When piece `number` begins. Of a local time that a clock skips or shows twice, the first that fits.
    fn beginning(&self, number: i64) -> Option<Timestamp> {
        let local = self.start.checked_add(self.piece.times(number)).ok()?;
        self.zone.to_ambiguous_timestamp(local).compatible().ok()
    }
}

fn nanos(at: Timestamp) -> Nanos {
    Nanos(u64::try_from(at.as_nanosecond()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZoneDatabase;
    use proptest::prelude::*;

    use super::*;

    fn calendar(piece: Piece, start: &str, zone: &str) -> Window {
        let zone = TimeZoneDatabase::bundled().get(zone).expect("a zone");
        Window::Calendar(Calendar { piece, start: start.parse().expect("a time"), zone })
    }

    fn at(text: &str) -> Nanos {
        nanos(text.parse().expect("a time"))
    }

    #[test]
    fn a_rolling_window_ends_now() {
        let window = Window::Rolling(Span::days(28));
        assert_eq!(window.around(at("2026-03-29T12:00:00Z")), (at("2026-03-01T12:00:00Z"), at("2026-03-29T12:00:00Z")));
        assert_eq!(window.around(Nanos(5)), (Nanos(0), Nanos(5)));
    }

    #[test]
    fn pieces_of_a_calendar_follow_its_clocks() {
        for (piece, start, zone, now, from, until) in [
            // A month of Berlin with the night in which an hour is missing.
            (
                Piece::Month,
                "2026-01-01T00:00",
                "Europe/Berlin",
                "2026-03-31T21:59:59Z",
                "2026-02-28T23:00:00Z",
                "2026-03-31T22:00:00Z",
            ),
            (
                Piece::Month,
                "2026-01-01T00:00",
                "Europe/Berlin",
                "2026-03-31T22:00:00Z",
                "2026-03-31T22:00:00Z",
                "2026-04-30T22:00:00Z",
            ),
            // The 31st of a month that has 28 days is its last; the next one has 31 again.
            (
                Piece::Month,
                "2026-01-31T00:00",
                "UTC",
                "2026-03-15T00:00:00Z",
                "2026-02-28T00:00:00Z",
                "2026-03-31T00:00:00Z",
            ),
            // Before the start, too.
            (
                Piece::Week,
                "2026-01-05T09:00",
                "America/New_York",
                "2026-01-01T00:00:00Z",
                "2025-12-29T14:00:00Z",
                "2026-01-05T14:00:00Z",
            ),
            (
                Piece::Day,
                "2026-01-01T02:30",
                "America/New_York",
                "2026-03-08T12:00:00Z",
                "2026-03-08T07:30:00Z",
                "2026-03-09T06:30:00Z",
            ),
            (
                Piece::Quarter,
                "2026-01-01T00:00",
                "UTC",
                "2026-06-01T00:00:00Z",
                "2026-04-01T00:00:00Z",
                "2026-07-01T00:00:00Z",
            ),
            (
                Piece::Year,
                "2024-02-29T00:00",
                "UTC",
                "2026-02-28T00:00:00Z",
                "2026-02-28T00:00:00Z",
                "2027-02-28T00:00:00Z",
            ),
        ] {
            assert_eq!(calendar(piece, start, zone).around(at(now)), (at(from), at(until)), "{piece:?} {start} {now}");
        }
    }

    proptest! {
        /// Every moment is in exactly one piece.
        #[test]
        fn pieces_neither_overlap_nor_leave_gaps(seconds in 0_u64..4_000_000_000, piece in 0..Piece::ALL.len()) {
            let window = calendar(Piece::ALL[piece].0, "2026-01-31T02:30", "America/New_York");
            let now = Nanos(seconds * 1_000_000_000);
            let (from, until) = window.around(now);
            prop_assert!(from <= now && now < until);
            prop_assert_eq!(window.around(from), (from, until));
            prop_assert_eq!(window.around(until).0, until);
        }
    }
}
