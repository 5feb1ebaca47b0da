//! `slo explain`: the objectives in force, in words, and who said what.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

use jiff::Timestamp;

use crate::config;
use crate::config::slos::{Origins, Stated};
use crate::model::{Glob, Nanos, Severity, Sli, Span};
use crate::pipeline::wall;
use crate::rules::{has_rules, usual_conditions};
use crate::slo::{
    Budgeting, Calendar, Condition, EmptySlice, EvidenceUnit, Filter, Indicator, Objective, Queries, Window,
};

use super::{Failed, mistakes};

/// Say in words which objectives are in force, and who said so
#[derive(Debug, clap::Args)]
pub struct Explain {
    /// The configuration file; without it `wherefore.yaml` here, if there is one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only the objective of this name
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Columns of a terminal that nobody has made wider.
const WIDTH: usize = 80;
/// Columns of the names of lines.
const LABEL: usize = 12;

impl Explain {
    pub(super) fn run(self) -> Result<(), Failed> {
        let checked = config::check(self.config.as_deref(), true).map_err(|found| mistakes(&found))?;
        let stated = &checked.slos.stated;
        let wanted: Vec<&Stated> =
            stated.iter().filter(|it| self.name.as_ref().is_none_or(|name| *name == it.objective.name)).collect();
        if let (true, Some(name)) = (wanted.is_empty(), &self.name) {
            let names: Vec<&str> = stated.iter().map(|it| &*it.objective.name).collect();
            return Err(Failed::usage(format!("there is no objective `{name}`; in force: {}", names.join(", "))));
        }
        let all: Vec<String> = wanted.iter().map(|stated| explained(stated, wall())).collect();
        io::stdout().write_all(all.join("\n").as_bytes())?;
        Ok(())
    }
}

/// One objective: a heading, then a line for each thing it says.
fn explained(stated: &Stated, now: Nanos) -> String {
    let objective = &stated.objective;
    let mut out = format!("{}  ·  {}\n", objective.name, objective.service);
    let mut line = |label: &str, text: &str| wrap(&mut out, label, text);
    if !objective.description.is_empty() {
        line("", &objective.description);
    }
    line("measures", &measured(&objective.indicator));
    line("target", &format!("{} % good {}", percent(objective.target), window(&objective.window, now)));
    line("budget", &budget(objective));
    match &objective.indicator {
        Indicator::Wherefore { .. } => {
            let coverage = percent(objective.min_coverage);
            line(
                "unknown",
                &format!(
                    "counts as neither; when less than {coverage} % is known: not measurable, which neither pages nor is green"
                ),
            );
            line("evidence", evidence(objective.evidence));
        }
        Indicator::Prometheus(_) => line("unknown", "nothing of it is known here: Prometheus has the numbers"),
    }
    alerts(objective, &mut line);
    if !has_rules(objective) {
        line(
            "rules",
            "none, so Prometheus hears of none of these alerts: the counters do not tell what it asks for apart",
        );
    }
    line("said by", &said(&stated.from));
    out
}

fn measured(indicator: &Indicator) -> String {
    match indicator {
        Indicator::Wherefore { sli, filter } if filter.is_all() => format!("{sli} of every {}", noun(*sli)),
        Indicator::Wherefore { sli, filter } => format!("{sli} of {}s with {}", noun(*sli), selected(filter)),
        Indicator::Prometheus(Queries::Bad { bad, total }) => format!("bad {} of {}", flat(bad), flat(total)),
        Indicator::Prometheus(Queries::Good { good, total }) => format!("good {} of {}", flat(good), flat(total)),
        Indicator::Prometheus(Queries::Ratio { query, is_bad }) => {
            format!("share of {} {}", if *is_bad { "bad" } else { "good" }, flat(query))
        }
        Indicator::Prometheus(Queries::Threshold { query, op, limit }) => {
            format!("good while {} {} {limit}", flat(query), op.sign())
        }
    }
}

/// What an SLI judges one by one.
fn noun(sli: Sli) -> &'static str {
    if sli == Sli::ContainmentWithin { "incident" } else { "action" }
}

fn selected(filter: &Filter) -> String {
    let lists = [("agent", &filter.agents), ("tool", &filter.tools), ("environment", &filter.environments)];
    let one = |(what, globs): (&str, &Vec<Glob>)| {
        let globs: Vec<String> = globs.iter().map(|glob| format!("`{glob}`")).collect();
        (!globs.is_empty()).then(|| format!("{what} {}", globs.join(" or ")))
    };
    lists.into_iter().filter_map(one).collect::<Vec<_>>().join(", ")
}

/// A query in one line.
fn flat(query: &str) -> String {
    query.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn window(window: &Window, now: Nanos) -> String {
    match window {
        Window::Rolling(length) => format!("over the last {}", short(*length)),
        Window::Calendar(calendar) => {
            let (from, until) = window.around(now);
            let piece = format!("{:?}", calendar.piece).to_lowercase();
            let zone = calendar.zone.iana_name().unwrap_or("UTC");
            let (from, until) = (local(from, calendar), local(until, calendar));
            format!("in each {piece} of {zone}; this one: {from} to {until}")
        }
    }
}

fn local(at: Nanos, calendar: &Calendar) -> String {
    match Timestamp::from_nanosecond(i128::from(at.0)) {
        Ok(at) => at.to_zoned(calendar.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => "never".to_owned(),
    }
}

fn budget(objective: &Objective) -> String {
    let may = share(objective.error_budget());
    match objective.budgeting {
        Budgeting::Occurrences => {
            let sli = objective.sli().map(|(sli, _)| sli);
            format!("{may} {}s may be bad", sli.map_or("event", noun))
        }
        Budgeting::Timeslices { target, slice, empty } => {
            let empty = match empty {
                EmptySlice::Good => "is good",
                EmptySlice::Bad => "is bad",
                EmptySlice::Skip => "does not count",
            };
            format!(
                "{may} slices of {} may be bad ({} in a window); a slice is good when {} % of its actions are; an empty one {empty}",
                short(slice),
                grouped((objective.window.length().0 as f64 / slice.0 as f64 * objective.error_budget()) as u64),
                percent(target),
            )
        }
        Budgeting::RatioTimeslices { slice } => {
            format!(
                "{may} actions may be bad, on the mean of slices of {}: a quiet slice weighs as much as a busy one; an empty one does not count",
                short(slice)
            )
        }
    }
}

/// `1 in 200`, `35 in 1,000`.
fn share(share: f64) -> String {
    let whole = |number: f64| (number - number.round()).abs() < 1e-6;
    if whole(1.0 / share) {
        return format!("1 in {}", grouped((1.0 / share).round() as u64));
    }
    let of = (1..=9).map(|power| 10_f64.powi(power)).find(|of| whole(share * of)).unwrap_or(1e9);
    format!("{} in {}", grouped((share * of).round() as u64), grouped(of as u64))
}

fn evidence(unit: EvidenceUnit) -> &'static str {
    match unit {
        EvidenceUnit::Run => "a run is one piece, as bad as the share of its actions that are",
        EvidenceUnit::RunAny => "a run is one piece, bad when any of its actions is",
        EvidenceUnit::Action => "every action is a piece of its own",
    }
}

/// Conditions that somebody wrote, or the usual ones with the factors that follow from the window.
fn alerts(objective: &Objective, line: &mut dyn FnMut(&str, &str)) {
    for policy in &objective.alerting.policies {
        let Condition { severity, op, threshold, lookback, after } = &policy.condition;
        let mut text = format!("{}: burn {} {threshold} over {}", policy.name, op.sign(), short(*lookback));
        if *after > Span(0) {
            let _ = write!(text, " for {}", short(*after));
        }
        if !policy.notify.is_empty() {
            let _ = write!(text, "; notify {}", policy.notify.join(", "));
        }
        if !policy.when_breaching {
            text += "; switched off (`alertWhenBreaching: false`)";
        }
        line(severity.as_str(), &text);
    }
    if !objective.alerting.policies.is_empty() {
        return;
    }
    let mut quiet = true;
    for severity in [Severity::Page, Severity::Ticket] {
        let usual = usual_conditions(objective, severity);
        if usual.is_empty() {
            continue;
        }
        let texts: Vec<String> =
            usual.iter().map(|(factor, long, short)| format!("burn > {factor} over {long} and {short}")).collect();
        line(severity.as_str(), &texts.join(", or "));
        quiet = false;
    }
    if quiet {
        line("alerts", "none");
    }
}

/// `target, window: slos/a.yaml:7, 9; all else by default`.
fn said(from: &Origins) -> String {
    const ASPECTS: [&str; 8] =
        ["indicator", "target", "window", "budgeting", "severity", "coverage", "evidence", "alerts"];
    let mut by: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for aspect in ASPECTS {
        let Some(place) = from.of(aspect) else { continue };
        let (file, line) = place.rsplit_once(':').unwrap_or((place, ""));
        let line = if line.is_empty() { String::new() } else { format!(" (line {line})") };
        by.entry(file).or_default().push(format!("{aspect}{line}"));
    }
    let mut parts: Vec<String> =
        by.into_iter().map(|(file, aspects)| format!("{file}: {}", aspects.join(", "))).collect();
    parts.push(if parts.is_empty() { "nobody: a default".to_owned() } else { "all else by default".to_owned() });
    parts.join("; ")
}

/// Without the noise of the multiplication.
fn percent(share: f64) -> f64 {
    (share * 1e11).round() / 1e9
}

/// The largest unit that divides it.
fn short(span: Span) -> String {
    let seconds = span.0 / 1_000_000_000;
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let (unit, name) = units.into_iter().find(|(unit, _)| seconds.is_multiple_of(*unit)).unwrap_or((1, "s"));
    format!("{}{name}", seconds / unit)
}

/// `12,096`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A label and its text, folded between words.
fn wrap(out: &mut String, label: &str, text: &str) {
    let mut line = format!("  {label:<width$}", width = LABEL - 2);
    let mut columns = LABEL;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if columns > LABEL && columns + 1 + width > WIDTH {
            let _ = writeln!(out, "{}", line.trim_end());
            (line, columns) = (" ".repeat(LABEL), LABEL);
        }
        if columns > LABEL {
            line.push(' ');
            columns += 1;
        }
        line.push_str(word);
        columns += width;
    }
    let _ = writeln!(out, "{}", line.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_said_in_whole_actions() {
        for (budget, want) in
            [(0.01, "1 in 100"), (0.005, "1 in 200"), (0.035, "35 in 1,000"), (0.2, "1 in 5"), (1.0, "1 in 1")]
        {
            assert_eq!(share(budget), want);
        }
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn a_default_says_that_it_is_one() {
        let stated = Stated { objective: Objective::DEFAULTS[0].clone(), from: Origins::default() };
        let want = "intent_alignment  ·  agents
  measures  intent_alignment of every action
  target    99 % good over the last 28d
  budget    1 in 100 actions may be bad
  unknown   counts as neither; when less than 50 % is known: not measurable,
            which neither pages nor is green
  evidence  a run is one piece, as bad as the share of its actions that are
  page      burn > 13.44 over 1h and 5m, or burn > 5.6 over 6h and 30m
  ticket    burn > 2.8 over 1d and 2h, or burn > 0.933333 over 3d and 6h
  said by   nobody: a default
";
        assert_eq!(explained(&stated, Nanos(0)), want);
    }
}
