//! OTel MCP: spans of Model Context Protocol clients and servers.
//!
//! `tools/call` is a tool call, seen by client and server; with a session both sides share (session, JSON-RPC id).
//! `resources/read` brings a resource in: its URI is both the target and the id of what was retrieved. Every
//! other method is protocol housekeeping. Source: `model/mcp` of OTel GenAI; the Python SDK of MCP sends the tool's
//! name in the span's name only.

use std::sync::Arc;

use crate::model::{Call, Node, Proof, What};

use super::draft::{an_id, word};
use super::{Content, Dialect, Draft, Rules, Source, genai};

/// Spans with `mcp.method.name`.
pub struct Mcp;

impl Dialect for Mcp {
    fn name(&self) -> &'static str {
        "otel-mcp"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.span().is_some() && source.text("mcp.method.name").is_some()
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        match source.text("mcp.method.name") {
            Some("tools/call") => tool_call(source, draft),
            // Where a framework's own tool span carries MCP attributes, it stays one.
            _ if draft.own.is_some() => {}
            Some("resources/read") => resource_read(source, draft),
            _ => draft.node = Node::Other,
        }
    }

    /// Arguments and result are opt-in on both sides, and the SDKs' own spans have no switch for them: that they are
    /// missing says nothing. A framework's tool span that carries MCP attributes keeps the framework's rules.
    fn rules(&self, source: &Source<'_>) -> Option<Rules> {
        let frameworks = source.text("gen_ai.tool.call.id").is_some();
        (!frameworks).then_some(Rules { proof: Proof::Ran, content: Content::Optional })
    }
}

fn tool_call(source: &Source<'_>, draft: &mut Draft<'_>) {
    draft.node = Node::Tool;
    let mut call = draft.own.take().unwrap_or_else(|| Call::new(genai::moment(source)));
    if call.tool.is_none() {
        call.tool = tool_in_name(source).map(word);
    }
    call.mcp = request(source);
    draft.own = Some(call);
}

/// `MCP send tools/call get_order`: what stands behind the method.
fn tool_in_name<'a>(source: &Source<'a>) -> Option<&'a str> {
    let (_, tool) = source.span()?.name.split_once("tools/call ")?;
    Some(tool.trim()).filter(|tool| !tool.is_empty())
}

/// A JSON-RPC id is one only inside its session.
fn request(source: &Source<'_>) -> Option<(Arc<str>, Arc<str>)> {
    let session = source.text("mcp.session.id").and_then(an_id)?;
    let request = source.get("jsonrpc.request.id")?;
    let request = match (request.as_str(), request.as_int()) {
        (Some(id), _) => an_id(id)?,
        (None, Some(id)) => id.to_string().into(),
        (None, None) => return None,
    };
    Some((session, request))
}

fn resource_read(source: &Source<'_>, draft: &mut Draft<'_>) {
    draft.node = Node::Retrieval;
    let ids: Vec<Arc<str>> = source.text("mcp.resource.uri").map(word).into_iter().collect();
    draft.say(What::Context { withheld: ids.is_empty(), ids });
}
