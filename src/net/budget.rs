//! A bound on bytes held at once, shared by everything that holds them.
//!
//! Nobody waits for bytes: who gets none refuses its request, retryably, so that waiting requests cannot pile up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that may be held at once. Clones share one account.
#[derive(Debug, Clone)]
pub struct Budget {
    account: Arc<Account>,
}

#[derive(Debug)]
struct Account {
    total: usize,
    free: AtomicUsize,
}

/// The budget has fewer free bytes than were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the memory for requests in flight is used up")]
pub struct Exhausted;

/// Bytes taken from a [`Budget`]; given back on drop.
#[derive(Debug)]
pub struct Reservation {
    account: Arc<Account>,
    bytes: usize,
}

impl Budget {
    /// A budget of `total` bytes.
    pub fn new(total: usize) -> Self {
        Self { account: Arc::new(Account { total, free: AtomicUsize::new(total) }) }
    }

    /// A reservation of no bytes yet.
    pub fn open(&self) -> Reservation {
        Reservation { account: self.account.clone(), bytes: 0 }
    }

    /// Takes an equal part of what is free, at most `most` bytes: the more is taken, the less each newcomer gets,
    /// and the sum of all shares stays below the total.
    pub fn share(&self, part: usize, most: usize) -> Reservation {
        let mut reservation = self.open();
        let bytes = (self.free() / part.max(1)).min(most);
        // Losing a race to another newcomer leaves an empty share, which is what an empty budget gives too.
        let _ = reservation.ensure(bytes);
        reservation
    }

    /// Bytes that may be held at once.
    pub fn total(&self) -> usize {
        self.account.total
    }

    /// Bytes that nobody holds.
    pub fn free(&self) -> usize {
        self.account.free.load(Ordering::Relaxed)
    }

    /// Bytes held by all reservations together.
    pub fn held(&self) -> usize {
        self.account.total - self.free()
    }
}

impl Reservation {
    /// Grows the reservation to at least `bytes`. On refusal it stays as it was.
    pub fn ensure(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let Some(missing) = bytes.checked_sub(self.bytes).filter(|missing| *missing > 0) else {
            return Ok(());
        };
        self.account
            .free
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| free.checked_sub(missing))
            .map_err(|_| Exhausted)?;
        self.bytes = bytes;
        Ok(())
    }

    /// Hands the bytes on, to live longer than this reservation.
    pub fn take(&mut self) -> Self {
        Self { account: self.account.clone(), bytes: std::mem::take(&mut self.bytes) }
    }

    /// Bytes reserved.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.account.free.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_sum_of_reservations_never_passes_the_total_and_comes_back(
            total in 0usize..1000,
            wishes in prop::collection::vec((0usize..8, 0usize..400), 0..40),
        ) {
            let budget = Budget::new(total);
            let mut held: Vec<Reservation> = (0..8).map(|_| budget.open()).collect();
            for (who, bytes) in wishes {
                let before = held[who].bytes();
                match held[who].ensure(bytes) {
                    Ok(()) => prop_assert_eq!(held[who].bytes(), before.max(bytes)),
                    Err(Exhausted) => prop_assert_eq!(held[who].bytes(), before),
                }
                let sum: usize = held.iter().map(Reservation::bytes).sum();
                prop_assert!(sum <= total);
                prop_assert_eq!(budget.held(), sum);
            }
            drop(held);
            prop_assert_eq!(budget.free(), total);
        }

        #[test]
        fn shares_shrink_and_never_use_everything_up(total in 1usize..1_000_000, most in 1usize..100_000) {
            let budget = Budget::new(total);
            let shares: Vec<Reservation> = (0..200).map(|_| budget.share(8, most)).collect();
            prop_assert!(shares.is_sorted_by(|a, b| a.bytes() >= b.bytes()));
            prop_assert!(shares.iter().all(|share| share.bytes() <= most));
            prop_assert!(budget.held() < total);
        }
    }
}
