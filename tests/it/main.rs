//! The integration tests, one binary: a link on two cores is the slowest step of a test run.

mod bad_input;
mod captures;
mod check;
mod dialect;
mod dialect_words;
mod redact;
mod support;
mod wire_captures;
mod wire_fuzz;
mod wire_json;
mod wire_view;
