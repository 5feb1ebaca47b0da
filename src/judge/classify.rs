//! Who should look at a finding first: security, reliability, or both.
//!
//! | evidence | class | confidence |
//! |---|---|---|
//! | values of the call stand in content that was read and not in what the user said | security | high |
//! | the model, prompt, policy, tool or configuration of the agent changed lately | reliability | low; high when the tool itself changed |
//! | both, or neither | ambiguous | none |
//!
//! An ambiguous finding goes to both queues. What a finding was tagged before stays in its tags.

use super::Context;
use crate::model::{Action, Class, Confidence, Finding, Tag};

/// Tags a finding by what is around its action.
pub(super) fn tag(context: &Context<'_>, _: &Action, finding: &mut Finding) {
    let content = context.around.content.iter().max_by_key(|it| it.confidence);
    let change = context.around.changes.iter().max_by_key(|it| it.confidence);
    let (class, confidence, because) = match (content, change) {
        (Some(content), None) => (Class::Security, content.confidence, content.what.clone()),
        (None, Some(change)) => (Class::Reliability, change.confidence, change.what.clone()),
        (Some(content), Some(change)) => {
            (Class::Ambiguous, Confidence::None, format!("{}; and {}", content.what, change.what).into())
        }
        (None, None) => (Class::Ambiguous, Confidence::None, "nothing is known to have changed".into()),
    };
    finding.class = class;
    finding.tags = vec![Tag { class, confidence, because }];
}
