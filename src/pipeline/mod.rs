//! Wiring: journal to dialects to engine to store.
