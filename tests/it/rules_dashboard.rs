//! The dashboard: what Grafana would not forgive, checked without Grafana.

use std::collections::BTreeSet;

use serde_json::Value;
use wherefore::catalogue::{Kind, Metric};
use wherefore::rules::{Options, dashboards, prometheus_rules};
use wherefore::slo::Objective;

use crate::rules::metrics_in;
use crate::support::checked_in;

fn made() -> Vec<(&'static str, Value)> {
    dashboards(&Objective::DEFAULTS, &Options::default())
}

fn panels(dashboard: &Value) -> &[Value] {
    dashboard["panels"].as_array().expect("a dashboard has panels")
}

/// Every query of a dashboard: of its panels and its annotations.
pub fn queries(dashboard: &Value) -> Vec<&str> {
    let of_panels = panels(dashboard).iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let of_annotations = dashboard["annotations"]["list"].as_array().into_iter().flatten();
    of_panels.chain(of_annotations).map(|target| target["expr"].as_str().expect("a target has a query")).collect()
}

#[test]
fn the_checked_in_dashboards_are_the_generated_ones() {
    for (name, dashboard) in made() {
        let text = serde_json::to_string_pretty(&dashboard).expect("a dashboard is JSON");
        checked_in(&format!("dashboards/{name}"), &(text + "\n"));
    }
}

#[test]
fn ids_are_unique_and_no_panel_covers_another() {
    for (name, dashboard) in made() {
        let mut ids = BTreeSet::new();
        let mut taken = BTreeSet::new();
        for panel in panels(&dashboard) {
            assert!(ids.insert(panel["id"].as_u64()), "{name}: id {} stands twice", panel["id"]);
            let side = |key: &str| panel["gridPos"][key].as_u64().expect("a panel has a place");
            assert!(side("x") + side("w") <= 24 && side("w") > 0 && side("h") > 0, "{name}: {}", panel["title"]);
            for x in side("x")..side("x") + side("w") {
                for y in side("y")..side("y") + side("h") {
                    assert!(taken.insert((x, y)), "{name}: {} covers another at {x}, {y}", panel["title"]);
                }
            }
        }
    }
}

#[test]
fn every_panel_says_what_it_shows() {
    for (_, dashboard) in made() {
        for panel in panels(&dashboard).iter().filter(|panel| panel["type"] != "row") {
            let title = panel["title"].as_str().unwrap_or_default();
            assert!(!title.is_empty());
            assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{title}: description");
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title}: unit");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
            assert!(panel["targets"].as_array().is_some_and(|targets| !targets.is_empty()), "{title}: targets");
        }
    }
}

/// A metric of the catalogue or a recorded series: nothing else may be asked for.
#[test]
fn every_series_in_a_query_exists() {
    let mut known: BTreeSet<String> = Metric::ALL.iter().map(|metric| metric.series()).collect();
    let histograms = Metric::ALL.iter().filter(|metric| metric.def().kind == Kind::Histogram);
    known.extend(histograms.map(|metric| metric.series() + "_bucket"));
    let rules = prometheus_rules(&Objective::DEFAULTS, &Options::default()).expect("the defaults are reachable");
    let recorded: BTreeSet<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- record: ")).collect();

    for (_, dashboard) in made() {
        for query in queries(&dashboard) {
            let unknown: Vec<String> = metrics_in(query).difference(&known).cloned().collect();
            assert!(unknown.is_empty(), "{unknown:?} in {query}");
            for word in query.split(|c: char| !c.is_ascii_alphanumeric() && !"_:".contains(c)) {
                assert!(!word.starts_with("slo:") || recorded.contains(word), "{word} in {query}");
            }
        }
    }
}

/// Missing is never good: a tile asks about now alone, and paints no answer grey, whatever its first colour.
#[test]
fn a_tile_without_an_answer_is_grey() {
    for (_, dashboard) in made() {
        for panel in panels(&dashboard).iter().filter(|panel| panel["type"] == "stat" || panel["type"] == "bargauge") {
            let mapping = &panel["fieldConfig"]["defaults"]["mappings"][0]["options"];
            assert_eq!((&mapping["match"], &mapping["result"]["color"]), (&"null+nan".into(), &"#8e8e8e".into()));
            for target in panel["targets"].as_array().expect("targets") {
                assert_eq!((&target["instant"], &target["range"]), (&true.into(), &false.into()), "{}", panel["title"]);
            }
        }
    }
}
