//! The integration tests, one binary: a link on two cores is the slowest step of a test run.

mod bad_input;
mod captures;
mod check;
mod dialect;
mod dialect_words;
mod export;
mod journal;
mod kill;
mod layers;
mod licences;
mod prometheus;
mod receive;
mod receive_server;
mod receive_traces;
mod redact;
mod rules;
mod rules_dashboard;
mod rules_deploy;
mod sets;
mod support;
mod tidy;
mod wire_captures;
mod wire_fuzz;
mod wire_json;
mod wire_view;
