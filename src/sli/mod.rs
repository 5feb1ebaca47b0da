//! Verdicts to numbers: live counters, and the ledger of event-time slices.
//!
//! A live counter counts an action once, when its verdict is due, and never goes back. The ledger holds what is
//! known now about the slice an action ended in, and late evidence moves it (`slo.md` §8.6).

mod counters;
mod ledger;

pub use counters::{Counters, Histogram, Series, histogram};
pub use ledger::{Cell, Ledger, LedgerKey, SLICE};
