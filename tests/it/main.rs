//! Integration tests: one binary, because a link is the slowest step of a test run.

mod captures;
mod check;
mod sets;
mod store;
mod support;
mod wire_captures;
mod wire_fuzz;
mod wire_json;
mod wire_view;
