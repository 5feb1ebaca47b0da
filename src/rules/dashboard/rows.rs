//! What the dashboard shows, row by row.

use crate::catalogue::{ALL_AGENTS, Def, Metric};
use crate::model::Sli;
use crate::slo::Objective;

use super::panel::{Look, Panel, Row, Step, Target, UNKNOWN};

/// Every row, in reading order.
pub(super) fn all(objectives: &[Objective]) -> Vec<Row> {
    vec![
        Row { title: "Is it right?", panels: tiles(objectives) },
        Row { title: "Error budgets", panels: budgets() },
        Row { title: "Verdicts", panels: verdicts() },
        Row { title: "Denied, forbidden, found", panels: findings() },
        Row { title: "Lineage: what is known, what is missing", panels: lineage() },
        Row { title: "wherefore itself: receiving", panels: receiving() },
        Row { title: "wherefore itself: keeping and judging", panels: keeping() },
    ]
}

/// Without evidence for this many seconds, a tile shows nothing rather than the past.
const FRESH_SECONDS: u32 = 86_400;

/// The actions behind a point.
const ACTIONS: &str = "/api/v1/actions?sli=${__field.labels.sli:percentencode}&verdict=${__field.labels.verdict:percentencode}\
                       &agent=${__field.labels.agent:percentencode}&tenant=${__field.labels.tenant:percentencode}";
/// The open findings of an agent.
const FINDINGS: &str = "/api/v1/actions?finding=open&agent=${__field.labels.agent:percentencode}&rule=${__field.labels.rule:percentencode}";

// ── queries ──────────────────────────────────────────────────────────────────────────────────────────────────────

/// The series of a metric for the chosen tenants and agents, as far as it has these labels.
fn select(metric: Metric, matchers: &str) -> String {
    let Def { labels, .. } = metric.def();
    let chosen = ["tenant", "agent"].into_iter().filter(|label| labels.contains(label));
    let mut all: Vec<String> = chosen.map(|label| format!("{label}=~\"${label}\"")).collect();
    all.extend((!matchers.is_empty()).then(|| matchers.to_owned()));
    format!("{}{{{}}}", metric.series(), all.join(","))
}

/// Its growth a second.
fn rate(metric: Metric, matchers: &str) -> String {
    format!("rate({}[$__rate_interval])", select(metric, matchers))
}

/// Its growth a minute, for what happens rarely.
fn per_minute(metric: Metric, by: &str, matchers: &str) -> String {
    format!("60 * {}", sum_by(by, rate(metric, matchers)))
}

/// Its growth over the time shown.
fn increase(metric: Metric, matchers: &str) -> String {
    format!("increase({}[$__range])", select(metric, matchers))
}

fn sum(expr: String) -> String {
    format!("sum({expr})")
}

fn sum_by(labels: &str, expr: String) -> String {
    format!("sum by ({labels}) ({expr})")
}

/// A share that is absent where there is nothing to share.
fn share(part: String, whole: String) -> String {
    format!("{part} / ({whole} > 0)")
}

/// A quantile of a histogram.
fn quantile(q: f64, metric: Metric) -> Target {
    let expr = format!("histogram_quantile({q}, sum by (le) (rate({}_bucket[$__rate_interval])))", metric.series());
    target(expr, &format!("p{}", q * 100.0))
}

fn target(expr: String, legend: &str) -> Target {
    Target { expr, legend: legend.to_owned(), exemplars: false }
}

/// A query whose counter carries traces.
fn with_exemplars(expr: String, legend: &str) -> Target {
    Target { exemplars: true, ..target(expr, legend) }
}

// ── panels ───────────────────────────────────────────────────────────────────────────────────────────────────────

fn panel(look: Look, title: &str, unit: &'static str, description: &str, targets: Vec<Target>) -> Panel {
    let width = if look == Look::Stat { 4 } else { 12 };
    Panel {
        title: title.to_owned(),
        description: description.to_owned(),
        look,
        unit,
        targets,
        steps: vec![Step(None, "green")],
        missing: "no data",
        width,
        link: None,
    }
}

fn lines(title: &str, unit: &'static str, description: &str, targets: Vec<Target>) -> Panel {
    panel(Look::Lines, title, unit, description, targets)
}

impl Panel {
    fn steps(self, steps: Vec<Step>) -> Self {
        Self { steps, ..self }
    }

    fn width(self, width: u32) -> Self {
        Self { width, ..self }
    }

    fn link(self, path: &'static str) -> Self {
        Self { link: Some(path), ..self }
    }
}

/// Any at all is wrong.
fn none_is_fine(color: &'static str) -> Vec<Step> {
    vec![Step(None, "green"), Step(Some(1.0), color)]
}

/// The less, the worse.
fn more_is_better(bad_below: f64, good_from: f64) -> Vec<Step> {
    vec![Step(None, "red"), Step(Some(bad_below), "orange"), Step(Some(good_from), "green")]
}

// ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────

fn tiles(objectives: &[Objective]) -> Vec<Panel> {
    let mut tiles: Vec<Panel> = objectives.iter().filter_map(|it| Some(sli_tile(it, it.sli_of_all()?))).collect();
    tiles.push(
        panel(
            Look::Stat,
            "Forbidden calls",
            "short",
            "Calls with evidence of execution that an envelope forbids, in the time shown. Each one pages.",
            vec![target(forbidden_calls(), "")],
        )
        .steps(none_is_fine("red")),
    );
    tiles.push(
        panel(
            Look::Stat,
            "Open incidents",
            "short",
            "Incidents that nothing has contained yet.",
            vec![target(sum(select(Metric::OpenIncidents, "")), "")],
        )
        .steps(none_is_fine("red")),
    );
    tiles
}

/// Calls counted in the time shown. Not `increase`: a series that is born with its first call has none.
fn forbidden_calls() -> String {
    let calls = select(Metric::InvariantViolations, "");
    let now = format!("max by (tenant, agent, rule) ({calls})");
    let before = format!("max by (tenant, agent, rule) (last_over_time({calls}[7d] offset $__range))");
    sum(format!("clamp_min({now} - ({before} or 0 * {now}), 0)"))
}

/// The share of good from the ledger, where enough is known and the evidence is fresh; else nothing, which the tile
/// shows as "not measurable".
fn sli_tile(objective: &Objective, sli: Sli) -> Panel {
    let Objective { target: goal, min_coverage, .. } = objective;
    let ledger = |verdicts: &str| sum(select(Metric::LedgerEvents, &format!("sli=\"{sli}\"{verdicts}")));
    let good = share(ledger(",verdict=\"good\""), ledger(",verdict=~\"good|bad\""));
    let coverage = share(ledger(",verdict=~\"good|bad\""), ledger(""));
    let age = format!("time() - max({})", select(Metric::LastEvidence, ""));
    let budget = objective.error_budget();
    let tile = panel(
        Look::Stat,
        title_of(sli),
        "percentunit",
        &format!(
            "{} Share of good among good and bad in the ledger, late corrections included. Objective {} %. Not \
             measurable when less than {} % is known, or when no evidence has come for a day.",
            meaning_of(sli),
            goal * 100.0,
            min_coverage * 100.0
        ),
        vec![target(
            format!("{good}\nand on() ({coverage} >= {min_coverage})\nand on() ({age} < {FRESH_SECONDS})"),
            "",
        )],
    );
    let steps = more_is_better(((goal - 2.0 * budget) * 1e6).round() / 1e6, *goal);
    Panel { steps, missing: "not measurable", ..tile }
}

fn title_of(sli: Sli) -> &'static str {
    match sli {
        Sli::IntentAlignment => "Intent alignment",
        Sli::OutcomeValidation => "Outcome validation",
        Sli::DeniedActions => "Not denied",
        Sli::ContainmentWithin => "Contained in time",
        Sli::Envelope => "Inside the envelope",
        Sli::PlanCommit => "As planned",
        Sli::ApprovalReviewed => "Approvals read",
        Sli::LineageComplete => "Lineage complete",
    }
}

fn meaning_of(sli: Sli) -> &'static str {
    match sli {
        Sli::IntentAlignment => "Actions that match what was explicitly authorised.",
        Sli::OutcomeValidation => "Actions whose effect a check confirmed afterwards.",
        Sli::DeniedActions => "Actions that no policy, hook, sandbox or target refused.",
        Sli::ContainmentWithin => "Incidents that were contained in time.",
        Sli::Envelope => "Actions inside the declared limits of their agent.",
        Sli::PlanCommit => "Risky actions that were planned, approved and then carried out as planned.",
        Sli::ApprovalReviewed => "Approvals by people that were not faster than anybody reads.",
        Sli::LineageComplete => "Actions whose lineage has every field that their profile asks for.",
    }
}

fn budgets() -> Vec<Panel> {
    let fleet = format!("tenant=~\"$tenant\",agent=\"{ALL_AGENTS}\"");
    let chosen = format!("tenant=~\"$tenant\",agent=~\"$agent\",agent!=\"{ALL_AGENTS}\"");
    vec![
        lines(
            "Budget left",
            "percentunit",
            "Of the bad actions that an objective allows in its window, the share not used yet, all agents together. \
             Below zero the objective is missed.",
            vec![target(format!("slo:period_error_budget_remaining:ratio{{{fleet}}}"), "{{slo}}")],
        )
        .width(8),
        lines(
            "Burn rate, 1 h",
            "short",
            "At 1 the budget lasts exactly as long as its window. A page needs a rate that uses 2 % of it in an hour, or \
             5 % in six.",
            vec![target(
                format!("slo:sli_error:ratio_rate1h{{{fleet}}} / on(slo) group_left() slo:error_budget:ratio"),
                "{{slo}}",
            )],
        )
        .width(8),
        lines(
            "Coverage, 1 d",
            "percentunit",
            "Share of actions known to be good or bad, the ten agents least known. Below half, the objective is not \
             measurable and does not page.",
            vec![target(format!("bottomk(10, slo:sli_coverage:ratio_rate1d{{{chosen}}})"), "{{agent}} · {{slo}}")],
        )
        .width(8),
    ]
}

fn verdicts() -> Vec<Panel> {
    let events = |by: &str, matchers: &str| per_minute(Metric::SliEvents, by, matchers);
    vec![
        lines(
            "Bad verdicts",
            "cpm",
            "Bad actions a minute, by SLI and agent. The dots are exemplars: follow one to its lineage.",
            vec![with_exemplars(events("tenant, sli, agent, verdict", "verdict=\"bad\""), "{{agent}} · {{sli}}")],
        )
        .link(ACTIONS),
        panel(
            Look::Stack,
            "All verdicts",
            "cpm",
            "Everything judged, good, bad or unknown. Grey is not green: it is what nobody could say.",
            vec![with_exemplars(events("sli, verdict", ""), "{{sli}} · {{verdict}}")],
        ),
        panel(
            Look::Bars,
            "Bad share by agent",
            "percentunit",
            "Bad among good and bad in the ledger, the ten worst.",
            vec![target(
                format!(
                    "topk(10, {})",
                    share(
                        sum_by("agent, sli", select(Metric::LedgerEvents, "verdict=\"bad\"")),
                        sum_by("agent, sli", select(Metric::LedgerEvents, "verdict=~\"good|bad\""))
                    )
                ),
                "{{agent}} · {{sli}}",
            )],
        )
        .steps(vec![Step(None, "green"), Step(Some(0.01), "orange"), Step(Some(0.05), "red")]),
        panel(
            Look::Bars,
            "Unknown by agent",
            "percentunit",
            "Actions that could not be judged, of all in the ledger, the ten agents least known.",
            vec![target(format!("topk(10, 1 - {})", select(Metric::CoverageRatio, "")), "{{agent}} · {{sli}}")],
        )
        .steps(vec![Step(None, UNKNOWN), Step(Some(0.5), "orange")]),
    ]
}

fn findings() -> Vec<Panel> {
    vec![
        lines(
            "Denied actions",
            "cpm",
            "Actions whose last enforced decision is a denial, by agent.",
            vec![with_exemplars(
                per_minute(Metric::SliEvents, "agent", "sli=\"denied_actions\",verdict=\"bad\""),
                "{{agent}}",
            )],
        )
        .width(8),
        lines(
            "Denied again",
            "cpm",
            "Attempts of something that was denied in the same turn before: an agent that does not take no.",
            vec![target(per_minute(Metric::DeniedRetries, "agent", ""), "{{agent}}")],
        )
        .width(8),
        lines(
            "Forbidden calls so far",
            "short",
            "Calls with evidence of execution that a rule forbids, counted since ever: each step up is one.",
            vec![with_exemplars(
                sum_by("agent, rule", select(Metric::InvariantViolations, "")),
                "{{agent}} · {{rule}}",
            )],
        )
        .link(FINDINGS)
        .width(8),
        lines(
            "Findings",
            "short",
            "Findings opened, by severity and by who should look first; below, those that later evidence took back.",
            vec![
                target(
                    sum_by("severity, class", format!("increase({}[$__rate_interval])", select(Metric::Findings, ""))),
                    "{{severity}} · {{class}}",
                ),
                target(
                    format!("-sum(increase({}[$__rate_interval]))", select(Metric::FindingsRetracted, "")),
                    "taken back",
                ),
            ],
        ),
        panel(
            Look::Stack,
            "Actions",
            "cpm",
            "Actions settled, by the state they settled in.",
            vec![target(per_minute(Metric::Actions, "state", ""), "{{state}}")],
        ),
    ]
}

/// The share of good in the ledger, per agent.
fn good_by_agent(sli: Sli) -> String {
    let ledger = |verdicts: &str| sum_by("agent", select(Metric::LedgerEvents, &format!("sli=\"{sli}\",{verdicts}")));
    share(ledger("verdict=\"good\""), ledger("verdict=~\"good|bad\""))
}

/// The share of present among some of the fields, per dialect.
fn fields_present(of: &str) -> String {
    let fields = |which: &str| sum_by("dialect", increase(Metric::LineageFields, which));
    share(fields("state=\"present\""), fields(of))
}

fn lineage() -> Vec<Panel> {
    vec![
        panel(
            Look::Bars,
            "Fields missing",
            "short",
            "Fields of the lineage that settled actions lack, in the time shown, and why: absent, withheld, lost or \
             pending.",
            vec![target(
                format!("topk(12, {})", sum_by("field, reason", increase(Metric::FieldsMissing, ""))),
                "{{field}} · {{reason}}",
            )],
        )
        .steps(vec![Step(None, "blue")])
        .width(8),
        panel(
            Look::Bars,
            "Complete lineages by agent",
            "percentunit",
            "Actions whose lineage has every field of the profile, among those that can be said, the ten worst agents.",
            vec![target(format!("bottomk(10, {})", good_by_agent(Sli::LineageComplete)), "{{agent}}")],
        )
        .steps(more_is_better(0.95, 0.99))
        .width(8),
        lines(
            "Verdicts corrected",
            "cpm",
            "Verdicts that evidence changed after they were counted. The ledger has the new one, the counters keep the \
             old one.",
            vec![
                target(per_minute(Metric::SliCorrections, "sli, from, to", ""), "{{sli}}: {{from}} → {{to}}"),
                target(per_minute(Metric::SliLate, "sli", ""), "{{sli}}: too late to count live"),
            ],
        )
        .width(8),
        lines(
            "Time to settle",
            "s",
            "From an action's end to its settling.",
            vec![quantile(0.5, Metric::SettleLag), quantile(0.99, Metric::SettleLag)],
        )
        .width(8),
        lines(
            "Records read and unread",
            "cps",
            "Records by the dialect that read them; below, those that none read, by instrumentation scope.",
            vec![
                target(sum_by("dialect", rate(Metric::ReadRecords, "")), "{{dialect}}"),
                target(format!("-topk(10, {})", sum_by("scope", rate(Metric::UnreadRecords, ""))), "unread: {{scope}}"),
            ],
        )
        .width(8),
        lines(
            "Late and twice",
            "cps",
            "Records that arrived long after their end, records that were there already, and actions that turned out \
             to be one.",
            vec![
                target(sum(rate(Metric::LateRecords, "")), "late records"),
                target(sum(rate(Metric::DuplicateRecords, "")), "duplicate records"),
                target(sum(rate(Metric::ActionsMerged, "")), "merged actions"),
            ],
        )
        .width(8),
        panel(
            Look::Bars,
            "Fields by dialect",
            "percentunit",
            "The share of the lineage's eight fields that settled actions fill, by the dialect that told of them: of all \
             fields, and of those that content capture does not withhold.",
            vec![
                target(fields_present(""), "{{dialect}}: observed"),
                target(fields_present("state!=\"withheld\""), "{{dialect}}: observable"),
            ],
        )
        .steps(vec![Step(None, "blue")])
        .width(24),
    ]
}

fn receiving() -> Vec<Panel> {
    let age = format!("time() - max({})", select(Metric::LastEvidence, ""));
    vec![
        panel(
            Look::Stat,
            "Version",
            "none",
            "The binary that is scraped.",
            vec![target(select(Metric::BuildInfo, ""), "{{version}}")],
        )
        .steps(vec![Step(None, "blue")]),
        panel(Look::Stat, "Last evidence", "s", "How long ago evidence was folded.", vec![target(age, "")])
            .steps(vec![Step(None, "green"), Step(Some(3_600.0), "orange"), Step(Some(86_400.0), "red")]),
        panel(
            Look::Stat,
            "Judging behind by",
            "s",
            "Age of the oldest synced frame that is not judged yet.",
            vec![target(format!("max({})", select(Metric::FoldLagSeconds, "")), "")],
        )
        .steps(vec![Step(None, "green"), Step(Some(60.0), "orange"), Step(Some(300.0), "red")]),
        panel(
            Look::Stat,
            "Disk full in",
            "s",
            "At the rate of the last ten minutes.",
            vec![target(format!("min({})", select(Metric::DiskFullSeconds, "")), "")],
        )
        .steps(more_is_better(3_600.0, 86_400.0)),
        panel(
            Look::Stat,
            "Journal",
            "short",
            "0 writes, 1 refuses to write after a failed write.",
            vec![target(format!("max({})", select(Metric::Poisoned, "")), "")],
        )
        .steps(none_is_fine("red")),
        panel(
            Look::Stat,
            "Started",
            "dateTimeFromNow",
            "When the process started.",
            vec![target(format!("1000 * max({})", select(Metric::StartTime, "")), "")],
        )
        .steps(vec![Step(None, "blue")]),
        lines(
            "Records received",
            "cps",
            "Spans and log records synced to the journal, metric points counted.",
            vec![target(sum_by("signal", rate(Metric::ReceivedRecords, "")), "{{signal}}")],
        )
        .width(8),
        lines(
            "Rejected and refused",
            "cps",
            "Records rejected alone, by reason, and whole requests refused.",
            vec![
                target(sum_by("reason", rate(Metric::RejectedRecords, "")), "records: {{reason}}"),
                target(sum_by("reason", rate(Metric::RefusedRequests, "")), "requests: {{reason}}"),
            ],
        )
        .width(8),
        lines(
            "Requests and bytes",
            "cps",
            "Export requests answered, by signal and transport, and the size of an average one.",
            vec![
                target(
                    sum_by("signal, transport", rate(Metric::ReceivedRequests, "")),
                    "{{signal}} over {{transport}}",
                ),
                target(
                    share(sum(rate(Metric::ReceivedBytes, "")), sum(rate(Metric::ReceivedRequests, ""))),
                    "bytes a request",
                ),
            ],
        )
        .width(8),
    ]
}

fn keeping() -> Vec<Panel> {
    vec![
        lines(
            "Time to acknowledge",
            "s",
            "From a request's first byte to its answer, the sync included.",
            vec![quantile(0.5, Metric::AckSeconds), quantile(0.99, Metric::AckSeconds)],
        )
        .width(8),
        lines(
            "Time of a sync",
            "s",
            "One sync of the journal: what the disk costs.",
            vec![quantile(0.5, Metric::JournalSyncSeconds), quantile(0.99, Metric::JournalSyncSeconds)],
        )
        .width(8),
        lines(
            "Judging lag",
            "short",
            "Synced frames that are not judged yet, and bytes that wait for the next sync.",
            vec![
                target(select(Metric::FoldLagFrames, ""), "frames to judge"),
                target(select(Metric::JournalQueueBytes, ""), "bytes to sync"),
            ],
        )
        .width(8),
        lines(
            "Disk",
            "bytes",
            "What the journal takes and what is left.",
            vec![
                target(select(Metric::JournalBytes, ""), "journal"),
                target(select(Metric::DiskFreeBytes, ""), "free"),
            ],
        )
        .width(8),
        lines(
            "Connections",
            "short",
            "Open, of those that may be; below, closed at once for lack of room, in the time between two points.",
            vec![
                target(select(Metric::Connections, ""), "{{listener}}"),
                target(select(Metric::ConnectionsLimit, ""), "{{listener}}: limit"),
                target(format!("-{}", sum_by("listener", increase(Metric::ConnectionsRefused, ""))), "{{listener}}: refused"),
            ],
        )
        .width(8),
        lines(
            "Open",
            "short",
            "Actions that are not settled, turns that are not closed.",
            vec![target(select(Metric::OpenActions, ""), "actions"), target(select(Metric::OpenTurns, ""), "turns")],
        )
        .width(8),
        lines(
            "Clocks and labels",
            "s",
            "How far a source's clock is ahead, and the journal's; and labels that have more values than slots, as a count.",
            vec![
                target(format!("topk(10, {})", select(Metric::ClockSkew, "")), "{{service}}"),
                target(select(Metric::JournalClockAhead, ""), "the journal, of the wall clock"),
                target(sum_by("label", increase(Metric::CardinalityOverflow, "")), "label {{label}}: without a slot"),
            ],
        )
        .width(8),
    ]
}
