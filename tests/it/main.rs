//! Integration tests: one binary, because a link is the slowest step of a test run.

mod captures;
mod check;
