//! Panels and their JSON in Grafana's classic schema, which Grafana 10 to 13 read.

use serde_json::{Value, json};

/// Grey: unknown is not a kind of good.
pub(super) const UNKNOWN: &str = "#8e8e8e";

/// The grid's width.
const GRID: u32 = 24;

/// A titled part of the dashboard.
pub(super) struct Row {
    pub title: &'static str,
    pub panels: Vec<Panel>,
}

/// One panel.
pub(super) struct Panel {
    pub title: String,
    /// What a reader should know to judge it. Shown behind the title.
    pub description: String,
    pub look: Look,
    /// Grafana's name of the unit.
    pub unit: &'static str,
    pub targets: Vec<Target>,
    pub steps: Vec<Step>,
    /// What a tile says when there is no answer. Grafana would paint nothing in the colour of the first step, which
    /// may be green; here it is grey.
    pub missing: &'static str,
    pub width: u32,
    /// Where a click on a series leads, below the address of the collector.
    pub link: Option<&'static str>,
}

/// How a panel shows its values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// The last value, large.
    Stat,
    /// Lines over time.
    Lines,
    /// Areas on top of each other: parts of a whole.
    Stack,
    /// The last value of each series, as a bar.
    Bars,
}

/// A query.
pub(super) struct Target {
    pub expr: String,
    pub legend: String,
    /// Whether its exemplars are shown: traces that the counter counted.
    pub exemplars: bool,
}

/// From this value on, this colour. The first has no value.
pub(super) struct Step(pub Option<f64>, pub &'static str);

impl Look {
    /// Shows one moment. Asked for that moment alone, lest an old value stand for a missing one.
    fn is_instant(self) -> bool {
        matches!(self, Look::Stat | Look::Bars)
    }

    fn height(self) -> u32 {
        match self {
            Look::Stat => 4,
            Look::Lines | Look::Stack | Look::Bars => 8,
        }
    }
}

/// The panels of all rows, placed from left to right and top to bottom, with ids from 1.
pub(super) fn place(rows: &[Row]) -> Vec<Value> {
    let mut placed = Vec::new();
    let mut top = 0;
    for row in rows {
        placed.push(json!({
            "id": placed.len() + 1, "type": "row", "title": row.title, "collapsed": false, "panels": [],
            "gridPos": {"x": 0, "y": top, "w": GRID, "h": 1},
        }));
        top += 1;
        let (mut left, mut line) = (0, 0);
        for panel in &row.panels {
            if left + panel.width > GRID {
                (left, top, line) = (0, top + line, 0);
            }
            let height = panel.look.height();
            let position = json!({"x": left, "y": top, "w": panel.width, "h": height});
            placed.push(panel.json(placed.len() + 1, position));
            left += panel.width;
            line = line.max(height);
        }
        top += line;
    }
    placed
}

impl Panel {
    fn json(&self, id: usize, position: Value) -> Value {
        let (kind, options, custom) = self.look.parts();
        let datasource = json!({"type": "prometheus", "uid": "${datasource}"});
        let targets: Vec<Value> =
            self.targets.iter().zip('A'..='Z').map(|(t, id)| t.json(id, self.look, &datasource)).collect();
        let steps: Vec<Value> =
            self.steps.iter().map(|Step(value, color)| json!({"value": value, "color": color})).collect();
        let links: Vec<Value> = self.link.iter().map(|path| data_link(path)).collect();
        let color = match (self.look, self.steps.len()) {
            (Look::Lines | Look::Stack, _) | (_, 0) => json!({"mode": "palette-classic-by-name"}),
            _ => json!({"mode": "thresholds"}),
        };
        json!({
            "id": id,
            "type": kind,
            "title": self.title,
            "description": self.description,
            "gridPos": position,
            "datasource": datasource,
            "targets": targets,
            "options": options,
            "fieldConfig": {
                "defaults": {
                    "unit": self.unit,
                    "color": color,
                    "custom": custom,
                    "links": links,
                    "mappings": [{
                        "type": "special",
                        "options": {"match": "null+nan", "result": {"text": self.missing, "color": UNKNOWN, "index": 0}},
                    }],
                    "thresholds": {"mode": "absolute", "steps": steps},
                },
                "overrides": word_colors(),
            },
        })
    }
}

fn data_link(path: &str) -> Value {
    json!({"title": "Open the actions", "url": format!("${{wherefore}}{path}"), "targetBlank": true})
}

impl Target {
    fn json(&self, id: char, look: Look, datasource: &Value) -> Value {
        json!({
            "refId": id.to_string(),
            "datasource": datasource,
            "expr": self.expr,
            "legendFormat": self.legend,
            "exemplar": self.exemplars,
            "range": !look.is_instant(),
            "instant": look.is_instant(),
        })
    }
}

impl Look {
    /// The panel type, its options, and what is drawn.
    fn parts(self) -> (&'static str, Value, Value) {
        let last = json!({"calcs": ["lastNotNull"], "fields": "", "values": false});
        let drawn = |fill: u32, stacking: &str| {
            json!({
                "drawStyle": "line", "lineWidth": 1, "fillOpacity": fill, "showPoints": "never", "spanNulls": false,
                "axisSoftMin": 0, "stacking": {"mode": stacking, "group": "A"},
            })
        };
        let over_time = json!({
            "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        });
        match self {
            Look::Stat => (
                "stat",
                json!({
                    "colorMode": "background", "graphMode": "none", "justifyMode": "auto", "textMode": "auto",
                    "orientation": "auto", "reduceOptions": last,
                }),
                json!({}),
            ),
            Look::Lines => ("timeseries", over_time, drawn(8, "none")),
            Look::Stack => ("timeseries", over_time, drawn(40, "normal")),
            Look::Bars => (
                "bargauge",
                json!({
                    "displayMode": "basic", "orientation": "horizontal", "valueMode": "color",
                    "showUnfilled": true, "reduceOptions": last,
                }),
                json!({}),
            ),
        }
    }
}

/// A verdict has one colour everywhere.
fn word_colors() -> Value {
    let colors = [("good", "green"), ("bad", "red"), ("unknown", UNKNOWN)];
    let fixed = colors.map(|(word, color)| {
        json!({
            "matcher": {"id": "byRegexp", "options": format!("/(^|· ){word}$/")},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}],
        })
    });
    json!(fixed)
}
