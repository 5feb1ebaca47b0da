//! The shape of a Prometheus rule file and its YAML. The subset is small on purpose: names and numbers are plain,
//! every other value is a JSON string (which is a YAML string too), expressions are block scalars.

use std::fmt::Write;

use crate::model::{Severity, Span};

use super::Options;

/// Rules that are evaluated one after the other.
pub(super) struct Group {
    pub name: String,
    /// How often; `None` takes the server's interval.
    pub interval: Option<Span>,
    pub rules: Vec<Rule>,
}

/// One rule.
pub(super) enum Rule {
    /// A series made of others.
    Record { name: String, expr: String, labels: Vec<(&'static str, String)> },
    /// A series whose presence is an alert.
    Alert(Alert),
}

/// Whom an alert is about, in its texts: one agent or all of them ([`crate::catalogue::ALL_AGENTS`]).
pub(super) const WHO: &str = "{{ if eq $labels.agent \"_all\" }}all agents{{ else }}agent {{ $labels.agent }}{{ end }}";
/// The tenant of an alert, in its texts.
pub(super) const TENANT: &str = "{{ $labels.tenant }}";
/// The agent in a link. Agents choose their names, so they are escaped.
pub(super) const AGENT_IN_LINK: &str = "{{ $labels.agent | urlquery }}";
/// The tenant in a link.
pub(super) const TENANT_IN_LINK: &str = "{{ $labels.tenant | urlquery }}";

/// One alert. Those of one name differ in severity.
pub(super) struct Alert {
    pub name: &'static str,
    /// `None`: nobody is told; the watchdog.
    pub severity: Option<Severity>,
    /// The objective it belongs to, or what stands in its place. With `agent` it decides which page silences
    /// which ticket, so both are always there.
    pub slo: String,
    /// `None`: the expression has the label.
    pub agent: Option<&'static str>,
    /// Whom an objective's own alert policy names.
    pub notify: Option<String>,
    pub expr: String,
    /// How long the expression must hold.
    pub hold: Option<Span>,
    pub summary: String,
    pub description: String,
    /// Where the reader goes first, below the external address. May use `$labels`.
    pub link: String,
    /// What to do there. Never a command line with a label in it: somebody will paste it into a shell.
    pub why: &'static str,
}

impl Alert {
    fn labels(&self) -> Vec<(&'static str, String)> {
        let mut labels =
            vec![("severity", self.severity.map_or("none", Severity::as_str).to_owned()), ("slo", self.slo.clone())];
        labels.extend(self.agent.map(|agent| ("agent", agent.to_owned())));
        labels.extend(self.notify.iter().map(|notify| ("notify", notify.clone())));
        labels
    }

    fn annotations(&self, options: &Options) -> Vec<(&'static str, String)> {
        vec![
            ("summary", self.summary.clone()),
            ("description", self.description.clone()),
            ("link", options.link(&self.link)),
            ("why", self.why.to_owned()),
            ("runbook", format!("docs/runbooks/{}.md", self.name)),
        ]
    }
}

/// The whole file. It names the objectives that have no rules in it.
pub(super) fn write(groups: &[Group], without: &[&str], options: &Options) -> String {
    let mut out = String::from("# Made by `wherefore slo generate`. Change the objectives, not this file.\n");
    for name in without {
        let _ = writeln!(out, "# Without rules here, because its counters are elsewhere: {name}");
    }
    out.push_str("groups:\n");
    for group in groups {
        let _ = writeln!(out, "  - name: {}", group.name);
        if let Some(interval) = group.interval {
            let _ = writeln!(out, "    interval: {}", options.window(interval));
        }
        out.push_str("    rules:\n");
        for rule in &group.rules {
            write_rule(&mut out, rule, options);
        }
    }
    out
}

fn write_rule(out: &mut String, rule: &Rule, options: &Options) {
    match rule {
        Rule::Record { name, expr, labels } => {
            let _ = writeln!(out, "      - record: {name}");
            block(out, expr);
            map(out, "labels", labels);
        }
        Rule::Alert(alert) => {
            let _ = writeln!(out, "      - alert: {}", alert.name);
            block(out, &alert.expr);
            if let Some(hold) = alert.hold {
                let _ = writeln!(out, "        for: {}", options.window(hold));
            }
            map(out, "labels", &alert.labels());
            map(out, "annotations", &alert.annotations(options));
        }
    }
}

fn block(out: &mut String, expr: &str) {
    out.push_str("        expr: |-\n");
    for line in expr.lines() {
        let _ = writeln!(out, "          {line}");
    }
}

fn map(out: &mut String, key: &str, entries: &[(&'static str, String)]) {
    let _ = writeln!(out, "        {key}:");
    for (name, value) in entries {
        let _ = writeln!(out, "          {name}: {}", quoted(value));
    }
}

/// A JSON string: YAML reads it as the same text.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
