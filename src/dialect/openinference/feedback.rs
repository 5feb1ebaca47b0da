//! Evaluations and annotations: lists of `{name, score, label, explanation}` on the span they are about, or on a span
//! of their own that links to it. Source: `spec/annotations.md`.

use std::collections::BTreeMap;

use crate::model::{Check, Known, Provenance, What};
use crate::values;
use crate::wire::AnyValue;

use super::super::draft::word;
use super::super::evaluation::result_of;
use super::{Draft, Source};

/// Where lists stand, and what their elements are called.
const LISTS: &[(&str, &str)] = &[
    ("annotations.", "annotation."),
    ("evaluations.", "evaluation."),
    ("trace.annotations.", "annotation."),
    ("trace.evaluations.", "evaluation."),
];

/// More results than one span carries.
const MAX_RESULTS: usize = 256;

/// Adds the checks.
pub fn read(source: &Source<'_>, draft: &mut Draft<'_>) {
    for (list, element) in LISTS {
        let mut found: BTreeMap<&str, BTreeMap<&str, AnyValue<'_>>> = BTreeMap::new();
        for (rest, value) in source.with_prefix(list) {
            let Some((index, field)) = rest.split_once('.') else { continue };
            if let Some(field) = field.strip_prefix(element)
                && (found.len() < MAX_RESULTS || found.contains_key(index))
            {
                found.entry(index).or_default().insert(field, value);
            }
        }
        for fields in found.values() {
            let check = check(fields, source, draft);
            draft.fact(Provenance::Explicit, What::Check(Box::new(check)));
        }
    }
}

fn check(fields: &BTreeMap<&str, AnyValue<'_>>, source: &Source<'_>, draft: &mut Draft<'_>) -> Check {
    let text = |key: &str| fields.get(key).and_then(|value| value.as_str());
    let label = text("label").unwrap_or_default();
    let score = fields.get("score").and_then(|value| value.as_f64().or_else(|| values::number_of(value.as_str()?)));
    Check {
        name: word(text("name").unwrap_or("unnamed")),
        result: result_of(label),
        label: word(label),
        score: score.map(|score| score.to_string().into()),
        explanation: text("explanation").map_or(Known::ABSENT, |text| draft.text(text)),
        about: link(source),
        ..empty(source)
    }
}

/// A check that says nothing yet, at the span's end.
pub fn empty(source: &Source<'_>) -> Check {
    let at = source.span().map(|span| span.end).unwrap_or_default();
    Check::new(at, word("unnamed"), result_of(""), word(""))
}

/// The one span that a span links to.
fn link(source: &Source<'_>) -> Option<(crate::model::TraceId, crate::model::SpanId)> {
    let mut links = source.span()?.links();
    let link = links.next()?;
    links.next().is_none().then_some((link.trace_id?, link.span_id?))
}
