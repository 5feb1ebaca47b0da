//! Many actions, one line each.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};

use super::WIDTH;
use super::sheet::brief;
use crate::model::{Action, Sli, Value};

/// A table of actions in the order given, 80 columns wide, with a line that explains its signs. Without actions it
/// says so.
pub fn actions(actions: &[Action]) -> String {
    if actions.is_empty() {
        return "no actions\n".to_owned();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(WIDTH as u16).set_header(COLUMNS);
    for action in actions {
        table.add_row(row(action));
    }
    for (column, name) in table.column_iter_mut().zip(COLUMNS) {
        column.set_padding((0, 1));
        if !matches!(*name, "agent" | "tool" | "target") {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let slis = Sli::ALL.iter().map(|sli| sli.as_str()).collect::<Vec<_>>().join(" ");
    let lines: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    format!("{lines}\nverdicts on {slis}:\n+ good, x bad, ? unknown, - does not apply\n")
}

/// Names may be broken into lines; the other columns stay whole.
const COLUMNS: &[&str] = &["time", "agent", "tool", "target", "state", "verdicts", "id"];

/// Cells longer than this are cut: a table is for finding, `why` for reading.
const CELL: usize = 40;

fn row(action: &Action) -> [String; 7] {
    let target = action.target.value().map_or("-", |(target, _)| target);
    let verdicts: String = Sli::ALL.iter().map(|sli| sign(action, *sli)).collect();
    [
        action.start.to_string()[5..19].replace('T', " "),
        brief(action.agent_label(), CELL),
        brief(action.tool_label(), CELL),
        brief(target, CELL),
        action.state.as_str().to_owned(),
        verdicts,
        action.id.to_string()[..8].to_owned(),
    ]
}

fn sign(action: &Action, sli: Sli) -> char {
    match action.verdict(sli).map(|verdict| verdict.value) {
        Some(Value::Good) => '+',
        Some(Value::Bad) => 'x',
        Some(Value::Unknown) => '?',
        None => '-',
    }
}
