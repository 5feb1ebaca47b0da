//! The Grafana dashboard, made from the catalogue and the objectives: first whether agents act rightly, then why not,
//! last whether wherefore itself is well. A tile whose answer is not known says so; it is never green.

mod panel;
mod rows;

use serde_json::{Value, json};

use crate::catalogue::Metric;
use crate::slo::Objective;

use super::Options;

/// The dashboards as (file name, classic JSON model).
pub fn dashboards(objectives: &[Objective], options: &Options) -> Vec<(&'static str, Value)> {
    vec![("wherefore.json", overview(objectives, options))]
}

fn overview(objectives: &[Objective], options: &Options) -> Value {
    json!({
        "uid": "wherefore",
        "title": "wherefore: why did the agent act, and was that right?",
        "description": "Semantic SLIs of AI agents, from their telemetry alone.",
        "tags": ["wherefore", "agents", "slo"],
        "schemaVersion": 39,
        "editable": false,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": variables(options)},
        "annotations": {"list": [alerts_as_annotations()]},
        "links": [{
            "title": "Open findings", "type": "link", "icon": "external link", "targetBlank": true,
            "url": "${wherefore}/api/v1/actions?finding=open", "tooltip": "Every action with an open finding",
        }],
        "panels": panel::place(&rows::all(objectives)),
    })
}

fn variables(options: &Options) -> Value {
    let events = Metric::SliEvents.series();
    let query = |name: &str, label: &str, query: String| {
        json!({
            "name": name, "label": label, "type": "query", "query": query, "definition": query,
            "datasource": {"type": "prometheus", "uid": "${datasource}"},
            "refresh": 2, "sort": 1, "multi": true, "includeAll": true, "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        })
    };
    json!([
        {
            "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
            "current": {"text": "Prometheus", "value": "prometheus"},
        },
        query("tenant", "Tenant", format!("label_values({events}, tenant)")),
        query("agent", "Agent", format!("label_values({events}{{tenant=~\"$tenant\"}}, agent)")),
        {
            "name": "wherefore", "label": "wherefore", "type": "constant", "hide": 2,
            "query": options.link(""), "current": {"text": options.link(""), "value": options.link("")},
        },
    ])
}

/// Pages as marks in every panel: what happened then?
fn alerts_as_annotations() -> Value {
    json!({
        "name": "Pages",
        "enable": true,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "expr": "ALERTS{alertname=~\"Wherefore.*\",alertstate=\"firing\",severity=\"page\"}",
        "titleFormat": "{{alertname}}",
        "textFormat": "{{slo}} of {{agent}}",
        "iconColor": "red",
        "step": "30s",
    })
}
