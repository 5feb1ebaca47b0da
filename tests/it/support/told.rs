//! What was told, folded: the last event of each finding, and the incidents they came to.
//!
//! What the last state is. Events are told live, and what is told depends on the order in which records come: a call
//! that looks forbidden until its refusal arrives opens a finding and retracts it; if the refusal came first, nothing
//! was ever opened. So a finding that was never opened, one that was retracted and one that was superseded are the
//! same: it does not stand. Of those that stand, rule, severity and class are what they were told to be last, and are
//! the same in every order. The order and the number of events are not, nor is a finding's id, which is fixed when it
//! is first told, from the names that its call had by then; nor is the id of the call in an event, for the same reason.

use std::collections::BTreeMap;

use wherefore::engine::FindingEvent;
use wherefore::engine::parts::Incident;
use wherefore::model::{Action, Class, Finding, FindingId, FindingState, Severity};

/// The last event of each finding.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Told {
    last: BTreeMap<FindingId, Finding>,
}

/// A finding that stands: the rule, how loud, and for whom.
pub type Standing = (String, Severity, Class);

impl Told {
    /// Takes what a step told.
    pub fn take(&mut self, events: Vec<FindingEvent>) {
        self.last.extend(events.into_iter().map(|event| (event.finding.id, event.finding)));
    }

    /// Those that stand, by id.
    pub fn standing(&self) -> BTreeMap<String, Standing> {
        let open = self.last.values().filter(|finding| finding.state == FindingState::Open);
        open.map(|finding| (finding.id.to_string(), standing(finding))).collect()
    }
}

/// What the last rows say of findings, by id. Each stands in one row.
pub fn in_rows<'a>(rows: impl IntoIterator<Item = &'a Action>) -> BTreeMap<String, Standing> {
    let mut found = BTreeMap::new();
    for action in rows {
        for finding in &action.findings {
            assert_eq!(finding.state, FindingState::Open, "a row has findings that stand: {finding:#?}");
            let twice = found.insert(finding.id.to_string(), standing(finding));
            assert_eq!(twice, None, "one finding is in two rows: {finding:#?}");
        }
    }
    found
}

fn standing(finding: &Finding) -> Standing {
    (finding.rule.to_string(), finding.severity, finding.class)
}

/// An incident as the records tell it: without ids that were given on the way, and when it was detected.
pub fn incident(incident: &Incident) -> String {
    let mut violations: Vec<_> = incident.findings.values().map(|violation| (violation.at, violation.name)).collect();
    violations.sort_unstable();
    // What came before it opened moves no clock; it may have been told while an earlier violation stood.
    let mut acts: Vec<_> = incident.acts.values().filter(|act| act.at >= incident.opened).collect();
    acts.sort_unstable();
    let Incident { conversation, agent, service, opened, latest, contained, contained_by, leaked, .. } = incident;
    format!(
        "{conversation:?} {agent} {service:?}\nopened {opened:?} latest {latest:?}\ncontained {contained:?} by \
         {contained_by:?}, leaked {leaked}\n{violations:#?}\n{acts:#?}"
    )
}
