//! Rules, their unit tests and what is deployed with them, read by the real promtool and amtool.

use std::collections::BTreeSet;
use std::path::Path;

use wherefore::catalogue::Metric;
use wherefore::rules::{Options, prometheus_rule_tests, prometheus_rules};
use wherefore::slo::Objective;

use crate::support::checked_in;
use crate::support::checkers::{accepts, have};

fn rules(options: &Options) -> String {
    prometheus_rules(&Objective::DEFAULTS, options).expect("the default objectives are reachable")
}

#[test]
fn promtool_accepts_the_rules_and_their_tests_pass() {
    if !have("promtool") {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("the file is written");
        path.to_string_lossy().into_owned()
    };
    let scaled = Options { window_scale: 60, external_url: "https://wherefore.example/\"quoted\"".to_owned() };
    for options in [Options::default(), scaled] {
        let path = file("wherefore.rules.yml", &rules(&options));
        accepts("promtool", &["check", "rules", "--lint=all", "--lint-fatal", &path], "");
    }
    file("wherefore.rules.yml", &rules(&Options::default()));
    accepts("promtool", &["test", "rules", &file("tests.yml", &prometheus_rule_tests())], "");
}

#[test]
fn the_deployed_rules_are_the_generated_ones() {
    checked_in("deploy/prometheus/wherefore.rules.yml", &rules(&Options::default()));
    checked_in("deploy/prometheus/wherefore.rules.test.yml", &prometheus_rule_tests());
}

/// The values of a key in the rule file: `alert: X` gives `X`.
fn values<'t>(text: &'t str, key: &str) -> BTreeSet<&'t str> {
    text.lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix(key)).map(str::trim).collect()
}

#[test]
fn every_alert_has_its_runbook_and_every_runbook_its_alert() {
    let text = rules(&Options::default());
    let alerts: BTreeSet<String> = values(&text, "alert:").into_iter().map(str::to_owned).collect();
    let runbooks: BTreeSet<String> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbooks"))
        .expect("the runbooks are there")
        .map(|entry| entry.expect("a directory entry").path().file_stem().unwrap_or_default().to_string_lossy().into())
        .collect();
    assert_eq!(alerts, runbooks);
}

#[test]
fn every_alert_carries_the_labels_that_routing_needs() {
    let text = rules(&Options::default());
    for alert in text.split("      - alert: ").skip(1) {
        let name = alert.lines().next().unwrap_or_default();
        let end = alert.find("  - name:").unwrap_or(alert.len());
        let alert = &alert[..end];
        for key in ["severity: \"", "slo: \"", "summary: \"", "description: \"", "link: \"http", "why: \"", "runbook: "]
        {
            assert_eq!(alert.matches(&format!("\n          {key}")).count(), 1, "{name} has one {key}");
        }
    }
}

/// The names of this program's metrics in a text.
pub fn metrics_in(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("wherefore_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_metric_in_the_rules_is_in_the_catalogue() {
    let known: BTreeSet<String> = Metric::ALL.iter().map(|metric| metric.series()).collect();
    let used = metrics_in(&rules(&Options::default()));
    assert!(!used.is_empty());
    assert_eq!(used.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new());
}
