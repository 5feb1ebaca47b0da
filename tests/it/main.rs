//! The integration tests, one binary: a link on two cores is the slowest step of a test run.

mod bad_input;
mod captures;
mod check;
mod export;
mod prometheus;
mod rules;
mod rules_dashboard;
mod rules_deploy;
mod support;
mod wire_captures;
mod wire_fuzz;
mod wire_json;
mod wire_view;
