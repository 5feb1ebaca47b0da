//! FastMCP: a refinement of OTel MCP for servers that say more about a request than the convention.
//!
//! One SERVER span per request. It is named and attributed in full (`fastmcp.component.*`) when the request reaches
//! the tool. Since version 4 requests that were turned away before that (no right, veto of a middleware, no such
//! tool, wrong parameters) have a span too: an error span with `fastmcp.span.seam` and without a component. It does
//! not say why, and it names neither tool nor request, so that by itself it reaches no call.
//!
//! Source: `fastmcp_slim/fastmcp/server/telemetry.py` of `PrefectHQ/fastmcp` 4. No recording of ours.

use crate::model::{By, Moment, Status};

use super::draft::word;
use super::{Dialect, Draft, Source};

const SEAM: &str = "fastmcp.span.seam";
const COMPONENT: &str = "fastmcp.component.key";

/// Spans with `fastmcp.*` attributes.
pub struct FastMcp;

impl Dialect for FastMcp {
    fn name(&self) -> &'static str {
        "fastmcp"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.span().is_some() && source.has_prefix("fastmcp.")
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        let Some(own) = &mut draft.own else { return };
        if own.tool.is_none() {
            own.tool = source.text(COMPONENT).and_then(tool_in_key).map(word);
        }
        let failed = matches!(own.moment, Moment::Ran { status: Status::Error(_), .. });
        if failed && source.get(SEAM).is_some() && source.get(COMPONENT).is_none() {
            own.moment = Moment::Refused { by: By::Unknown };
        }
    }

    /// What it reads is a span of MCP.
    fn is_layer(&self) -> bool {
        true
    }
}

/// `tool:greet@1.0`: what stands between kind and version.
fn tool_in_key(key: &str) -> Option<&str> {
    let name = key.strip_prefix("tool:")?;
    Some(name.rsplit_once('@').map_or(name, |(name, _)| name)).filter(|name| !name.is_empty())
}
