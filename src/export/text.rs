//! The two text formats, written by hand. They differ in four places only: the name in `# HELP` and `# TYPE`
//! (with or without the suffix), the type of an info metric, `# UNIT` with exemplars, and the last line.
//!
//! `prometheus-client` cannot write this: its collectors cannot build an exemplar (the fields are private), it has
//! no text 0.0.4, and it does not escape help texts. The specification is small:
//! <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md#text-format>.
//! `_created` lines are left out on purpose: Prometheus would keep each as one more series (`slo.md` §8.2).

use std::fmt::Write;

use crate::catalogue::{Def, Exemplar, Kind, Metric, Sample, SampleValue};

use super::Format;

/// The samples as text: every family of the catalogue in its order, with help and type even when it has no
/// series yet, so that a reader of the first scrape sees all there is. Series are sorted by their labels.
///
/// Each (metric, labels) must occur once. A sample whose value does not fit its metric's kind is a bug of the
/// caller; it is left out, so that the rest of the scrape survives.
pub fn exposition(samples: &[Sample], format: Format) -> String {
    let mut sorted: Vec<&Sample> = samples.iter().collect();
    sorted.sort_by(|a, b| (a.metric, &a.labels).cmp(&(b.metric, &b.labels)));

    let mut out = String::with_capacity(256 * Metric::ALL.len() + 128 * samples.len());
    let mut rest = sorted.as_slice();
    for &metric in Metric::ALL {
        let (family, later) = rest.split_at(rest.partition_point(|sample| sample.metric <= metric));
        rest = later;
        head(&mut out, metric.def(), format);
        for sample in family {
            series(&mut out, sample, format);
        }
    }
    if format == Format::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

/// `# HELP`, `# TYPE` and `# UNIT` of a family.
fn head(out: &mut String, def: &Def, format: Format) {
    let (suffix, kind) = match (format, def.kind) {
        (Format::OpenMetrics, kind) => ("", kind_name(kind)),
        (Format::Text004, Kind::Info) => (Kind::Info.suffix(), kind_name(Kind::Gauge)),
        (Format::Text004, kind) => (kind.suffix(), kind_name(kind)),
    };
    let name = def.name;
    let _ = write!(out, "# HELP {name}{suffix} ");
    escape(out, def.help);
    let _ = writeln!(out, "\n# TYPE {name}{suffix} {kind}");
    if format == Format::OpenMetrics && !def.unit.is_empty() {
        let _ = writeln!(out, "# UNIT {name} {}", def.unit);
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
        Kind::Info => "info",
    }
}

/// The lines of one series.
fn series(out: &mut String, sample: &Sample, format: Format) {
    let def = sample.metric.def();
    debug_assert_eq!(sample.labels.len(), def.labels.len(), "labels of {}", def.name);
    match (def.kind, &sample.value) {
        (Kind::Counter, SampleValue::Counter(value, exemplar)) => {
            name_and_labels(out, sample, "_total", None);
            let _ = write!(out, " {value}");
            if let (Format::OpenMetrics, Some(exemplar)) = (format, exemplar) {
                write_exemplar(out, exemplar);
            }
            out.push('\n');
        }
        (Kind::Gauge, SampleValue::Gauge(value)) => line(out, sample, "", None, &number(*value)),
        (Kind::Info, SampleValue::Gauge(_)) => line(out, sample, "_info", None, "1"),
        (Kind::Histogram, SampleValue::Histogram { buckets, sum }) => {
            let count = buckets.last().map_or(0, |(_, count)| *count).to_string();
            for (bound, count) in buckets {
                line(out, sample, "_bucket", Some(*bound), &count.to_string());
            }
            line(out, sample, "_sum", None, &number(*sum));
            line(out, sample, "_count", None, &count);
        }
        (kind, value) => debug_assert!(false, "{}: a {kind:?} cannot be {value:?}", def.name),
    }
}

fn line(out: &mut String, sample: &Sample, suffix: &str, bound: Option<f64>, value: &str) {
    name_and_labels(out, sample, suffix, bound);
    let _ = writeln!(out, " {value}");
}

/// `name_suffix{label="value",le="0.5"}`.
fn name_and_labels(out: &mut String, sample: &Sample, suffix: &str, bound: Option<f64>) {
    let def = sample.metric.def();
    out.push_str(def.name);
    out.push_str(suffix);
    let mut separator = '{';
    for (label, value) in def.labels.iter().zip(&sample.labels) {
        let _ = write!(out, "{separator}{label}=\"");
        escape(out, value);
        out.push('"');
        separator = ',';
    }
    if let Some(bound) = bound {
        let _ = write!(out, "{separator}le=\"{}\"", number(bound));
        separator = ',';
    }
    if separator == ',' {
        out.push('}');
    }
}

/// ` # {trace_id="…",span_id="…"} 1 1700000000.123`: one event, when it was counted. The names and values are 63
/// characters, the specification allows 128 (`slo.md` §8.3).
fn write_exemplar(out: &mut String, exemplar: &Exemplar) {
    let Exemplar { trace, span, at } = exemplar;
    if trace.is_zero() {
        return;
    }
    let _ = write!(out, " # {{trace_id=\"{trace}\"");
    if !span.is_zero() {
        let _ = write!(out, ",span_id=\"{span}\"");
    }
    let (seconds, millis) = (at.0 / 1_000_000_000, at.0 / 1_000_000 % 1000);
    let _ = write!(out, "}} 1 {seconds}.{millis:03}");
}

/// A float as both formats write it: `0.5`, `1.0`, `1e300`, `+Inf`, `NaN`.
fn number(value: f64) -> String {
    if value == f64::INFINITY {
        "+Inf".to_owned()
    } else if value == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        format!("{value:?}")
    }
}

/// Backslash, quote and line feed, as label values and OpenMetrics help texts want it. Help of text 0.0.4 would
/// not escape a quote; a test keeps quotes out of the catalogue.
fn escape(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Nanos, SpanId, TraceId};

    fn lines_of<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
        text.lines().filter(|line| line.contains(name)).collect()
    }

    fn bad(agent: &str) -> Sample {
        let exemplar =
            Exemplar { trace: TraceId([0xab; 16]), span: SpanId([0xcd; 8]), at: Nanos(1_700_000_000_123_456_789) };
        let labels = ["acme", "intent_alignment", agent, "bad"];
        Sample::new(Metric::SliEvents, labels, SampleValue::Counter(7, Some(exemplar)))
    }

    #[test]
    fn a_counter_carries_its_exemplar_in_openmetrics() {
        let text = exposition(&[bad("ops")], Format::OpenMetrics);
        assert_eq!(
            lines_of(&text, "wherefore_sli_events"),
            [
                "# HELP wherefore_sli_events Actions judged, by SLI and verdict, at the verdict's deadline",
                "# TYPE wherefore_sli_events counter",
                "wherefore_sli_events_total{tenant=\"acme\",sli=\"intent_alignment\",agent=\"ops\",verdict=\"bad\"} 7 \
                 # {trace_id=\"abababababababababababababababab\",span_id=\"cdcdcdcdcdcdcdcd\"} 1 1700000000.123",
            ]
        );
        assert!(text.ends_with("\n# EOF\n"));
    }

    #[test]
    fn text_004_names_the_series_and_has_no_exemplar() {
        let text = exposition(&[bad("ops")], Format::Text004);
        assert_eq!(
            lines_of(&text, "wherefore_sli_events"),
            [
                "# HELP wherefore_sli_events_total Actions judged, by SLI and verdict, at the verdict's deadline",
                "# TYPE wherefore_sli_events_total counter",
                "wherefore_sli_events_total{tenant=\"acme\",sli=\"intent_alignment\",agent=\"ops\",verdict=\"bad\"} 7",
            ]
        );
        assert!(!text.contains("# EOF") && !text.contains("# UNIT"));
    }

    #[test]
    fn a_histogram_is_contiguous_and_ends_with_its_count() {
        let value = SampleValue::Histogram { buckets: vec![(0.005, 1), (1.0, 2), (f64::INFINITY, 4)], sum: 3.5 };
        let text = exposition(&[Sample::new(Metric::AckSeconds, [""; 0], value)], Format::OpenMetrics);
        assert_eq!(
            lines_of(&text, "wherefore_ack_seconds")[1..],
            [
                "# TYPE wherefore_ack_seconds histogram",
                "# UNIT wherefore_ack_seconds seconds",
                "wherefore_ack_seconds_bucket{le=\"0.005\"} 1",
                "wherefore_ack_seconds_bucket{le=\"1.0\"} 2",
                "wherefore_ack_seconds_bucket{le=\"+Inf\"} 4",
                "wherefore_ack_seconds_sum 3.5",
                "wherefore_ack_seconds_count 4",
            ]
        );
    }

    #[test]
    fn an_info_metric_is_a_gauge_where_infos_are_unknown() {
        let build = [Sample::new(Metric::BuildInfo, ["1.2.3"], SampleValue::Gauge(1.0))];
        for (format, kind) in [
            (Format::OpenMetrics, "# TYPE wherefore_build info"),
            (Format::Text004, "# TYPE wherefore_build_info gauge"),
        ] {
            let text = exposition(&build, format);
            assert_eq!(lines_of(&text, "wherefore_build")[1..], [kind, "wherefore_build_info{version=\"1.2.3\"} 1"]);
        }
    }

    #[test]
    fn every_family_is_announced_once_in_the_order_of_the_catalogue() {
        for format in [Format::OpenMetrics, Format::Text004] {
            let text = exposition(&[], format);
            let announced: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
            assert_eq!(announced.len(), Metric::ALL.len());
            for (line, metric) in announced.iter().zip(Metric::ALL) {
                assert!(line.starts_with(metric.def().name), "{line}");
            }
        }
    }

    #[test]
    fn help_reads_the_same_in_both_formats() {
        for metric in Metric::ALL {
            assert!(!metric.def().help.contains(['"', '\\', '\n']), "{}", metric.def().name);
        }
    }

    #[test]
    fn numbers_are_what_prometheus_reads() {
        for (value, want) in [
            (0.0, "0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e300, "1e300"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(number(value), want);
        }
    }

    /// What a parser makes of an escaped label value.
    fn unescape(text: &str) -> String {
        let mut out = String::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            out.push(match character {
                '\\' => match characters.next().expect("a backslash is never last") {
                    'n' => '\n',
                    other => other,
                },
                plain => plain,
            });
        }
        out
    }

    proptest! {
        /// Whatever an agent calls itself, it stays inside the quotes of one line.
        #[test]
        fn a_hostile_label_value_stays_in_its_quotes(agent in any::<String>()) {
            let text = exposition(&[bad(&agent)], Format::Text004);
            let prefix = "wherefore_sli_events_total{tenant=\"acme\",sli=\"intent_alignment\",agent=\"";
            let suffix = "\",verdict=\"bad\"} 7";
            let lines: Vec<&str> = text.split('\n').filter(|line| line.starts_with(prefix)).collect();
            prop_assert_eq!(lines.len(), 1);
            let value = lines[0].strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
            prop_assert_eq!(value.map(unescape), Some(agent));
        }

        #[test]
        fn the_order_of_the_snapshot_does_not_show(agents in proptest::collection::btree_set("[a-z]{1,4}", 1..20)) {
            let samples: Vec<Sample> = agents.iter().map(|agent| bad(agent)).collect();
            let reversed: Vec<Sample> = samples.iter().rev().cloned().collect();
            prop_assert_eq!(exposition(&samples, Format::OpenMetrics), exposition(&reversed, Format::OpenMetrics));
        }
    }
}
