//! The integration tests, one binary.

mod bad_input;
mod receive;
mod receive_server;
mod receive_traces;
mod wire_captures;
mod wire_fuzz;
mod wire_json;
mod wire_view;
