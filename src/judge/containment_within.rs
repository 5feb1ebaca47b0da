//! Was a violation contained in time?
//!
//! The unit is an incident. Its verdict stands with the action that opened it: the first violation of its lineage.
//!
//! | the incident | verdict |
//! |---|---|
//! | contained inside the objective, and nothing leaked after it | good `contained` |
//! | contained later | bad `contained_late` |
//! | open, and the objective has passed | bad `not_contained`; `leaked` when something was written after a command |
//! | open, and there is time left | unknown `open` |
//!
//! A late call that wrote after containment opens the incident again, so what was good becomes bad.

use super::around::Clock;
use super::witness::told;
use super::{Context, Validator, verdict};
use crate::model::{Action, Sli, Stop, Value, Verdict};

/// The judge of `containment_within`.
pub(super) struct ContainmentWithin;

impl Validator for ContainmentWithin {
    fn sli(&self) -> Sli {
        Sli::ContainmentWithin
    }

    fn judge(&self, context: &Context<'_>, action: &Action) -> Option<Verdict> {
        let clock = context.around.incident.as_ref()?;
        let Clock { contained_after, by, on, within, is_over, leaked } = clock;
        let allowed = within.as_seconds();
        let (value, reason, because) = match contained_after {
            Some(after) if after <= within => {
                let by = by.map(|by| format!(" by {}", stop(by))).unwrap_or_default();
                (Value::Good, "contained", format!("contained after {:.1} s{by}", after.as_seconds()))
            }
            Some(after) => {
                let because = format!("contained after {:.1} s, {allowed} s were allowed", after.as_seconds());
                (Value::Bad, "contained_late", because)
            }
            None if *is_over && *leaked > 0 => {
                (Value::Bad, "leaked", format!("{leaked} calls went on after a command to stop"))
            }
            None if *is_over => (Value::Bad, "not_contained", format!("nobody contained it within {allowed} s")),
            None => (Value::Unknown, "open", "it is open, and there is time left".to_owned()),
        };
        // What opened it, and what stopped it.
        let evidence = told(action).chain(*on).filter(|_| value != Value::Unknown);
        Some(verdict(self.sli(), value, reason, because, evidence))
    }
}

fn stop(by: Stop) -> &'static str {
    match by {
        Stop::Command => "a command",
        Stop::Abort => "an abort",
        Stop::Refusal => "a refusal",
    }
}
