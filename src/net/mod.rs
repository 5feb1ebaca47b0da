//! Listeners, tokens and limits.
