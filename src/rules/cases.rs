//! Unit tests of the rules, for `promtool test rules`: what fires, and that nothing else does. Each case changes a
//! few series of a healthy installation and names every alert that must then be firing.

use std::fmt::Write;

use crate::catalogue::{ALL_AGENTS, Metric};
use crate::model::{Sli, Value};

use super::file::quoted;

/// The file that the tests load, beside them.
const RULES: &str = "wherefore.rules.yml";

const TENANT: &str = "acme";
/// Agents choose their names, so the one of the tests has a space and an ampersand.
const AGENT: &str = "ops & co";
/// How long a series lasts that does not end, in minutes. promtool pays for each.
const LONG: u32 = 300;

/// One test: series that differ from the healthy ones, and what fires when.
struct Case {
    name: &'static str,
    series: Vec<Series>,
    checks: Vec<Check>,
}

/// A series and its values, one a minute, in promtool's notation.
struct Series {
    name: String,
    values: String,
}

/// Minutes after the start, and the alerts that fire then, beside the watchdog.
struct Check {
    minute: u32,
    firing: Vec<Firing>,
}

/// The labels of a firing alert.
#[derive(Clone, Copy)]
struct Firing {
    alert: &'static str,
    severity: &'static str,
    slo: &'static str,
    agent: &'static str,
    /// The labels of its expression, without `agent`.
    labels: &'static str,
}

/// The unit tests of [`super::prometheus_rules`] with default objectives and options, as the YAML that
/// `promtool test rules` reads beside `wherefore.rules.yml`.
pub fn prometheus_rule_tests() -> String {
    let mut out = format!(
        "# Made by `wherefore slo generate`. Run: promtool test rules FILE\nrule_files:\n  - \
         {RULES}\nevaluation_interval: 1m\ntests:\n"
    );
    for case in cases() {
        write_case(&mut out, &case);
    }
    out.push_str(
        &TEXTS
            .replace("$violations", &Metric::InvariantViolations.series())
            .replace("$events", &Metric::SliEvents.series()),
    );
    out
}

fn write_case(out: &mut String, case: &Case) {
    let _ = writeln!(out, "  - name: {}\n    interval: 1m\n    input_series:", case.name);
    let changed = |series: &Series| case.series.iter().any(|other| other.name == series.name);
    for Series { name, values } in healthy().iter().filter(|series| !changed(series)).chain(&case.series) {
        let _ = writeln!(out, "      - series: {}\n        values: {}", quoted(name), quoted(values));
    }
    out.push_str("    promql_expr_test:\n");
    for Check { minute, firing } in &case.checks {
        let _ = writeln!(
            out,
            "      - expr: 'ALERTS{{alertstate=\"firing\"}}'\n        eval_time: {minute}m\n        exp_samples:"
        );
        for alert in [WATCHDOG].iter().chain(firing) {
            let _ = writeln!(out, "          - labels: {}\n            value: 1", quoted(&alert.series()));
        }
    }
}

impl Firing {
    fn series(&self) -> String {
        let Firing { alert, severity, slo, agent, labels } = self;
        format!(
            "ALERTS{{alertname=\"{alert}\",alertstate=\"firing\",severity=\"{severity}\",slo=\"{slo}\",\
             agent=\"{agent}\"{labels}}}"
        )
    }
}

/// Of the collector.
const fn collector(alert: &'static str, severity: &'static str, labels: &'static str) -> Firing {
    Firing { alert, severity, slo: "wherefore", agent: ALL_AGENTS, labels }
}

const WATCHDOG: Firing = collector("WhereforeWatchdog", "none", "");

/// Of an objective: the agent and the fleet, which here is the same.
fn of_slo(alert: &'static str, severity: &'static str, slo: Sli) -> Vec<Firing> {
    let firing = |agent| Firing { alert, severity, slo: slo.as_str(), agent, labels: ",tenant=\"acme\"" };
    vec![firing(AGENT), firing(ALL_AGENTS)]
}

fn forbidden() -> Vec<Firing> {
    vec![Firing {
        alert: "WhereforeForbiddenCall",
        severity: "page",
        slo: "forbidden_call",
        agent: AGENT,
        labels: ",tenant=\"acme\",rule=\"envelope.prod.no_delete\"",
    }]
}

const REGRESSION: Firing = Firing {
    alert: "WhereforeTelemetryRegression",
    severity: "ticket",
    slo: "telemetry",
    agent: ALL_AGENTS,
    labels: ",tenant=\"acme\",scope=\"agents@2.0\",field=\"parameters\"",
};

/// A series of the catalogue.
fn series(metric: Metric, labels: &[&str], values: impl Into<String>) -> Series {
    let names = metric.def().labels;
    let labels: Vec<String> = names.iter().zip(labels).map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    let instance = "instance=\"a\"".to_owned();
    let labels: Vec<String> = std::iter::once(instance).chain(labels).collect();
    Series { name: format!("{}{{{}}}", metric.series(), labels.join(",")), values: values.into() }
}

/// The judged actions of the agent.
fn events(sli: Sli, verdict: Value, values: impl Into<String>) -> Series {
    series(Metric::SliEvents, &[TENANT, sli.as_str(), AGENT, verdict.as_str()], values)
}

/// Calls that the rule of the tests forbids.
fn violations(values: &str) -> Series {
    series(Metric::InvariantViolations, &[TENANT, AGENT, "envelope.prod.no_delete"], values)
}

/// Constant for long.
fn still(value: u64) -> String {
    format!("{value}x{LONG}")
}

/// Growing by so much a minute for long.
fn growing(by: u64) -> String {
    format!("0+{by}x{LONG}")
}

/// An installation where all is well: ten good actions a minute for each objective.
fn healthy() -> Vec<Series> {
    let mut all = vec![
        series(Metric::BuildInfo, &["1.0.0"], still(1)),
        series(Metric::LastEvidence, &[TENANT], growing(60)),
        series(Metric::FoldLagSeconds, &[], still(0)),
        series(Metric::Poisoned, &[], still(0)),
        series(Metric::DiskFullSeconds, &[], still(90 * 86_400)),
        series(Metric::RefusedRequests, &["overload"], still(0)),
        series(Metric::ConnectionsRefused, &["otlp"], still(0)),
        series(Metric::JournalClockAhead, &[], still(0)),
        series(Metric::CardinalityOverflow, &["agent"], still(0)),
        series(Metric::ConfigReloadSuccessful, &[], still(1)),
        series(Metric::ReadRecords, &[TENANT, "otel"], growing(100)),
        series(Metric::UnreadRecords, &[TENANT, "http/1.0"], growing(20)),
        violations(&still(0)),
    ];
    for &sli in Sli::ALL {
        all.push(events(sli, Value::Good, growing(10)));
        all.push(events(sli, Value::Bad, still(0)));
        all.push(events(sli, Value::Unknown, still(0)));
    }
    all
}

fn check(minute: u32, firing: Vec<Firing>) -> Check {
    Check { minute, firing }
}

fn cases() -> Vec<Case> {
    let mut all = forbidden_call_cases();
    all.push(regression_case());
    all.extend(budget_cases());
    all.extend(collector_cases());
    all
}

fn forbidden_call_cases() -> Vec<Case> {
    vec![
        Case {
            name: "nothing fires when all is well",
            series: vec![],
            checks: vec![check(1, vec![]), check(120, vec![])],
        },
        Case {
            name: "the first forbidden call of a known series fires, for an hour",
            series: vec![violations("0x5 1x100")],
            checks: vec![check(5, vec![]), check(6, forbidden()), check(64, forbidden()), check(70, vec![])],
        },
        Case {
            name: "a series that is born with a forbidden call fires, for an hour",
            series: vec![violations("_x6 1x100")],
            checks: vec![check(5, vec![]), check(6, forbidden()), check(64, forbidden()), check(70, vec![])],
        },
        Case {
            name: "an outage of the collector does not make an old violation new",
            series: vec![violations("3x65 stale _x10 3x100")],
            checks: vec![check(65, vec![]), check(80, vec![]), check(130, vec![]), check(140, vec![])],
        },
        Case {
            name: "a restart under another name does not make an old violation new",
            series: vec![
                violations("3x65 stale"),
                Series {
                    name: violations("").name.replace("instance=\"a\"", "instance=\"b\""),
                    values: "_x66 3x100".to_owned(),
                },
            ],
            checks: vec![check(65, vec![]), check(70, vec![]), check(130, vec![])],
        },
        Case {
            name: "a restart that lost the counters hides nothing",
            series: vec![violations("3x65 0x10 1x100")],
            checks: vec![check(65, vec![]), check(75, vec![]), check(78, forbidden())],
        },
    ]
}

/// Such a series is always born with one.
fn regression_case() -> Case {
    let regressed = series(Metric::TelemetryRegressions, &[TENANT, "agents@2.0", "parameters"], "_x6 1x300");
    let checks = vec![check(5, vec![]), check(6, vec![REGRESSION]), check(290, vec![REGRESSION])];
    Case { name: "a new version that fills a field less is a ticket for long", series: vec![regressed], checks }
}

fn budget_cases() -> Vec<Case> {
    let intent = Sli::IntentAlignment;
    let burn = |severity, sli| of_slo("WhereforeErrorBudgetBurn", severity, sli);
    let idle = |verdict| move |&sli: &Sli| events(sli, verdict, still(0));
    vec![
        Case {
            name: "a third bad pages, and leaves a ticket",
            series: vec![events(intent, Value::Bad, "0x40 0+5x200")],
            checks: vec![check(40, vec![]), check(70, [burn("page", intent), burn("ticket", intent)].concat())],
        },
        Case {
            name: "two bad actions in a quiet hour fire nothing, the third does",
            series: vec![
                events(intent, Value::Good, "0x30 1x30 2x200"),
                events(intent, Value::Bad, "0x61 1 2 2 2 3x200"),
                events(intent, Value::Unknown, still(0)),
            ],
            checks: vec![check(65, vec![]), check(67, [burn("page", intent), burn("ticket", intent)].concat())],
        },
        Case {
            name: "an objective that is mostly unknown never pages and says that it cannot be measured",
            series: vec![events(intent, Value::Bad, "0x60 0+5x300"), events(intent, Value::Unknown, growing(40))],
            checks: vec![check(90, of_slo("WhereforeNotMeasurable", "ticket", intent)), check(30, vec![])],
        },
        Case {
            name: "denials never page",
            series: vec![events(Sli::DeniedActions, Value::Bad, growing(5))],
            checks: vec![check(150, burn("ticket", Sli::DeniedActions))],
        },
        Case {
            name: "an installation without actions fires nothing",
            series: [Value::Good, Value::Bad, Value::Unknown]
                .into_iter()
                .flat_map(|verdict| Sli::ALL.iter().map(idle(verdict)))
                .collect(),
            checks: vec![check(10, vec![]), check(120, vec![])],
        },
    ]
}

fn collector_cases() -> Vec<Case> {
    let instance = ",instance=\"a\"";
    let one = |alert, severity, labels| vec![collector(alert, severity, labels)];
    vec![
        Case {
            name: "a collector that is gone pages after five minutes",
            series: vec![series(Metric::BuildInfo, &["1.0.0"], "1x10 stale")],
            checks: vec![check(15, vec![]), check(17, one("WhereforeAbsent", "page", ""))],
        },
        Case {
            name: "a poisoned journal pages at once",
            series: vec![series(Metric::Poisoned, &[], "0x10 1x100")],
            checks: vec![check(10, vec![]), check(11, one("WhereforeJournalPoisoned", "page", instance))],
        },
        Case {
            name: "judging that stays behind pages",
            series: vec![series(Metric::FoldLagSeconds, &[], "0x10 0+60x100")],
            checks: vec![check(18, vec![]), check(25, one("WhereforeFoldLag", "page", instance))],
        },
        Case {
            name: "a disk that is full tomorrow is a ticket, in an hour a page",
            series: vec![series(Metric::DiskFullSeconds, &[], "80000x60 3000x100")],
            checks: vec![
                check(20, one("WhereforeDiskFullSoon", "ticket", instance)),
                check(
                    80,
                    vec![
                        collector("WhereforeDiskFullSoon", "ticket", instance),
                        collector("WhereforeDiskFullSoon", "page", instance),
                    ],
                ),
            ],
        },
        Case {
            name: "requests that are refused for long are a ticket",
            series: vec![series(Metric::RefusedRequests, &["overload"], growing(5))],
            checks: vec![check(10, vec![]), check(20, one("WhereforeRefusing", "ticket", ",reason=\"overload\""))],
        },
        Case {
            name: "so are connections, although no request is read",
            series: vec![series(Metric::ConnectionsRefused, &["otlp"], growing(5))],
            checks: vec![check(10, vec![]), check(20, one("WhereforeRefusing", "ticket", ",reason=\"connections\""))],
        },
        Case {
            name: "a clock that stays ahead is a ticket",
            series: vec![series(Metric::JournalClockAhead, &[], "0x10 90x3 0x10 3600x100")],
            checks: vec![
                check(13, vec![]),
                check(22, vec![]),
                check(31, one("WhereforeClockAhead", "ticket", instance)),
            ],
        },
        Case {
            name: "a tenant none of whose records is read is a ticket",
            series: vec![
                series(Metric::ReadRecords, &[TENANT, "otel"], "_x300"),
                series(Metric::UnreadRecords, &[TENANT, "http/1.0"], growing(20)),
            ],
            checks: vec![check(30, vec![]), check(70, one("WhereforeUnreadShare", "ticket", ",tenant=\"acme\""))],
        },
        Case {
            name: "a day without evidence is a ticket",
            // The time of the tests starts at 0, so this is 86,000 s before them.
            series: vec![series(Metric::LastEvidence, &[TENANT], "-86000x60")],
            checks: vec![check(5, vec![]), check(8, one("WhereforeEvidenceStale", "ticket", ",tenant=\"acme\""))],
        },
        Case {
            name: "a label without room is a ticket",
            series: vec![series(Metric::CardinalityOverflow, &["agent"], "0x20 1x100")],
            checks: vec![
                check(20, vec![]),
                check(22, one("WhereforeCardinalityOverflow", "ticket", ",label=\"agent\"")),
            ],
        },
        Case {
            name: "files that were refused and stay refused are a ticket",
            series: vec![series(Metric::ConfigReloadSuccessful, &[], "1x10 0x2 1x10 0x20 1x100")],
            checks: vec![
                check(12, vec![]),
                check(18, vec![]),
                check(
                    32,
                    vec![Firing { slo: "telemetry", ..collector("WhereforeConfigReloadFailed", "ticket", instance) }],
                ),
                check(50, vec![]),
            ],
        },
    ]
}

/// What a person reads, with the label values filled in. Written out in full, so that the templates are seen to work.
const TEXTS: &str = r#"  - name: the alert of a forbidden call opens the list of its actions
    interval: 1m
    input_series:
      - series: '$violations{tenant="acme",agent="ops & co",rule="envelope.prod.no_delete"}'
        values: 0x10 1x10
    alert_rule_test:
      - alertname: WhereforeForbiddenCall
        eval_time: 12m
        exp_alerts:
          - exp_labels:
              severity: page
              slo: forbidden_call
              tenant: acme
              agent: ops & co
              rule: envelope.prod.no_delete
            exp_annotations:
              summary: "agent ops & co made a forbidden call: envelope.prod.no_delete"
              description: "There is evidence that agent ops & co (tenant acme) executed a call that rule envelope.prod.no_delete forbids. This fires at the first one."
              link: "http://localhost:9464/api/v1/actions?finding=open&rule=envelope.prod.no_delete&tenant=acme&agent=ops+%26+co"
              why: "Open the link, take the action's id and run `wherefore why ID`: what was asked, what was refused, what ran, and what is not known."
              runbook: "docs/runbooks/WhereforeForbiddenCall.md"
  - name: an idle agent records nothing, not NaN
    interval: 1m
    input_series:
      - series: '$events{tenant="acme",sli="denied_actions",agent="ops & co",verdict="good"}'
        values: 0x20
      - series: '$events{tenant="acme",sli="denied_actions",agent="ops & co",verdict="bad"}'
        values: 0x20
    promql_expr_test:
      - expr: '{__name__=~"slo:.*",tenant!="",__name__!~"slo:bad_actions:.*"}'
        eval_time: 20m
        exp_samples: []
  - name: the alert of a budget opens the list of the agent's bad actions, or of all
    interval: 1m
    input_series:
      - series: '$events{tenant="acme",sli="denied_actions",agent="ops & co",verdict="bad"}'
        values: 0+5x150
      - series: '$events{tenant="acme",sli="denied_actions",agent="ops & co",verdict="good"}'
        values: 0+5x150
    alert_rule_test:
      - alertname: WhereforeErrorBudgetBurn
        eval_time: 150m
        exp_alerts:
          - exp_labels: {severity: ticket, slo: denied_actions, tenant: acme, agent: ops & co}
            exp_annotations:
              summary: "the denied_actions budget of agent ops & co burns"
              description: "50% of the judged actions of agent ops & co (tenant acme) are bad; the objective allows 5 %."
              link: "http://localhost:9464/api/v1/actions?sli=denied_actions&verdict=bad&tenant=acme&agent=ops+%26+co"
              why: "Open the link, take the id of a bad action and run `wherefore why ID`."
              runbook: "docs/runbooks/WhereforeErrorBudgetBurn.md"
          - exp_labels: {severity: ticket, slo: denied_actions, tenant: acme, agent: _all}
            exp_annotations:
              summary: "the denied_actions budget of all agents burns"
              description: "50% of the judged actions of all agents (tenant acme) are bad; the objective allows 5 %."
              link: "http://localhost:9464/api/v1/actions?sli=denied_actions&verdict=bad&tenant=acme"
              why: "Open the link, take the id of a bad action and run `wherefore why ID`."
              runbook: "docs/runbooks/WhereforeErrorBudgetBurn.md"
"#;
