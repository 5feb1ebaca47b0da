//! Alerts that need no objective: a forbidden call, which is wrong the first time it happens, and a collector that
//! cannot see, keep or judge what agents do.

use crate::catalogue::{ALL_AGENTS, Metric};
use crate::model::{Severity, Span};

use super::Options;
use super::file::{AGENT_IN_LINK, Alert, Group, Rule, TENANT, TENANT_IN_LINK, WHO};

/// How long one forbidden call keeps its alert firing.
const FORBIDDEN_CALL_WINDOW: Span = Span::hours(1);
/// How long one regression keeps its ticket open: whoever owns the telemetry works by day.
const REGRESSION_WINDOW: Span = Span::days(1);
/// How far back a series must have existed, so that its value now is not news. Longer than any outage of the collector
/// that nobody fixes.
const MEMORY: Span = Span::days(7);

/// While the fold stands still nothing is judged and so nothing pages: as bad as being down. Half the live lateness
/// (10 min), so that there is time left before evidence becomes late.
const FOLD_LAG: Span = Span::minutes(5);
/// Full tomorrow: somebody has a day.
const DISK_FULL_TICKET: Span = Span::days(1);
/// Full in an hour: somebody has to come.
const DISK_FULL_PAGE: Span = Span::hours(1);
/// Records look later than they are by the lead of the journal's clock. A tenth of the live lateness.
const CLOCK_AHEAD: Span = Span::minutes(1);
/// Without evidence for this long, a green dashboard shows the past. A night is shorter.
const EVIDENCE_STALE: Span = Span::days(1);
/// Whoever made the mistake is at work on it for this long.
const RELOAD_FAILED: Span = Span::minutes(5);
/// Half of what arrives is understood by no dialect.
const UNREAD_SHARE: f64 = 0.5;

/// The label `slo` of alerts about the collector itself.
const COLLECTOR: &str = "wherefore";
/// The label `slo` of alerts for who owns what the agents send, and what they are held to.
const TELEMETRY: &str = "telemetry";

/// Findings that are told the first time they are made.
pub(super) fn findings(options: &Options) -> Group {
    let rules = [forbidden_call(options), telemetry_regression(options)].map(Rule::Alert).into();
    Group { name: "wherefore-findings".to_owned(), interval: None, rules }
}

/// `increase` sees the first event of a series that was there at zero. One that is born with it has no increase,
/// and is seen by not having existed before. Summed without instance, so that a restart elsewhere, with the counters
/// kept, is no news.
fn first(metric: Metric, labels: &str, window: Span, options: &Options) -> String {
    let (metric, window, memory) = (metric.series(), options.window(window), options.window(MEMORY));
    let by = format!("by ({labels})");
    format!(
        "sum {by} (increase({metric}[{window}])) > 0\nor\n(\n  max {by} ({metric}) > 0\nunless\n  max {by} \
         (last_over_time({metric}[{memory}] offset {window}))\n)"
    )
}

fn forbidden_call(options: &Options) -> Alert {
    Alert {
        name: "WhereforeForbiddenCall",
        severity: Some(Severity::Page),
        slo: "forbidden_call".to_owned(),
        agent: None,
        notify: None,
        expr: first(Metric::InvariantViolations, "tenant, agent, rule", FORBIDDEN_CALL_WINDOW, options),
        hold: None,
        summary: format!("{WHO} made a forbidden call: {{{{ $labels.rule }}}}"),
        description: format!(
            "There is evidence that {WHO} (tenant {TENANT}) executed a call that rule {{{{ $labels.rule }}}} \
             forbids. This fires at the first one."
        ),
        link: format!(
            "/api/v1/actions?finding=open&rule={{{{ $labels.rule | urlquery }}}}&tenant={TENANT_IN_LINK}\
             &agent={AGENT_IN_LINK}"
        ),
        why: "Open the link, take the action's id and run `wherefore why ID`: what was asked, what was refused, what \
              ran, and what is not known.",
    }
}

/// For who owns the agents' telemetry.
fn telemetry_regression(options: &Options) -> Alert {
    let (scope, field) = ("{{ $labels.scope }}", "{{ $labels.field }}");
    Alert {
        name: "WhereforeTelemetryRegression",
        severity: Some(Severity::Ticket),
        slo: TELEMETRY.to_owned(),
        agent: Some(ALL_AGENTS),
        notify: None,
        expr: first(Metric::TelemetryRegressions, "tenant, scope, field", REGRESSION_WINDOW, options),
        hold: None,
        summary: format!("{scope} fills {field} less than the version before"),
        description: format!(
            "Actions of tenant {TENANT} whose telemetry is written by {scope} have {field} in a surely smaller share than \
             those of the version before it. What is missing cannot be judged."
        ),
        link: format!(
            "/api/v1/actions?finding=open&rule=telemetry_regression.{{{{ $labels.field | urlquery }}}}\
             &tenant={TENANT_IN_LINK}"
        ),
        why: "Open the link: the finding of the action says both versions and both shares, and whether the field is \
              withheld. `/api/v1/instrumentations` has all shares.",
    }
}

/// The collector's own health.
pub(super) fn collector(options: &Options) -> Group {
    let alerts = [watchdog(), absent(), poisoned(), fold_lag(options)]
        .into_iter()
        .chain(disk_full_soon(options))
        .chain([refusing(options), clock_ahead(options), unread(options), evidence_stale(options), overflow(options)])
        .chain([config_reload_failed()]);
    Group { name: "wherefore-collector".to_owned(), interval: None, rules: alerts.map(Rule::Alert).collect() }
}

/// An alert about the collector: of the whole fleet, at once, with a link to its own account of its health.
fn about_collector(name: &'static str, severity: Option<Severity>, expr: String) -> Alert {
    Alert {
        name,
        severity,
        slo: COLLECTOR.to_owned(),
        agent: Some(ALL_AGENTS),
        notify: None,
        expr,
        hold: None,
        summary: String::new(),
        description: String::new(),
        link: "/readyz".to_owned(),
        why: "Open the link: it says of ingest and of judging whether they work, and if not, why.",
    }
}

fn watchdog() -> Alert {
    Alert {
        summary: "the way from Prometheus to a person works".to_owned(),
        description: "Always firing. Send it to something that calls you when it stops.".to_owned(),
        ..about_collector("WhereforeWatchdog", None, "vector(1)".to_owned())
    }
}

fn absent() -> Alert {
    let build = Metric::BuildInfo.series();
    Alert {
        hold: Some(Span::minutes(5)),
        summary: "no wherefore is scraped".to_owned(),
        description:
            "Prometheus has no metrics of wherefore: it is down, still replaying its journal, or not a target. \
                      No alert about agents can fire."
                .to_owned(),
        ..about_collector("WhereforeAbsent", Some(Severity::Page), format!("absent({build})"))
    }
}

fn poisoned() -> Alert {
    let poisoned = Metric::Poisoned.series();
    Alert {
        summary: "the journal refuses to write".to_owned(),
        description:
            "A write failed, so the journal of {{ $labels.instance }} accepts nothing more, until somebody restarts it, \
                      rather than guess. Senders keep what they have until their queues are full."
                .to_owned(),
        ..about_collector(
            "WhereforeJournalPoisoned",
            Some(Severity::Page),
            format!("max by (instance) ({poisoned}) > 0"),
        )
    }
}

fn fold_lag(options: &Options) -> Alert {
    let (lag, limit) = (Metric::FoldLagSeconds.series(), options.seconds(FOLD_LAG));
    Alert {
        hold: Some(Span::minutes(5)),
        summary: "judging is {{ $value | humanizeDuration }} behind".to_owned(),
        description:
            "Records reach the journal of {{ $labels.instance }} but are not judged in time. Whatever agents do \
                      now will page late."
                .to_owned(),
        ..about_collector("WhereforeFoldLag", Some(Severity::Page), format!("max by (instance) ({lag}) > {limit}"))
    }
}

fn disk_full_soon(options: &Options) -> [Alert; 2] {
    let left = Metric::DiskFullSeconds.series();
    [(Severity::Page, DISK_FULL_PAGE), (Severity::Ticket, DISK_FULL_TICKET)].map(|(severity, limit)| Alert {
        hold: Some(Span::minutes(15)),
        summary: "the disk is full in {{ $value | humanizeDuration }}".to_owned(),
        description: "At the rate of the last ten minutes the disk of {{ $labels.instance }} fills up. Ingest is then \
                      refused, retryably; at 0 it is refused now."
            .to_owned(),
        ..about_collector(
            "WhereforeDiskFullSoon",
            Some(severity),
            format!("min by (instance) ({left}) < {}", options.seconds(limit)),
        )
    })
}

fn refusing(options: &Options) -> Alert {
    let (refused, window) = (Metric::RefusedRequests.series(), options.window(Span::minutes(15)));
    let turned_away = Metric::ConnectionsRefused.series();
    Alert {
        hold: Some(Span::minutes(15)),
        summary: "requests are refused: {{ $labels.reason }}".to_owned(),
        description:
            "wherefore has refused export requests for a quarter of an hour, {{ $value | humanize }} a second, \
                      with reason {{ $labels.reason }}. What a sender gives up on is lost."
                .to_owned(),
        ..about_collector(
            "WhereforeRefusing",
            Some(Severity::Ticket),
            format!(
                "sum by (reason) (rate({refused}[{window}])) > 0\nor\nlabel_replace(sum(rate(\
                 {turned_away}{{listener=\"otlp\"}}[{window}])), \"reason\", \"connections\", \"\", \"\") > 0"
            ),
        )
    }
}

fn clock_ahead(options: &Options) -> Alert {
    let (ahead, limit) = (Metric::JournalClockAhead.series(), options.seconds(CLOCK_AHEAD));
    Alert {
        hold: Some(Span::minutes(5)),
        summary: "the journal's clock is {{ $value | humanizeDuration }} ahead".to_owned(),
        description: "The wall clock of {{ $labels.instance }} is behind the journal's, which never goes back: it was \
                      too far ahead, or is wrong now. What arrives looks late by as much, and what looks late by more \
                      than ten minutes is not counted live and cannot page."
            .to_owned(),
        ..about_collector(
            "WhereforeClockAhead",
            Some(Severity::Ticket),
            format!("max by (instance) ({ahead}) > {limit}"),
        )
    }
}

fn unread(options: &Options) -> Alert {
    let (unread, read) = (Metric::UnreadRecords.series(), Metric::ReadRecords.series());
    let window = options.window(Span::hours(1));
    let rate = |metric: &str| format!("sum by (tenant) (rate({metric}[{window}]))");
    let (unread, read) = (rate(&unread), rate(&read));
    Alert {
        hold: Some(Span::hours(1)),
        summary: format!("{{{{ $value | humanizePercentage }}}} of what {TENANT} sends is not understood"),
        description: "No dialect reads these records, so the actions in them are not judged. An agent's telemetry may \
                      have changed with an update."
            .to_owned(),
        link: "/api/v1/instrumentations".to_owned(),
        why: "Open the link: `unread` lists the instrumentation scopes that no dialect reads, with their share of all \
              records.",
        ..about_collector(
            "WhereforeUnreadShare",
            Some(Severity::Ticket),
            // `or 0 * …`: a tenant none of whose records is read has no second series.
            format!("{unread}\n/\n(({unread} + ({read} or 0 * {unread})) > 0)\n> {UNREAD_SHARE}"),
        )
    }
}

fn evidence_stale(options: &Options) -> Alert {
    let (last, limit) = (Metric::LastEvidence.series(), options.seconds(EVIDENCE_STALE));
    Alert {
        summary: format!("nothing of {TENANT} has arrived for {{{{ $value | humanizeDuration }}}}"),
        description: "What the objectives show is history. Either the agents rest, or their telemetry no longer gets \
                      here."
            .to_owned(),
        ..about_collector(
            "WhereforeEvidenceStale",
            Some(Severity::Ticket),
            format!("time() - max by (tenant) ({last}) > {limit}"),
        )
    }
}

fn overflow(options: &Options) -> Alert {
    let (overflow, window) = (Metric::CardinalityOverflow.series(), options.window(Span::hours(1)));
    Alert {
        summary: "label {{ $labels.label }} has more values than slots".to_owned(),
        description: "New values of {{ $labels.label }} share `_overflow` in metrics: totals stay exact, lineage and \
                      ledger know them all, but their alerts cannot be told apart."
            .to_owned(),
        ..about_collector(
            "WhereforeCardinalityOverflow",
            Some(Severity::Ticket),
            format!("sum by (label) (increase({overflow}[{window}])) > 0"),
        )
    }
}

fn config_reload_failed() -> Alert {
    let successful = Metric::ConfigReloadSuccessful.series();
    Alert {
        slo: TELEMETRY.to_owned(),
        hold: Some(RELOAD_FAILED),
        summary: "the configuration on disk is not the one in force".to_owned(),
        description:
            "{{ $labels.instance }} was told to read its files again and refused them, so agents are judged by \
                      what was there before. It would not start with them."
                .to_owned(),
        why: "Its log names every mistake with file, line and column; `wherefore check --config FILE` does, too.",
        ..about_collector(
            "WhereforeConfigReloadFailed",
            Some(Severity::Ticket),
            format!("min by (instance) ({successful}) == 0"),
        )
    }
}
