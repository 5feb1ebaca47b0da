//! Does the call keep to the declared limits of its agent?
//!
//! | the envelopes of its agent | verdict |
//! |---|---|
//! | none | unknown `no_envelope` |
//! | an enforced rule is broken | bad, with the reason of [`limits`](super::limits) |
//! | an enforced rule cannot be compared with the call | unknown, with the rule's own reason |
//! | otherwise | good `inside` |
//!
//! Judged for executed actions; when the execution is not proven nothing is good or bad (`execution_not_proven`).
//! Rules in `warn` and `shadow` make findings and leave the verdict alone.

use super::limits::{self, Breach, Said};
use super::witness::told;
use super::{Context, Validator, findings, verdict};
use crate::envelope::Rule;
use crate::model::{Action, Execution, RuleName, Sli, State, Value, Verdict};

/// The judge of `envelope`.
pub(super) struct Envelope;

impl Validator for Envelope {
    fn sli(&self) -> Sli {
        Sli::Envelope
    }

    fn judge(&self, context: &Context<'_>, action: &Action) -> Option<Verdict> {
        let State::Executed(execution) = &action.state else {
            return None;
        };
        let view = context.view(action);
        let unknown = |reason: &str, because: String| verdict(self.sli(), Value::Unknown, reason, because, None);
        if !view.covered {
            return Some(unknown("no_envelope", "no envelope is about its agent".to_owned()));
        }
        if *execution == Execution::UnknownResult {
            return Some(unknown("execution_not_proven", "nothing proves that the tool ran".to_owned()));
        }
        let said = limits::said(context, view, action);
        let broken = said.iter().find_map(|it| match it {
            Said::Broken(breach) if limits::counts(breach.rule) => Some(breach),
            _ => None,
        });
        let unclear = said.iter().find_map(|it| match it {
            Said::Unclear(rule, reason) if limits::counts(rule) => Some((*rule, *reason)),
            _ => None,
        });
        Some(match (broken, unclear) {
            (Some(Breach { rule, reason, what, evidence }), _) => {
                let because = findings::sentence(rule, action, "ran", what);
                let evidence = findings::evidence(action).into_iter().chain(evidence.iter().copied());
                named(rule, verdict(self.sli(), Value::Bad, reason, because, evidence))
            }
            (None, Some((rule, reason))) => {
                let because = format!("rule `{}` of envelope `{}` may be about it", rule.id(), rule.envelope());
                named(rule, unknown(reason, because))
            }
            (None, None) => {
                let shown = said.iter().filter_map(|it| match it {
                    Said::Kept(by) => *by,
                    Said::Broken(_) | Said::Unclear(..) => None,
                });
                let on = told(action).chain(shown);
                verdict(self.sli(), Value::Good, "inside", "it keeps every rule of its envelopes", on)
            }
        })
    }
}

/// Says which rule decided.
pub(super) fn named(rule: &Rule, verdict: Verdict) -> Verdict {
    Verdict { rule: Some(rule_name(rule)), ..verdict }
}

pub(super) fn rule_name(rule: &Rule) -> RuleName {
    RuleName { name: rule.name().into(), envelope: rule.envelope_digest() }
}
