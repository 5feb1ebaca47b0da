//! `wherefore` answers *why did this AI agent act, and was that right?* from OTLP telemetry alone.
//!
//! The map, in reading order. Each module may import only the ones above it that its row in
//! `tests/it/layers.rs` names.
//!
//! | module | what it is |
//! |---|---|
//! | [`proto`] | types generated from `proto/` |
//! | [`model`] | nouns: ids, time, `Known`, evidence, actions, decisions, findings, verdicts |
//! | [`values`] | canonical JSON and digests |
//! | [`catalogue`] | every metric once: name, type, unit, help, labels |
//! | [`wire`] | OTLP bytes: validating view, `Received`, JSON to protobuf |
//! | [`envelope`] | envelope text to checked rules |
//! | [`redact`] | key classes: what is kept, digested, dropped |
//! | [`dialect`] | `Received` to `Evidence`; one file per dialect, one table |
//! | [`lineage`] | a set of evidence to actions, turns, conversations |
//! | [`judge`] | one file per validator, one table |
//! | [`sli`] | verdicts to counters and ledger slices |
//! | [`slo`] | objectives, budgets, burn evidence, spikes |
//! | [`contain`] | incidents and the containment clock |
//! | [`engine`] | `step(now, Input) -> Output`: read this first |
//! | [`telemetry`] | own logs, traces and counters |
//! | [`net`] | listeners, tokens, limits |
//! | [`journal`] | segments, group commit, recovery, chain |
//! | [`store`] | `state.db`, partitions, content |
//! | [`otlp`] | receive and reply |
//! | [`explain`] | one lineage to text and JSON |
//! | [`export`] | snapshot to exposition |
//! | [`rules`] | SLOs to Prometheus rules and dashboards |
//! | [`api`] | the query API |
//! | [`config`] [`pipeline`] [`cli`] | wiring |
//!
//! Everything down to `engine` is pure: no clock, no socket, no disk, no async runtime, and total: bad
//! input gives a value that says so, never a panic.

pub mod api;
pub mod catalogue;
pub mod cli;
pub mod config;
pub mod contain;
pub mod dialect;
pub mod engine;
pub mod envelope;
pub mod explain;
pub mod export;
pub mod journal;
pub mod judge;
pub mod lineage;
pub mod model;
pub mod net;
pub mod otlp;
pub mod pipeline;
pub mod proto;
pub mod redact;
pub mod rules;
pub mod sli;
pub mod slo;
pub mod store;
pub mod telemetry;
pub mod values;
pub mod wire;
