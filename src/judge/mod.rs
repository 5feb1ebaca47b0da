//! Deterministic verdicts about an action: one file per validator, one table.
