//! The exposition, read by the real promtool.

use wherefore::catalogue::{Exemplar, Kind, Metric, Sample, SampleValue};
use wherefore::export::{Format, exposition};
use wherefore::model::{Nanos, SpanId, TraceId};

use crate::support::checkers::{accepts, check, have};

/// A sample of every metric of the catalogue, with a label value that tries to break out.
pub fn one_of_each() -> Vec<Sample> {
    let sample = |&metric: &Metric| {
        let def = metric.def();
        let value = match def.kind {
            Kind::Counter => SampleValue::Counter(
                3,
                Some(Exemplar { trace: TraceId([1; 16]), span: SpanId([2; 8]), at: Nanos(1_700_000_000_000_000_000) }),
            ),
            Kind::Gauge | Kind::Info => SampleValue::Gauge(1.5),
            Kind::Histogram => SampleValue::Histogram { buckets: vec![(0.5, 1), (f64::INFINITY, 2)], sum: 1.25 },
        };
        Sample::new(metric, def.labels.iter().map(|label| format!("{label} \"1\\n\"}}\n漢")), value)
    };
    Metric::ALL.iter().map(sample).collect()
}

#[test]
fn promtool_accepts_one_of_each_metric() {
    if !have("promtool") {
        return;
    }
    accepts("promtool", &["check", "metrics"], &exposition(&one_of_each(), Format::Text004));
    accepts("promtool", &["check", "metrics"], &exposition(&[], Format::Text004));
}

/// The checker above is awake: it refuses a line that broke out of its quotes.
#[test]
fn promtool_refuses_what_is_broken() {
    if !have("promtool") {
        return;
    }
    let text = exposition(&one_of_each(), Format::Text004).replacen("\\\"", "\"", 1);
    assert!(!check("promtool", &["check", "metrics"], &text).status.success());
}
