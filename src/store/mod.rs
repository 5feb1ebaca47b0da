//! The store: state.db, partitions, content.
