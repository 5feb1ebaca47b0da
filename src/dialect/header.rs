//! The header of evidence: who sent the record, where in which trace, when. The same for every dialect.

use std::sync::Arc;

use crate::model::{Evidence, EvidenceId, Nanos, Node, Role, Service, SpanId, Tenant, TraceId};
use crate::wire::{AnyValue, Keys, LogView, Received, Record, SpanView};

/// OTLP span flags: the parent's remoteness is known, and it is remote.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

static SERVICE: Keys<3> = Keys::new(["service.namespace", "service.name", "service.version"]);

/// Evidence without facts.
pub fn header(tenant: &Tenant, role: Role, received: &Received<'_>) -> Evidence {
    let [namespace, name, version] = received.resource.attributes().pick(&SERVICE).map(text_of);
    let service = Service { namespace: namespace.unwrap_or_default(), name: name.unwrap_or_default() };
    let place = match &received.record {
        Record::Span(span) => of_span(span),
        Record::Log(log) => of_log(log),
    };
    Evidence {
        id: id(tenant, received),
        tenant: tenant.clone(),
        role,
        service,
        service_version: version,
        instrumentation: instrumentation(received.scope.name, received.scope.version),
        dialect: super::UNREAD,
        node: place.node,
        trace: place.trace,
        span: place.span,
        parent: place.parent,
        remote_parent: place.remote_parent,
        links: place.links,
        start: place.start,
        end: place.end,
        sampled: place.sampled,
        facts: Vec::new(),
        bodies: Vec::new(),
    }
}

fn text_of(value: Option<AnyValue<'_>>) -> Option<Arc<str>> {
    value?.as_str().filter(|text| !text.is_empty()).map(Arc::from)
}

fn instrumentation(name: &str, version: &str) -> Arc<str> {
    if version.is_empty() { Arc::from(name) } else { Arc::from(format!("{name}@{version}")) }
}

/// Where a record stands.
struct Place {
    node: Node,
    trace: Option<TraceId>,
    span: Option<SpanId>,
    parent: Option<SpanId>,
    remote_parent: bool,
    links: Vec<(TraceId, SpanId)>,
    start: Nanos,
    end: Nanos,
    sampled: bool,
}

fn of_span(span: &SpanView<'_>) -> Place {
    Place {
        node: Node::Other,
        trace: Some(span.trace_id),
        span: Some(span.span_id),
        parent: span.parent_span_id,
        remote_parent: span.flags & (HAS_IS_REMOTE | IS_REMOTE) == HAS_IS_REMOTE | IS_REMOTE,
        links: span.links().filter_map(|link| Some((link.trace_id?, link.span_id?))).collect(),
        start: span.start,
        end: span.end,
        sampled: is_sampled(span.trace_state),
    }
}

fn of_log(log: &LogView<'_>) -> Place {
    let at = log.time_or_observed();
    Place {
        node: Node::Log,
        trace: log.trace_id,
        span: log.trace_id.and(log.span_id),
        parent: None,
        remote_parent: false,
        links: Vec::new(),
        start: at,
        end: at,
        sampled: false,
    }
}

/// Whether W3C trace state says that traces were sampled away: OpenTelemetry's `ot=th:` with a threshold that is
/// not zero, or the older `ot=p:` with a probability exponent that is not zero. The sampled flag is not asked: many
/// exporters leave it unset, which looks like cleared. Spans that never come are noticed by `lineage`.
fn is_sampled(trace_state: &str) -> bool {
    let Some(ot) = trace_state.split(',').find_map(|entry| entry.trim().strip_prefix("ot=")) else { return false };
    ot.split(';').filter_map(|field| field.split_once(':')).any(|(key, value)| {
        let hex = !value.is_empty() && value.bytes().all(|digit| digit.is_ascii_hexdigit());
        matches!(key, "th" | "p") && hex && value.bytes().any(|digit| digit != b'0')
    })
}

/// The first 128 bits of BLAKE3 over the parts, each with its length, so that no two records share one input.
fn id(tenant: &Tenant, received: &Received<'_>) -> EvidenceId {
    let mut hasher = blake3::Hasher::new();
    for part in [
        tenant.as_str().as_bytes(),
        received.resource.bytes(),
        received.scope.bytes(),
        received.schema_url.as_bytes(),
        received.record.bytes(),
    ] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    EvidenceId(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_that_is_not_zero_means_sampled() {
        for (state, want) in [
            ("", false),
            ("ot=th:0", false),
            ("ot=th:00;rv:abcdef12345678", false),
            ("vendor=x, ot=rv:123;th:c", true),
            ("ot=th:8", true),
            ("ot=p:2;r:5", true),
            ("ot=p:0", false),
            ("ot=th:zz", false),
            ("not=th:8", false),
        ] {
            assert_eq!(is_sampled(state), want, "{state}");
        }
    }
}
