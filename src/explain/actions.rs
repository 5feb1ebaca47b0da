//! Many actions, one line each.

use super::WIDTH;
use super::phrases::is_known;
use super::sheet::{brief, cell, columns_of};
use crate::model::{Action, Nanos, Sli, Value};

/// A table of actions in the order given, 80 columns wide, a line each under the day it ended, with a line that
/// explains its signs. Without actions it says so.
pub fn actions(actions: &[Action]) -> String {
    if actions.is_empty() {
        return "no actions\n".to_owned();
    }
    let rows: Vec<[String; 7]> = actions.iter().map(row).collect();
    let widths = widths(&rows);
    let line = |cells: &[String; 7]| {
        let cells: Vec<String> = cells.iter().zip(widths).map(|(text, width)| cell(text, width)).collect();
        format!("{}\n", cells.join(" ").trim_end())
    };
    let mut table = line(&COLUMNS.map(str::to_owned));
    let mut last = None;
    for (action, row) in actions.iter().zip(&rows) {
        let today = day(action.end);
        if last.replace(today.clone()) != Some(today.clone()) {
            table += &format!("{today}\n");
        }
        table += &line(row);
    }
    let line = |slis: &[Sli]| slis.iter().map(|sli| sli.as_str()).collect::<Vec<_>>().join(" ");
    let slis: Vec<String> = Sli::ALL.chunks(SLIS).map(line).collect();
    format!("{table}\nverdicts, + good, x bad, ? unknown, - does not apply, on\n{}\n", slis.join("\n"))
}

const COLUMNS: [&str; 7] = ["ended", "agent", "tool", "target", "state", "verdicts", "id"];

/// Columns with names, which are cut when a line is too long: a table is for finding, `why` for reading.
const NAMES: std::ops::Range<usize> = 1..4;

/// SLIs in a line of the legend: as many as fit.
const SLIS: usize = 4;

/// Digits of an id that a table shows. `why` takes them for the id.
const DIGITS: usize = 8;

/// As wide as the widest cell. While a line is too long, the widest name gives a column away.
fn widths(rows: &[[String; 7]]) -> [usize; 7] {
    let mut widths = COLUMNS.map(columns_of);
    for row in rows {
        for (width, text) in widths.iter_mut().zip(row) {
            *width = columns_of(text).max(*width);
        }
    }
    while widths.iter().sum::<usize>() + widths.len() - 1 > WIDTH
        && let Some(widest) = widths[NAMES].iter_mut().max().filter(|widest| **widest > 1)
    {
        *widest -= 1;
    }
    widths
}

fn row(action: &Action) -> [String; 7] {
    let target = action.target.value().map_or("-", |(target, _)| target);
    let verdicts: String = Sli::ALL.iter().map(|sli| sign(action, *sli)).collect();
    let time = if is_known(action.end) { action.end.to_string()[11..19].to_owned() } else { "-".to_owned() };
    [
        time,
        brief(action.agent_label(), WIDTH),
        brief(action.tool_label(), WIDTH),
        brief(target, WIDTH),
        action.state.as_str().to_owned(),
        verdicts,
        action.id.to_string()[..DIGITS].to_owned(),
    ]
}

/// The day as a line of its own.
fn day(at: Nanos) -> String {
    if is_known(at) { at.to_string()[..10].to_owned() } else { "at a time that was not sent".to_owned() }
}

fn sign(action: &Action, sli: Sli) -> char {
    match action.verdict(sli).map(|verdict| verdict.value) {
        Some(Value::Good) => '+',
        Some(Value::Bad) => 'x',
        Some(Value::Unknown) => '?',
        None => '-',
    }
}
