//! The store: state.db, partitions, content.

mod convert;
