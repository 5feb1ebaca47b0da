//! Vercel AI SDK 7 (`@ai-sdk/otel`): OTel GenAI under a scope that is only called `gen_ai`.
//!
//! A refused or waiting tool has no span; the answer of an approval stands in the next call's messages
//! (`{"denied": true}` in the place of the result). There is no conversation id, and the agent's name is the caller's
//! function id. A tool span with arguments withheld has neither arguments nor result.

use crate::model::Proof;

use super::{Content, Dialect, Draft, Rules, Source};

/// Spans of the SDK's scope.
pub struct VercelAi;

impl Dialect for VercelAi {
    fn name(&self) -> &'static str {
        "vercel-ai-7"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.span().is_some() && source.scope() == "gen_ai"
    }

    fn read<'a>(&self, _: &'a Source<'a>, _: &mut Draft<'a>) {}

    fn rules(&self, _: &Source<'_>) -> Option<Rules> {
        Some(Rules { proof: Proof::Ran, content: Content::Here })
    }
}
