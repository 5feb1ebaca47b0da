//! Snapshot to exposition: the samples of one moment as the text that `/metrics` answers with, and the choice of
//! its format. Pure; the server adds the status line.

mod text;

pub use text::exposition;

/// The formats of the exposition (`slo.md` §8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0 text: the one with exemplars.
    OpenMetrics,
    /// Prometheus text 0.0.4: what everything can read.
    Text004,
}

impl Format {
    /// The exact `Content-Type`. Prometheus 3 fails a scrape whose type it does not know.
    pub const fn content_type(self) -> &'static str {
        match self {
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Text004 => "text/plain; version=0.0.4",
        }
    }
}

/// The format that an `Accept` header asks for: the acceptable one with the highest weight, OpenMetrics when both
/// weigh the same. No header, or one that names nothing we have, gets text 0.0.4 instead of a refusal: a person
/// with `curl` is better served, and Prometheus always names a format.
pub fn negotiate(accept: Option<&str>) -> Format {
    let ranges: Vec<Range> = accept.into_iter().flat_map(|header| header.split(',')).filter_map(Range::read).collect();
    let weight = |format| ranges.iter().filter(|range| range.format == format).map(|range| range.weight).max();
    match (weight(Format::OpenMetrics), weight(Format::Text004)) {
        (Some(openmetrics), text) if openmetrics > 0 && Some(openmetrics) >= text => Format::OpenMetrics,
        _ => Format::Text004,
    }
}

/// One media range of an `Accept` header that covers a format of ours.
struct Range {
    format: Format,
    /// The `q` parameter in thousandths.
    weight: u16,
}

impl Range {
    fn read(range: &str) -> Option<Self> {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next()?.to_ascii_lowercase();
        let mut version = None;
        let mut weight = 1000;
        for parameter in parts {
            match parameter.split_once('=') {
                Some(("version", value)) => version = Some(value.trim_matches('"')),
                Some(("q" | "Q", value)) => weight = thousandths(value)?,
                _ => {}
            }
        }
        let format = match (media_type.as_str(), version) {
            ("application/openmetrics-text", None | Some("1.0.0")) => Format::OpenMetrics,
            ("text/plain", None | Some("0.0.4")) | ("text/*" | "*/*", _) => Format::Text004,
            _ => return None,
        };
        Some(Self { format, weight })
    }
}

/// Reads `0`, `0.5`, `1.000`; `None` for what is not a weight (RFC 9110 §12.4.2).
fn thousandths(text: &str) -> Option<u16> {
    let weight: f32 = text.trim().parse().ok()?;
    (0.0..=1.0).contains(&weight).then(|| (weight * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_header_chooses_the_format() {
        use Format::{OpenMetrics, Text004};
        for (accept, want) in [
            (None, Text004),
            (Some(""), Text004),
            (Some("*/*"), Text004),
            (Some("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"), Text004),
            (Some("application/openmetrics-text"), OpenMetrics),
            (Some("Application/OpenMetrics-Text; version=\"1.0.0\""), OpenMetrics),
            // Prometheus 2.42
            (
                Some(
                    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                     text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                ),
                OpenMetrics,
            ),
            // Prometheus 3, protobuf first: we have none, OpenMetrics is next
            (
                Some(
                    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;\
                     q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                     text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                ),
                OpenMetrics,
            ),
            (Some("application/openmetrics-text;version=2.0.0"), Text004),
            (Some("application/openmetrics-text;q=0.2,text/plain;q=0.4"), Text004),
            (Some("application/openmetrics-text;q=0.4,text/plain;q=0.4"), OpenMetrics),
            (Some("application/openmetrics-text;q=0"), Text004),
            (Some("application/openmetrics-text;q=nonsense"), Text004),
            (Some("application/openmetrics-text;q=7"), Text004),
            (Some(";;;,=;q"), Text004),
        ] {
            assert_eq!(negotiate(accept), want, "{accept:?}");
        }
    }
}
