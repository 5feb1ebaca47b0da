//! One lineage to text and JSON.
