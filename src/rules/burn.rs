//! What a burning error budget means: multi-window, multi-burn-rate alerts over recorded ratios (`slo.md` §1.2,
//! §1.3), per agent and for the whole fleet, and silent where too little is known.
//!
//! The recorded series have Sloth's names and one label, `slo`, beside tenant and agent. Three things are done
//! differently, each for a reason: ratios are `… / (total > 0)`, since one idle window would otherwise record NaN and
//! poison what is summed over it; the budget of the period counts actions, not five-minute slots; and an alert needs
//! a few bad actions, since one bad out of one in a quiet hour is the highest burn there is and costs nothing.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::catalogue::{ALL_AGENTS, Metric};
use crate::model::{Glob, Severity, Span};
use crate::slo::{AlertPolicy, Budgeting, Objective, Window as Period};

use super::Options;
use super::file::{AGENT_IN_LINK, Alert, Group, Rule, TENANT, TENANT_IN_LINK, WHO, quoted};

/// An alert fires when the long and the short window both burn so fast that `budget_share` of the period's budget is
/// gone after the long one.
struct Burn {
    severity: Severity,
    budget_share: f64,
    long: Window,
    short: Window,
}

/// A window and its name in recorded series, which does not scale.
#[derive(Clone, Copy)]
struct Window(&'static str, Span);

const W5M: Window = Window("5m", Span::minutes(5));
const W30M: Window = Window("30m", Span::minutes(30));
const W1H: Window = Window("1h", Span::hours(1));
const W2H: Window = Window("2h", Span::hours(2));
const W6H: Window = Window("6h", Span::hours(6));
const W1D: Window = Window("1d", Span::days(1));
const W3D: Window = Window("3d", Span::days(3));

const WINDOWS: [Window; 7] = [W5M, W30M, W1H, W2H, W6H, W1D, W3D];

/// Google SRE Workbook, chapter 5, table "recommended parameters", and the tickets of its rule example. The factors
/// follow from the objective's own window.
const BURNS: [Burn; 4] = [
    Burn { severity: Severity::Page, budget_share: 0.02, long: W1H, short: W5M },
    Burn { severity: Severity::Page, budget_share: 0.05, long: W6H, short: W30M },
    Burn { severity: Severity::Ticket, budget_share: 0.10, long: W1D, short: W2H },
    Burn { severity: Severity::Ticket, budget_share: 0.10, long: W3D, short: W6H },
];

/// Bad actions in the long window without which nothing fires (`slo.md` §1.2, "guard").
const MIN_BAD_ACTIONS: u32 = 3;

/// Whether an objective is measurable is asked over a day: shorter, and an agent's lunch break decides.
const COVERAGE_WINDOW: Window = W1D;

/// How long an objective may be unmeasurable in silence: the first actions of a new agent settle in this time.
const COVERAGE_HOLD: Span = Span::hours(1);

/// The period's budget moves slowly and its query is the dearest of all.
const PERIOD_INTERVAL: Span = Span::minutes(5);

/// An alert that could never fire.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("burn factor {factor} of `{slo}` is unreachable: with target {target} the burn rate cannot exceed {max}")]
pub struct Unreachable {
    slo: String,
    target: f64,
    factor: f64,
    max: f64,
}

/// Whether an objective's alerts could fire at all. Says nothing about one that has none here.
///
/// # Errors
/// The first condition that no burn rate can fulfil.
pub fn check_reachable(objective: &Objective) -> Result<(), Unreachable> {
    alerts(objective).map(|_| ())
}

/// Whether the counters of this program say enough for rules: they know agents, neither tools nor environments, and
/// nothing of another Prometheus.
pub fn has_rules(objective: &Objective) -> bool {
    let any = |globs: &[Glob]| globs.is_empty() || globs.iter().any(Glob::is_any);
    objective.sli().is_some_and(|(_, filter)| any(&filter.tools) && any(&filter.environments))
}

/// What a severity's usual alert asks of a burning budget: factor, long and short window. Empty where the objective
/// raises no such alert, or has conditions of its own.
pub fn usual_conditions(objective: &Objective, severity: Severity) -> Vec<(f64, &'static str, &'static str)> {
    let muted = severity == Severity::Ticket && !objective.alerting.tickets;
    if muted || severity > objective.severity || !objective.alerting.policies.is_empty() {
        return Vec::new();
    }
    let usual = BURNS.iter().filter(|burn| burn.severity == severity);
    usual.map(|burn| (factor(objective, burn), burn.long.0, burn.short.0)).collect()
}

/// The rule groups of one objective. Its alerts stand behind the series that they read, in one group, so that they
/// see those of the same evaluation.
pub(super) fn groups(objective: &Objective, options: &Options) -> Result<Vec<Group>, Unreachable> {
    let alerts = alerts(objective)?;
    if !has_rules(objective) {
        return Ok(Vec::new());
    }
    let name = format!("slo-{}", objective.name);
    let mut rules = recordings(objective, options);
    rules.extend(alerts);
    Ok(vec![
        Group { name: format!("{name}-period"), interval: Some(PERIOD_INTERVAL), rules: period(objective, options) },
        Group { name, interval: None, rules },
    ])
}

/// Over whom a rule sums. Both write the same series, told apart by the agent label.
#[derive(Clone, Copy)]
enum Scope {
    Agent,
    Fleet,
}

impl Scope {
    fn by(self) -> &'static str {
        match self {
            Scope::Agent => "tenant, agent",
            Scope::Fleet => "tenant",
        }
    }

    /// A recorded series of an objective.
    fn record(self, name: String, objective: &Objective, expr: String) -> Rule {
        let mut labels = vec![("slo", objective.name.to_string())];
        if let Scope::Fleet = self {
            labels.push(("agent", ALL_AGENTS.to_owned()));
        }
        Rule::Record { name, expr, labels }
    }
}

/// Which verdicts a sum counts.
#[derive(Clone, Copy)]
enum Verdicts {
    Bad,
    /// Good or bad: what the ratio is over.
    Known,
    /// Unknown ones too.
    All,
}

/// `sum by (tenant, agent) (rate(events{…}[5m]))`.
fn sum(function: &str, scope: Scope, objective: &Objective, verdicts: Verdicts, window: &str) -> String {
    let verdicts = match verdicts {
        Verdicts::Bad => ",verdict=\"bad\"",
        Verdicts::Known => ",verdict=~\"good|bad\"",
        Verdicts::All => "",
    };
    let (events, selected) = (Metric::SliEvents.series(), selected(objective));
    format!("sum by ({}) ({function}({events}{{{selected}{verdicts}}}[{window}]))", scope.by())
}

/// `sli="envelope",agent=~"ops-.*"`: which series of the events count.
fn selected(objective: &Objective) -> String {
    let Some((sli, filter)) = objective.sli() else { return String::new() };
    let mut selected = format!("sli=\"{sli}\"");
    if !filter.agents.is_empty() && !filter.agents.iter().any(Glob::is_any) {
        let patterns: Vec<String> = filter.agents.iter().map(regex).collect();
        // A JSON string is a PromQL string too.
        selected += &format!(",agent=~{}", quoted(&patterns.join("|")));
    }
    selected
}

fn regex(glob: &Glob) -> String {
    let character = |c: char| match c {
        '*' => ".*".to_owned(),
        '?' => ".".to_owned(),
        c => regex::escape(c.encode_utf8(&mut [0; 4])),
    };
    glob.to_string().chars().map(character).collect()
}

/// A ratio of two sums that is absent, not NaN, where nothing happened.
fn ratio(part: &str, whole: &str) -> String {
    format!("{part}\n/\n({whole} > 0)")
}

fn recordings(objective: &Objective, options: &Options) -> Vec<Rule> {
    let mut rules = Vec::new();
    for scope in [Scope::Agent, Scope::Fleet] {
        let rate = |verdicts, window| sum("rate", scope, objective, verdicts, &options.window(window));
        for Window(name, window) in WINDOWS {
            let expr = ratio(&rate(Verdicts::Bad, window), &rate(Verdicts::Known, window));
            rules.push(scope.record(format!("slo:sli_error:ratio_rate{name}"), objective, expr));
        }
        for (name, window) in lookbacks(objective) {
            let expr = ratio(&rate(Verdicts::Bad, window), &rate(Verdicts::Known, window));
            rules.push(scope.record(format!("slo:sli_error:ratio_rate{name}"), objective, expr));
        }
        for Burn { long: Window(name, window), .. } in BURNS {
            let expr = sum("increase", scope, objective, Verdicts::Bad, &options.window(window));
            rules.push(scope.record(format!("slo:bad_actions:increase{name}"), objective, expr));
        }
        let Window(name, window) = COVERAGE_WINDOW;
        let expr = ratio(&rate(Verdicts::Known, window), &rate(Verdicts::All, window));
        rules.push(scope.record(format!("slo:sli_coverage:ratio_rate{name}"), objective, expr));
    }
    rules
}

/// Windows that conditions of the objective's own ask for, beside the usual ones.
fn lookbacks(objective: &Objective) -> BTreeMap<String, Span> {
    let usual = |span: Span| WINDOWS.iter().any(|Window(_, window)| *window == span);
    let policies = objective.alerting.policies.iter().map(|policy| policy.condition.lookback);
    policies.filter(|span| !usual(*span)).map(|span| (unscaled(span), span)).collect()
}

fn unscaled(span: Span) -> String {
    Options::default().window(span)
}

/// Objective, budget, and what is left of it.
fn period(objective: &Objective, options: &Options) -> Vec<Rule> {
    let constant = |name: &str, value: f64| Rule::Record {
        name: name.to_owned(),
        expr: format!("vector({value})"),
        labels: vec![("slo", objective.name.to_string())],
    };
    let mut rules = vec![
        constant("slo:objective:ratio", objective.target),
        constant("slo:error_budget:ratio", objective.error_budget()),
        constant("slo:time_period:days", objective.window.length().as_seconds() / 86_400.0),
    ];
    // Of slices and calendars PromQL knows nothing: what is left of their budgets is told by the ledger alone.
    let (Budgeting::Occurrences, Period::Rolling(window)) = (objective.budgeting, &objective.window) else {
        return rules;
    };
    let window = options.window(*window);
    for scope in [Scope::Agent, Scope::Fleet] {
        let increase = |verdicts| sum("increase", scope, objective, verdicts, &window);
        let spent = ratio(&increase(Verdicts::Bad), &increase(Verdicts::Known));
        let expr = format!("1 - (\n{spent}\n) / {}", objective.error_budget());
        rules.push(scope.record("slo:period_error_budget_remaining:ratio".to_owned(), objective, expr));
    }
    rules
}

/// One alert for each severity of the objective, and the one that says it cannot be measured.
fn alerts(objective: &Objective) -> Result<Vec<Rule>, Unreachable> {
    let mut rules = Vec::new();
    for severity in [Severity::Page, Severity::Ticket] {
        if !usual_conditions(objective, severity).is_empty() {
            rules.push(Rule::Alert(burn_alert(objective, severity)?));
        }
    }
    let policies = &objective.alerting.policies;
    for policy in policies {
        rules.extend(policy_alerts(objective, policy)?.into_iter().map(Rule::Alert));
    }
    rules.push(Rule::Alert(not_measurable(objective)));
    Ok(rules)
}

/// One alert for everybody who is told.
fn policy_alerts(objective: &Objective, policy: &AlertPolicy) -> Result<Vec<Alert>, Unreachable> {
    let condition = &policy.condition;
    let threshold = threshold(objective, condition.threshold)?;
    if !policy.when_breaching {
        return Ok(Vec::new());
    }
    let series = format!("slo:sli_error:ratio_rate{}{{slo=\"{}\"}}", unscaled(condition.lookback), objective.name);
    let burning = format!("{series} {} {threshold}", condition.op.sign());
    let hold = (condition.after > Span(0)).then_some(condition.after);
    let told = |notify| Alert { hold, notify, ..burning_alert(objective, condition.severity, &burning) };
    Ok(match policy.notify.is_empty() {
        true => vec![told(None)],
        false => policy.notify.iter().map(|target| told(Some(target.to_string()))).collect(),
    })
}

fn burn_alert(objective: &Objective, severity: Severity) -> Result<Alert, Unreachable> {
    let conditions: Vec<String> = BURNS
        .iter()
        .filter(|burn| burn.severity == severity)
        .map(|burn| condition(objective, burn))
        .collect::<Result<_, _>>()?;
    Ok(burning_alert(objective, severity, &conditions.join("\n  or\n")))
}

/// The alert while something holds and the objective is measurable.
fn burning_alert(objective: &Objective, severity: Severity, burning: &str) -> Alert {
    let slo = &objective.name;
    Alert {
        name: "WhereforeErrorBudgetBurn",
        severity: Some(severity),
        slo: slo.to_string(),
        agent: None,
        expr: format!("(\n{burning}\n)\nand\n{} >= {}", coverage(objective), objective.min_coverage),
        hold: None,
        notify: None,
        summary: format!("the {slo} budget of {WHO} burns"),
        description: format!(
            "{{{{ $value | humanizePercentage }}}} of the judged actions of {WHO} (tenant {TENANT}) are bad; the \
             objective allows {}.",
            percent(objective.error_budget())
        ),
        link: actions_link(objective, "bad"),
        why: "Open the link, take the id of a bad action and run `wherefore why ID`.",
    }
}

/// Both windows above the threshold, with enough bad actions in the long one.
fn condition(objective: &Objective, burn: &Burn) -> Result<String, Unreachable> {
    let slo = &objective.name;
    let (Window(long, _), Window(short, _)) = (burn.long, burn.short);
    let threshold = threshold(objective, factor(objective, burn))?;
    Ok(format!(
        "  (\n    slo:sli_error:ratio_rate{long}{{slo=\"{slo}\"}} > {threshold}\n  and\n    \
         slo:sli_error:ratio_rate{short}{{slo=\"{slo}\"}} > {threshold}\n  and\n    \
         slo:bad_actions:increase{long}{{slo=\"{slo}\"}} >= {MIN_BAD_ACTIONS}\n  )"
    ))
}

/// How many times too fast the budget burns.
fn factor(objective: &Objective, burn: &Burn) -> f64 {
    rounded(burn.budget_share * objective.window.length().as_seconds() / burn.long.1.as_seconds())
}

/// The share of bad at which the budget burns `factor` times too fast.
fn threshold(objective: &Objective, factor: f64) -> Result<f64, Unreachable> {
    let threshold = rounded(factor * objective.error_budget());
    if threshold >= 1.0 {
        let (slo, max) = (objective.name.to_string(), rounded(objective.max_burn_rate()));
        return Err(Unreachable { slo, target: objective.target, factor, max });
    }
    Ok(threshold)
}

fn not_measurable(objective: &Objective) -> Alert {
    let slo = &objective.name;
    Alert {
        name: "WhereforeNotMeasurable",
        severity: Some(Severity::Ticket),
        slo: slo.to_string(),
        agent: None,
        notify: None,
        expr: format!("{} < {}", coverage(objective), objective.min_coverage),
        hold: Some(COVERAGE_HOLD),
        summary: format!("{slo} of {WHO} is not measurable"),
        description: format!(
            "Only {{{{ $value | humanizePercentage }}}} of the actions of {WHO} (tenant {TENANT}) in the last \
             day are known to be good or bad. Below {} this objective does not page, and it is not met either.",
            percent(objective.min_coverage)
        ),
        link: actions_link(objective, "unknown"),
        why: "Open the link; each action names the reason why its verdict is unknown.",
    }
}

/// The recorded coverage of an objective.
fn coverage(objective: &Objective) -> String {
    let Window(name, _) = COVERAGE_WINDOW;
    format!("slo:sli_coverage:ratio_rate{name}{{slo=\"{}\"}}", objective.name)
}

/// The list of an SLI's actions with one verdict: of the alert's agent, or of all.
fn actions_link(objective: &Objective, verdict: &str) -> String {
    let sli = objective.sli().map_or("", |(sli, _)| sli.as_str());
    format!(
        "/api/v1/actions?sli={sli}&verdict={verdict}&tenant={TENANT_IN_LINK}{{{{ if ne $labels.agent \
         \"{ALL_AGENTS}\" }}}}&agent={AGENT_IN_LINK}{{{{ end }}}}"
    )
}

/// Without the noise of the multiplication.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn percent(ratio: f64) -> String {
    format!("{} %", rounded(ratio * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sli;

    #[test]
    fn an_unreachable_factor_is_refused() {
        let objective = Objective::new(Sli::IntentAlignment, 0.9, Severity::Page);
        let error = groups(&objective, &Options::default()).err().expect("13.44 times 10 % is more than everything");
        assert_eq!(
            error.to_string(),
            "burn factor 13.44 of `intent_alignment` is unreachable: with target 0.9 the burn rate cannot exceed 10"
        );
    }

    #[test]
    fn a_ticket_objective_never_pages() {
        for objective in Objective::DEFAULTS {
            let rules = alerts(&objective).expect("the defaults are reachable");
            let pages = rules.iter().filter(|rule| match rule {
                Rule::Alert(alert) => alert.severity == Some(Severity::Page),
                Rule::Record { .. } => false,
            });
            assert_eq!(pages.count() > 0, objective.severity == Severity::Page, "{}", objective.name);
        }
    }
}
