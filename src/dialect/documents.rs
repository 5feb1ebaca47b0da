//! The ids of retrieved documents, where a convention only has the retriever's own output.
//!
//! ```text
//! [ {id}, … ]   { documents | results | matches | memories: [ {id | metadata: {id}}, … ] }
//! ```

use std::sync::Arc;

use serde_json::Value;

use crate::model::What;

use super::draft::{an_id, word};

/// Lists that retrievers put their documents in.
const LISTS: &[&str] = &["documents", "results", "matches", "memories", "nodes"];

/// Where a document has its id.
const IDS: &[&str] = &["/id", "/document_id", "/doc_id", "/metadata/id", "/metadata/document_id"];

/// What a retrieval brought, by its output. An output that was not captured, or that lists no documents, leaves the
/// ids withheld.
pub fn context(output: Option<&str>) -> What {
    let found = output.and_then(|json| ids(&serde_json::from_str(json).ok()?));
    What::Context { withheld: found.is_none(), ids: found.unwrap_or_default() }
}

/// The ids in order; a document without one has none. `None`: no list of documents.
fn ids(output: &Value) -> Option<Vec<Arc<str>>> {
    let listed = output.as_array().or_else(|| LISTS.iter().find_map(|key| output.get(*key)?.as_array()))?;
    let id = |document: &Value| match IDS.iter().find_map(|path| document.pointer(path))? {
        Value::String(id) => an_id(id),
        Value::Number(id) => Some(word(&id.to_string())),
        _ => None,
    };
    Some(listed.iter().filter_map(id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_every_shape() {
        for (output, want) in [
            (r#"{"documents": [{"id": "kb-17", "text": "…"}, {"id": 4}]}"#, Some(vec!["kb-17", "4"])),
            (r#"[{"metadata": {"id": "a"}}, {"text": "no id"}]"#, Some(vec!["a"])),
            (r#"{"documents": []}"#, Some(vec![])),
            (r#""one text""#, None),
            ("<redacted>", None),
        ] {
            let What::Context { ids, withheld } = context(Some(output)) else { panic!("a context") };
            let ids: Vec<&str> = ids.iter().map(|id| &**id).collect();
            assert_eq!((!withheld).then_some(ids), want, "{output}");
        }
        assert_eq!(context(None), What::Context { ids: Vec::new(), withheld: true });
    }
}
