//! Verdicts to counters and ledger slices.
