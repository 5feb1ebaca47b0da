//! The bytes of a request before anything is judged: validated, walked, read by the dialects; beside them prost, which
//! the other figures are ratios to.

use std::hint::black_box;

use bytes::Bytes;
use prost::Message;
use wherefore::model::{Nanos, Role, Signal, Tenant};
use wherefore::pipeline::evidence_of;
use wherefore::proto::opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
use wherefore::wire::{self, Keys, Record};

use crate::cpu::{Cost, measure};
use crate::payload::{self, Content, SPANS};
use crate::table::{Rows, share};

/// Requests that are gone through in turn: more than the caches hold.
const REQUESTS: usize = 200;

/// What a reader that knows its keys looks for.
static WANTED: Keys<12> = Keys::new([
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "gen_ai.response.id",
    "gen_ai.conversation.id",
    "gen_ai.agent.name",
    "gen_ai.tool.name",
    "gen_ai.tool.call.id",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "error.type",
]);

pub fn run() {
    let mut rows = Rows::new(
        "view and dialect: CPU seconds per million spans, in brackets as a share of prost decode + drop",
        &["step", "rich", "lean"],
    );
    let sets = Content::BOTH.map(|content| payload::requests(content, REQUESTS, Nanos(1_767_225_600_000_000_000)));
    let bytes = sets.each_ref().map(|set| set.iter().map(Bytes::len).sum::<usize>() / (REQUESTS * SPANS));
    let prost = sets.each_ref().map(|set| prost(set));
    rows.row(["bytes per span".to_owned(), bytes[0].to_string(), bytes[1].to_string()]);
    for (step, costs) in [
        ("prost decode + drop", prost),
        ("validate", sets.each_ref().map(|set| over(set, validate))),
        ("validate, walk, 12 keys", sets.each_ref().map(|set| over(set, walk))),
        ("dialect (evidence)", sets.each_ref().map(|set| over(set, dialect))),
    ] {
        let cell = |at: usize| share(costs[at].micros, prost[at].micros);
        rows.row([step.to_owned(), cell(0), cell(1)]);
    }
    rows.print();
}

/// What prost decode + drop of these requests costs.
pub fn prost(requests: &[Bytes]) -> Cost {
    over(requests, |body| {
        let decoded = ExportTraceServiceRequest::decode(body.clone()).expect("our own bytes");
        black_box(decoded.resource_spans.len());
    })
}

fn over(requests: &[Bytes], mut step: impl FnMut(&Bytes)) -> Cost {
    measure(requests.len() * SPANS, || requests.iter().for_each(&mut step))
}

fn validate(body: &Bytes) {
    black_box(wire::validate(Signal::Traces, body).expect("our own bytes").accepted);
}

fn walk(body: &Bytes) {
    let validated = wire::validate(Signal::Traces, body).expect("our own bytes");
    for received in wire::records(Signal::Traces, &validated.body) {
        if let Record::Span(span) = &received.record {
            black_box((span.trace_id, span.span_id, span.start, span.end, span.name.len(), span.status.is_error()));
        }
        let found = received.record.attributes().pick(&WANTED);
        black_box(found.iter().flatten().count());
    }
}

fn dialect(body: &Bytes) {
    black_box(evidence_of(&Tenant::default(), Role::default(), Signal::Traces, body).len());
}
