//! The integration tests, one binary: a link on two cores is the slowest step of a test run.

mod export;
mod prometheus;
mod rules;
mod rules_dashboard;
mod rules_deploy;
mod support;
