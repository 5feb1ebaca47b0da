//! Received to Evidence: what each telemetry convention means. Stateless; one record at a time.
//!
//! ```text
//! Received ── Source: attributes indexed, name resolved
//!               │  each dialect of the table that reads it, general before specific
//!               ▼
//!             Draft: facts added, facts refined ── rules of the most specific dialect ──► Evidence
//! ```
//!
//! A record may be read by several dialects: a span of Google ADK is first a span of OTel GenAI, then ADK says what
//! its own attributes mean. The most specific one names the record. [`evidence`] is total: a record that no dialect
//! reads is evidence without facts that still carries its place in the trace.
//!
//! To add a dialect: a file with one `impl Dialect`, and a row in [`TABLE`].

mod a2a;
mod adk;
mod agentcore;
mod agno;
mod agt;
mod autogen;
mod claude_code;
mod client;
mod codex;
mod copilot;
mod cost;
mod crewai;
mod definitions;
mod documents;
mod draft;
mod evaluation;
mod fastmcp;
mod gemini;
mod genai;
mod genai_events;
mod genai_flat;
mod genkit;
mod guardrail;
mod haystack;
mod header;
mod langfuse;
mod langsmith;
mod litellm;
mod llama_index;
mod logfire;
mod mastra;
mod mcp;
mod message;
mod ms_agent_framework;
mod nemo;
mod opa;
mod openai_agents;
mod opencode;
mod openfga;
mod openinference;
mod openlit;
mod operation;
mod pydantic_ai;
mod python;
mod qwen;
mod riskkernel;
mod semantic_kernel;
mod source;
mod strands;
#[cfg(test)]
mod testing;
mod traceloop;
mod vercel_ai;
mod vercel_ai_legacy;
mod wherefore_ns;
#[cfg(test)]
mod worked_example;

use bytes::Bytes;

use crate::model::{Evidence, Proof, Role, Tenant};
use crate::wire::Received;

pub use draft::Draft;
pub use source::Source;

/// The dialect of a record that none of the table reads.
pub const UNREAD: &str = "unread";

/// One telemetry convention.
pub trait Dialect: Sync {
    /// Its name in evidence, labels and text.
    fn name(&self) -> &'static str;

    /// Whether this record is one of its own. Decided per record: one process mixes dialects.
    fn reads(&self, source: &Source<'_>) -> bool;

    /// Adds what the record says to the draft, or refines what more general dialects said.
    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>);

    /// What its records prove and carry; `None`: as the more general dialect said.
    fn rules(&self, _: &Source<'_>) -> Option<Rules> {
        None
    }

    /// Only adds to other dialects' records, and names none that another dialect reads.
    fn is_layer(&self) -> bool {
        false
    }
}

/// What the records of a dialect prove and carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// What an ended tool span proves.
    pub proof: Proof,
    /// Where content is.
    pub content: Content,
}

/// Where a dialect's records carry content, and so what it means that they do not. A tool span without arguments
/// and without result, and a model span without anything that was said, lack content; one of them is enough to show
/// that it is captured, because a tool may have no parameters and a failed one has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// On the spans, when capture is on: where it is lacking, capture is off. Arguments and result are withheld, and
    /// the record says so.
    Here,
    /// In other records by default: arguments and result that are lacking are withheld as far as this record goes, but
    /// it does not say that capture is off.
    Elsewhere,
    /// Nothing can be told from lacking content.
    Optional,
}

impl Rules {
    const DEFAULT: Self = Self { proof: Proof::Ran, content: Content::Optional };
}

/// Every dialect, general before specific.
pub static TABLE: &[&dyn Dialect] = &[
    &genai::GenAi,
    &genai_events::GenAiEvents,
    &genai_flat::GenAiFlat,
    &adk::GoogleAdk,
    &pydantic_ai::PydanticAi,
    &strands::Strands,
    &ms_agent_framework::MsAgentFramework,
    &mastra::Mastra,
    &semantic_kernel::SemanticKernel,
    &traceloop::Traceloop,
    &openai_agents::OpenAiAgents,
    &logfire::Logfire,
    &vercel_ai::VercelAi,
    &openinference::OpenInference,
    &openlit::OpenLit,
    &litellm::LiteLlm,
    &agno::Agno,
    &crewai::CrewAi,
    &autogen::AutoGen,
    &haystack::Haystack,
    &llama_index::LlamaIndex,
    &vercel_ai_legacy::VercelAiLegacy,
    &genkit::Genkit,
    &langfuse::Langfuse,
    &langsmith::LangSmith,
    &langsmith::LangSmithNames,
    &claude_code::ClaudeCode,
    &agt::Agt,
    &opa::Opa,
    &openfga::OpenFga,
    &codex::Codex,
    &gemini::GeminiCli,
    &qwen::QwenCode,
    &copilot::Copilot,
    &opencode::OpenCode,
    &nemo::NemoGuardrails,
    &riskkernel::RiskKernel,
    &mcp::Mcp,
    &fastmcp::FastMcp,
    &a2a::A2a,
    &agentcore::AgentCore,
    &client::Client,
    &wherefore_ns::Wherefore,
];

/// What one record says. `frame` holds the record's bytes, so that messages are passed on without copying.
pub fn evidence(tenant: &Tenant, role: Role, received: &Received<'_>, frame: &Bytes) -> Evidence {
    evidence_by(TABLE, tenant, role, received, frame)
}

fn evidence_by(
    table: &[&dyn Dialect],
    tenant: &Tenant,
    role: Role,
    received: &Received<'_>,
    frame: &Bytes,
) -> Evidence {
    let source = Source::new(received, frame);
    let mut draft = Draft::new(&source);
    for dialect in table.iter().filter(|dialect| dialect.reads(&source)) {
        if !dialect.is_layer() || draft.dialect == UNREAD {
            draft.dialect = dialect.name();
        }
        if let Some(rules) = dialect.rules(&source) {
            draft.rules = rules;
        }
        dialect.read(&source, &mut draft);
    }
    cost::read(&source, &mut draft);
    definitions::read(&source, &mut draft);
    draft.finish();
    let Draft { node, dialect, facts, bodies, place, .. } = draft;
    let header = header::header(tenant, role, received);
    let (trace, span) = match (header.trace, place) {
        (None, Some((trace, span))) => (Some(trace), Some(span)),
        (trace, _) => (trace, header.span),
    };
    Evidence { node, dialect, facts, bodies, trace, span, ..header }
}
