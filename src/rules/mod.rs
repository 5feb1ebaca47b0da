//! SLOs to Prometheus: one rule file, its unit tests for promtool, and the dashboards. Everything here is text made
//! from the objectives and the catalogue; nothing is read or written.
//!
//! What a burning budget means is in `burn`, what a forbidden call and an ailing collector mean in `alarms`.

mod alarms;
mod burn;
mod cases;
mod dashboard;
mod file;

use crate::model::Span;
use crate::slo::Objective;

pub use burn::{Unreachable, check_reachable, has_rules, usual_conditions};
pub use cases::prometheus_rule_tests;
pub use dashboard::dashboards;

/// What the rule file depends on besides the objectives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Every window and waiting time is divided by this. 1 in production; a test that cannot wait for an hour
    /// uses more. The names of recorded series keep the unscaled window.
    pub window_scale: u32,
    /// Where people reach this collector's API, such as `https://wherefore.example`. Links in alerts start with it.
    pub external_url: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { window_scale: 1, external_url: "http://localhost:9464".to_owned() }
    }
}

impl Options {
    /// A window as PromQL writes it, scaled: the largest unit that divides it.
    fn window(&self, span: Span) -> String {
        let millis = (span.0 / 1_000_000 / u64::from(self.window_scale.max(1))).max(1);
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
        let (unit, name) = units.into_iter().find(|(unit, _)| millis.is_multiple_of(*unit)).unwrap_or((1, "ms"));
        format!("{}{name}", millis / unit)
    }

    /// A length of time in seconds, scaled, for comparison with a metric in seconds.
    fn seconds(&self, span: Span) -> f64 {
        span.as_seconds() / f64::from(self.window_scale.max(1))
    }

    /// A link into this collector.
    fn link(&self, path: &str) -> String {
        format!("{}{path}", self.external_url.trim_end_matches('/'))
    }
}

/// One Prometheus rule file (YAML): recording rules and burn-rate alerts for each objective, the alert for forbidden
/// calls, and those for the collector itself. It passes `promtool check rules`.
///
/// # Errors
/// When an alert could never fire, because its objective leaves too large an error budget.
pub fn prometheus_rules(objectives: &[Objective], options: &Options) -> Result<String, Unreachable> {
    let mut groups = Vec::new();
    for objective in objectives {
        groups.extend(burn::groups(objective, options)?);
    }
    groups.push(alarms::findings(options));
    groups.push(alarms::collector(options));
    let without: Vec<&str> = objectives.iter().filter(|it| !burn::has_rules(it)).map(|it| &*it.name).collect();
    Ok(file::write(&groups, &without, options))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_written_in_the_largest_unit() {
        for (span, scale, want) in [
            (Span::days(28), 1, "28d"),
            (Span::hours(1), 1, "1h"),
            (Span::minutes(90), 1, "90m"),
            (Span::minutes(5), 60, "5s"),
            (Span::days(3), 60, "72m"),
            (Span::minutes(5), 120, "2500ms"),
            (Span::seconds(1), u32::MAX, "1ms"),
            (Span::hours(1), 0, "1h"),
        ] {
            let options = Options { window_scale: scale, ..Options::default() };
            assert_eq!(options.window(span), want);
        }
    }
}
