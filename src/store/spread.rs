//! Which times the rows of a partition are about. A partition holds a slice of commit time, and mostly events of that
//! hour; what comes late, or from a clock that is wrong, has other times. A list by event time opens only partitions
//! that can have its next row, so a few stray times must not make a partition look as if it covered everything
//! between them: a spread is up to eight intervals.

/// Intervals that are kept. One is the slice itself; the others are for strays.
const MOST: usize = 8;
/// Times that are nearer to each other share an interval: an hour, the length of a slice.
const NEAR: i64 = 3_600_000_000_000;

/// Intervals that hold every time that was added: apart, in order, both ends included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Spread(Vec<(i64, i64)>);

impl Spread {
    /// Takes a time in.
    pub fn add(&mut self, at: i64) {
        let here = self.0.partition_point(|(_, last)| *last < at);
        if self.0.get(here).is_some_and(|(first, _)| *first <= at) {
            return;
        }
        self.0.insert(here, (at, at));
        while let Some((behind, gap)) = self.narrowest_gap()
            && (gap <= NEAR || self.0.len() > MOST)
        {
            let (_, last) = self.0.remove(behind);
            self.0[behind - 1].1 = last;
        }
    }

    /// The interval behind the narrowest gap, and how wide that is.
    fn narrowest_gap(&self) -> Option<(usize, i64)> {
        let gaps = self.0.windows(2).map(|pair| pair[1].0.saturating_sub(pair[0].1));
        gaps.enumerate().map(|(index, gap)| (index + 1, gap)).min_by_key(|(_, gap)| *gap)
    }

    /// One interval over all of it: for times of which only the extremes are known.
    pub fn whole(self) -> Self {
        let ends = self.0.first().zip(self.0.last());
        Self(ends.map(|((first, _), (_, last))| (*first, *last)).into_iter().collect())
    }

    /// The latest time at or before `at` that a row may have.
    pub fn latest(&self, at: i64) -> Option<i64> {
        let (_, last) = self.0.iter().rev().find(|(first, _)| *first <= at)?;
        Some(at.min(*last))
    }

    /// As a column of state.db: sixteen bytes an interval.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|(first, last)| [first.to_be_bytes(), last.to_be_bytes()]).flatten().collect()
    }

    /// Reads [`Spread::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (times, []) = bytes.as_chunks() else {
            return None;
        };
        let times: Vec<i64> = times.iter().map(|time| i64::from_be_bytes(*time)).collect();
        let (pairs, []) = times.as_chunks::<2>() else {
            return None;
        };
        let in_order = times.is_sorted() && pairs.windows(2).all(|pair| pair[0][1] < pair[1][0]);
        in_order.then(|| Self(pairs.iter().map(|[first, last]| (*first, *last)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_time_is_passed_over(
            times in prop::collection::vec(prop_oneof![any::<i64>(), 0..40 * NEAR], 1..60),
            from in any::<i64>(),
        ) {
            let mut spread = Spread::default();
            times.iter().for_each(|at| spread.add(*at));
            prop_assert!(spread.0.len() <= MOST);
            for from in times.iter().copied().chain([from]) {
                let truth = times.iter().copied().filter(|at| *at <= from).max();
                let told = spread.latest(from);
                prop_assert!(told >= truth && told.is_none_or(|told| told <= from), "{told:?} {truth:?}");
            }
            prop_assert_eq!(Spread::from_bytes(&spread.to_bytes()), Some(spread));
        }
    }

    #[test]
    fn strays_do_not_cover_what_lies_between() {
        let mut spread = Spread::default();
        let hour = |hour: i64| hour * NEAR;
        for at in [hour(1_000), hour(1_001) - 1, 0, i64::MAX, hour(1_000) + 5] {
            spread.add(at);
        }
        assert_eq!(spread.latest(i64::MAX - 1), Some(hour(1_001) - 1));
        assert_eq!(spread.latest(hour(1_000) - 1), Some(0));
        assert_eq!(spread.latest(-1), None);
    }

    #[test]
    fn bytes_that_are_no_spread_are_refused() {
        for wrong in
            [&[1_u8, 2, 3][..], &[0; 8], &[[0; 8], [0xff; 8]].concat(), &[9, 9, 9, 9].map(i64::to_be_bytes).concat()]
        {
            assert_eq!(Spread::from_bytes(wrong), None);
        }
    }
}
