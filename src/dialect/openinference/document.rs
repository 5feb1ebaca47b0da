//! Retrieved documents: `retrieval.documents.<i>.document.{id,content,score,metadata}`.
//!
//! Ids may be numbers. Where a store keeps its own ids in the metadata, those are the documents'; LangChain's
//! retriever leaves both to the JSON in `output.value`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::model::{Node, What};

use super::super::draft::{an_id, word};
use super::{Draft, OUTPUT, Source, is_hidden};

const DOCUMENTS: &str = "retrieval.documents.";
const METADATA_ID: &[&str] = &["id", "doc_id", "document_id", "source"];

/// Adds the ids of what a retriever brought. A span that says nothing of documents is a function around the retriever.
pub fn read(source: &Source<'_>, draft: &mut Draft<'_>) {
    let flattened = source.has_prefix(DOCUMENTS);
    let ids = if flattened { ids(source) } else { Vec::new() };
    let ids = if ids.is_empty() { in_output(source) } else { Some(ids) };
    match ids {
        Some(ids) => draft.say(What::Context { ids, withheld: false }),
        None if is_hidden(source, OUTPUT) => draft.say(What::Context { ids: Vec::new(), withheld: true }),
        None if flattened => {} // documents without ids
        None => draft.node = Node::Other,
    }
}

fn ids(source: &Source<'_>) -> Vec<Arc<str>> {
    let mut found: BTreeMap<(u32, bool), Arc<str>> = BTreeMap::new();
    for (rest, value) in source.with_prefix(DOCUMENTS) {
        let Some((index, field)) = rest.split_once(".document.") else { continue };
        let Ok(index) = index.parse() else { continue };
        let number = || value.as_int().map(|id| id.to_string());
        let id = match field {
            "id" => value.as_str().and_then(an_id).or_else(|| number().map(|id| word(&id))),
            "metadata" => value.as_str().and_then(|json| of_metadata(&serde_json::from_str(json).ok()?)),
            _ => None,
        };
        if let Some(id) = id {
            found.insert((index, field == "id"), id);
        }
    }
    // The id itself before the one in the metadata.
    let first: BTreeMap<u32, Arc<str>> = found.into_iter().map(|((index, _), id)| (index, id)).collect();
    first.into_values().collect()
}

/// `{"documents": [{"id", "metadata": {"id"}, "page_content"}]}`; an empty list is a retrieval that found nothing.
fn in_output(source: &Source<'_>) -> Option<Vec<Arc<str>>> {
    let output: Value = serde_json::from_str(source.text(OUTPUT).filter(|text| text.starts_with('{'))?).ok()?;
    let documents = output.get("documents")?.as_array()?;
    let own = |document: &Value| document.get("id")?.as_str().and_then(an_id);
    let id = |document: &Value| document.get("metadata").and_then(of_metadata).or_else(|| own(document));
    let ids: Vec<_> = documents.iter().filter_map(id).collect();
    (ids.len() == documents.len()).then_some(ids)
}

fn of_metadata(metadata: &Value) -> Option<Arc<str>> {
    METADATA_ID.iter().find_map(|key| match metadata.get(key)? {
        Value::String(id) => an_id(id),
        Value::Number(id) => Some(word(&id.to_string())),
        _ => None,
    })
}
