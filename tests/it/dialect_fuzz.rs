//! No record does harm, whatever stands in it: a million records of real stacks, damaged, go through every dialect and
//! into lineage.
//!
//! What is damaged: values replaced by those of other keys, stacks and types, by nothing, by JSON that ends in the
//! middle; attributes of one stack put into another's record; names, scopes and events exchanged. `WHEREFORE_FUZZ` says
//! how many records, `WHEREFORE_SEED` which.

use bytes::Bytes;
use prost::Message;
use wherefore::dialect::{Draft, Source, TABLE, UNREAD, evidence};
use wherefore::lineage::{Book, Reading};
use wherefore::model::{Evidence, Role, Signal, Tenant};
use wherefore::proto::opentelemetry::proto::collector::logs::v1::ExportLogsServiceRequest;
use wherefore::proto::opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
use wherefore::proto::opentelemetry::proto::common::v1::any_value::Value;
use wherefore::proto::opentelemetry::proto::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use wherefore::proto::opentelemetry::proto::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use wherefore::proto::opentelemetry::proto::trace::v1::{ResourceSpans, ScopeSpans, Span};
use wherefore::wire::records;

use crate::support::random::{Random, seed};
use crate::support::recordings::recordings;

/// How many damaged records, by default.
const RECORDS: u64 = 1_000_000;
/// How many of them meet in one book.
const BOOK: u64 = 200;
const THREADS: u64 = 2;

/// One record, with the resource and scope it came with.
#[derive(Clone)]
enum Whole {
    Span(ResourceSpans),
    Log(ResourceLogs),
}

/// What recordings hold, to damage and to damage with.
struct Pool {
    whole: Vec<Whole>,
    attributes: Vec<KeyValue>,
    names: Vec<String>,
}

impl Pool {
    fn new() -> Self {
        let mut pool = Self { whole: Vec::new(), attributes: Vec::new(), names: Vec::new() };
        for (signal, body) in recordings().iter().flat_map(|recording| recording.requests()) {
            match signal {
                Signal::Traces => {
                    let request = ExportTraceServiceRequest::decode(&body[..]).expect("a recording");
                    request.resource_spans.into_iter().for_each(|spans| pool.spans(spans));
                }
                _ => {
                    let request = ExportLogsServiceRequest::decode(&body[..]).expect("a recording");
                    request.resource_logs.into_iter().for_each(|logs| pool.logs(logs));
                }
            }
        }
        pool
    }

    fn spans(&mut self, of: ResourceSpans) {
        for scope in &of.scope_spans {
            for span in &scope.spans {
                self.names.push(span.name.clone());
                self.attributes.extend(span.attributes.iter().cloned());
                let one = ScopeSpans { spans: vec![span.clone()], ..scope.clone() };
                self.whole.push(Whole::Span(ResourceSpans { scope_spans: vec![one], ..of.clone() }));
            }
        }
    }

    fn logs(&mut self, of: ResourceLogs) {
        for scope in &of.scope_logs {
            for log in &scope.log_records {
                self.names.push(log.event_name.clone());
                self.attributes.extend(log.attributes.iter().cloned());
                let one = ScopeLogs { log_records: vec![log.clone()], ..scope.clone() };
                self.whole.push(Whole::Log(ResourceLogs { scope_logs: vec![one], ..of.clone() }));
            }
        }
    }

    fn pick<'a, T>(from: &'a [T], random: &mut Random) -> &'a T {
        &from[random.below(from.len() as u64) as usize]
    }

    /// A damaged record, as the body of a request.
    fn damaged(&self, random: &mut Random) -> (Signal, Bytes) {
        let scope = match Self::pick(&self.whole, random) {
            Whole::Span(other) => other.scope_spans[0].scope.clone(),
            Whole::Log(other) => other.scope_logs[0].scope.clone(),
        };
        let exchanged = random.below(5) == 0;
        match Self::pick(&self.whole, random).clone() {
            Whole::Span(mut of) => {
                let part = &mut of.scope_spans[0];
                if exchanged {
                    part.scope = scope;
                }
                self.damage_span(&mut part.spans[0], random);
                let request = ExportTraceServiceRequest { resource_spans: vec![of] };
                (Signal::Traces, request.encode_to_vec().into())
            }
            Whole::Log(mut of) => {
                let part = &mut of.scope_logs[0];
                if exchanged {
                    part.scope = scope;
                }
                self.damage_log(&mut part.log_records[0], random);
                let request = ExportLogsServiceRequest { resource_logs: vec![of] };
                (Signal::Logs, request.encode_to_vec().into())
            }
        }
    }

    fn damage_span(&self, span: &mut Span, random: &mut Random) {
        for _ in 0..=random.below(3) {
            self.damage(&mut span.attributes, random);
        }
        match random.below(8) {
            0 => span.name.clone_from(Self::pick(&self.names, random)),
            1 => span.events.iter_mut().for_each(|event| self.damage(&mut event.attributes, random)),
            2 => span.kind = random.below(7) as i32,
            3 => span.parent_span_id.clone_from(&span.span_id),
            _ => {}
        }
    }

    fn damage_log(&self, log: &mut LogRecord, random: &mut Random) {
        for _ in 0..=random.below(3) {
            self.damage(&mut log.attributes, random);
        }
        match random.below(6) {
            0 => log.event_name.clone_from(Self::pick(&self.names, random)),
            1 => log.body = self.value(log.body.take(), random),
            2 => (log.trace_id, log.span_id) = (Vec::new(), Vec::new()),
            _ => {}
        }
    }

    fn damage(&self, attributes: &mut Vec<KeyValue>, random: &mut Random) {
        let foreign = Self::pick(&self.attributes, random).clone();
        let at = random.below(attributes.len() as u64) as usize;
        match (random.below(5), attributes.get_mut(at)) {
            (0, _) | (_, None) => attributes.push(foreign),
            (1, Some(own)) => own.value = foreign.value,
            (2, Some(own)) => own.key = foreign.key,
            (_, Some(own)) => own.value = self.value(own.value.take(), random),
        }
    }

    /// Another value in the place of one.
    fn value(&self, own: Option<AnyValue>, random: &mut Random) -> Option<AnyValue> {
        let text = own.as_ref().and_then(|value| match &value.value {
            Some(Value::StringValue(text)) => Some(text.clone()),
            _ => None,
        });
        let nested = |value: Value| Value::ArrayValue(ArrayValue { values: vec![AnyValue { value: Some(value) }] });
        let value = match (random.below(12), text) {
            (0..=4, Some(text)) => {
                let end = text.floor_char_boundary(random.below(text.len() as u64 + 1) as usize);
                Value::StringValue(text[..end].to_owned())
            }
            (5, Some(text)) => Value::StringValue(format!("[{text},{text}")),
            (6, Some(text)) => nested(Value::StringValue(text)),
            (0, _) => Value::StringValue(String::new()),
            (1, _) => Value::IntValue(i64::MIN),
            (2, _) => Value::DoubleValue(f64::NAN),
            (3, _) => Value::BoolValue(true),
            (4, _) => Value::BytesValue(vec![0xff, 0, 0x80]),
            (5, _) => Value::StringValue("[".repeat(5_000)),
            (6, _) => Value::StringValue(r#"[{"role":"user","parts":[{"type":7,"content":[[]]}]},3,null]"#.to_owned()),
            (7, _) => Value::KvlistValue(KeyValueList { values: vec![Self::pick(&self.attributes, random).clone()] }),
            (8, _) => nested(nested(Value::DoubleValue(-1e308))),
            (9, _) => Value::StringValue("\u{202e}\u{0}\u{1b}[31m{\"a\":".to_owned()),
            (10, _) => return None,
            _ => return Self::pick(&self.attributes, random).value.clone(),
        };
        Some(AnyValue { value: Some(value) })
    }
}

/// What every dialect, whether or not it knows the record, and then lineage make of one.
fn read(signal: Signal, body: &Bytes, random: &mut Random) -> Vec<Evidence> {
    let mut said = Vec::new();
    for received in records(signal, body) {
        let source = Source::new(&received, body);
        let dialect = Pool::pick(TABLE, random);
        dialect.read(&source, &mut Draft::new(&source));
        said.push(evidence(&Tenant::default(), Role::Unspecified, &received, body));
    }
    said
}

#[test]
fn a_million_damaged_records_do_no_harm() {
    let count = std::env::var("WHEREFORE_FUZZ").ok().and_then(|count| count.parse().ok()).unwrap_or(RECORDS);
    println!("seed {}, {count} records", seed());
    let pool = Pool::new();
    let fuzz = |thread: u64| {
        let mut random = Random(seed() + thread);
        let (mut known, mut unread) = (0u64, 0u64);
        for _ in 0..count / THREADS / BOOK {
            let mut book = Book::default();
            for _ in 0..BOOK {
                let (signal, body) = pool.damaged(&mut random);
                for evidence in read(signal, &body, &mut random) {
                    book.fold(&evidence);
                    if evidence.dialect == UNREAD { unread += 1 } else { known += 1 }
                }
            }
            let judged = book.judged(Reading { closed: true, expired: true });
            assert!(judged.actions.iter().all(|action| !action.keys.is_empty()));
        }
        (known, unread)
    };
    let counts: Vec<(u64, u64)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || fuzz(thread))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no record makes a dialect panic")).collect()
    });
    let (known, unread) = counts.iter().fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
    println!("{known} read, {unread} unread");
    assert!(known > count / 2 && unread > 0, "{known} read, {unread} unread");
}
