//! What needs the real program or real files. One binary: a link is the slowest step of a test run.

mod dialect;
mod dialect_words;
mod support;
mod wire_captures;
mod wire_view;
