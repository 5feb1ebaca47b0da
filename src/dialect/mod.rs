//! Received to Evidence: one file per dialect, one table.
