//! What a turn and an action are computed from.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::parts::{About, ActionState, Asked, Attached, Spoken, StandKey, ToolSaid, TurnState, Utterance};
use crate::model::{Did, EvidenceId, Hash, Known, ModelUse, Nanos, Piece, PlanText, Shared, SpanId, SpanNode};
use crate::proto::records as v1;

use super::{Entry, Malformed, Wire, entry, record, required, tuple};

record! { SpanNode = SpanNode { parent, node, tool, call_id, agent, remote_parent, start, end } }
record! { Asked = AskedIn { first, last } }
record! { Did = Did { effect, egress } }
record! { ToolSaid = ToolSaid { digest, effect, egress } }
record! { Utterance = Utterance { at, place, evidence, span, now } }
record! { ActionState = ActionState { handle, tenant, home, keys, pieces, delegates, crowded } }
tuple! { (Nanos, EvidenceId, Known<Vec<Arc<str>>>) = Retrieval { 0: end, 1: evidence, 2: ids } }
tuple! { (Nanos, Shared<PlanText>) = PlanVersion { 0: at, 1: plan } }
tuple! { (Nanos, Arc<str>) = LastResponse { 0: end, 1: id } }
tuple! { (Nanos, Hash) = Said { 0: place, 1: hash } }
tuple! { (u64, Hash) = Said { 0: place, 1: hash } }
entry! { SpanId => Asked = AskedEntry { span, asked } }
entry! { SpanId => SpanNode = SpanEntry { span, node } }
entry! { SpanId => BTreeSet<SpanNode> = OtherSpans { span, nodes } }
entry! { SpanId => ModelUse = ModelEntry { span, r#use } }
entry! { About => BTreeSet<Attached> = AttachedEntry { about, attached } }
entry! { Arc<str> => ToolSaid = ToolEntry { name, said } }
entry! { u128 => Piece = PieceEntry { identity, piece } }

/// What the schema keeps of a turn. The rest follows from it when it is put back.
macro_rules! turn_state {
    ($($field:ident),+ $(,)?) => {
        impl Wire<v1::TurnState> for TurnState {
            fn put(&self) -> v1::TurnState {
                v1::TurnState {
                    id: self.id.put(),
                    tenant: self.tenant.put(),
                    trace: self.trace.put(),
                    $($field: Wire::put(&self.$field)),+
                }
            }

            fn take(stored: v1::TurnState) -> Result<Self, Malformed> {
                let id = Wire::take(stored.id).map_err(|at| at.within("id"))?;
                let tenant = Wire::take(stored.tenant).map_err(|at| at.within("tenant"))?;
                let trace = Wire::take(stored.trace).map_err(|at| at.within("trace"))?;
                let mut turn = Self::new(id, tenant, trace);
                $(turn.$field = Wire::take(stored.$field).map_err(|at| at.within(stringify!($field)))?;)+
                Ok(turn)
            }
        }

        #[cfg(test)]
        impl super::tests::Any for TurnState {
            fn any(source: &mut super::tests::Source) -> Self {
                use super::tests::Any;
                let mut turn = Self::new(Any::any(source), Any::any(source), Any::any(source));
                $(turn.$field = Any::any(source);)+
                turn
            }
        }
    };
}
turn_state! {
    evidence, spans, service, conversation, agent, intent, intent_id, prompt, prompt_version, plan, plan_decisions,
    policies, context, models, containment, attached, tool_spans, sampled, withheld, root_ended, start,
    end, members, others, takes, responses, answers, answers_read, users_read, links, asked, gives, logged, tools, modes,
    stands, plans,
}
required!(TurnState = TurnState);

impl Wire<v1::About> for About {
    fn put(&self) -> v1::About {
        use v1::about::About as Case;
        let case = match self {
            Self::Span(span) => Case::Span(span.put()),
            Self::Response(id) => Case::Response(id.put()),
            Self::Tool(tool, span) => Case::Tool(v1::ToolIn { tool: tool.put(), span: span.put() }),
            Self::Turn => Case::Turn(v1::Nothing {}),
            Self::Latest(tool, target) => Case::Latest(v1::ToolOn { tool: tool.put(), target: target.put() }),
        };
        v1::About { about: Some(case) }
    }

    fn take(stored: v1::About) -> Result<Self, Malformed> {
        use v1::about::About as Case;
        Ok(match stored.about.ok_or(Malformed::new("is missing"))? {
            Case::Span(span) => Self::Span(Wire::take(span)?),
            Case::Response(id) => Self::Response(id.into()),
            Case::Tool(it) => Self::Tool(it.tool.into(), Wire::take(it.span)?),
            Case::Turn(_) => Self::Turn,
            Case::Latest(it) => Self::Latest(it.tool.into(), it.target.into()),
        })
    }
}
required!(About = About);

impl Entry<(Option<SpanId>, EvidenceId), ModelUse> for v1::LoggedModel {
    fn of((span, evidence): &(Option<SpanId>, EvidenceId), used: &ModelUse) -> Self {
        Self { span: span.put(), evidence: evidence.put(), r#use: used.put() }
    }

    fn parts(self) -> Result<((Option<SpanId>, EvidenceId), ModelUse), Malformed> {
        let span = Wire::take(self.span).map_err(|at| at.within("span"))?;
        let evidence = Wire::take(self.evidence).map_err(|at| at.within("evidence"))?;
        let used = Wire::take(self.r#use).map_err(|at| at.within("use"))?;
        Ok(((span, evidence), used))
    }
}

impl Entry<StandKey, Spoken> for v1::SpokenEntry {
    fn of((words, k): &StandKey, Spoken { stand, said }: &Spoken) -> Self {
        Self { words: words.put(), k: *k, stand: stand.put(), said: said.put() }
    }

    fn parts(self) -> Result<(StandKey, Spoken), Malformed> {
        let words = Wire::take(self.words).map_err(|at| at.within("words"))?;
        let stand = Wire::take(self.stand).map_err(|at| at.within("stand"))?;
        let said = Wire::take(self.said).map_err(|at| at.within("said"))?;
        Ok(((words, self.k), Spoken { stand, said }))
    }
}

impl Wire<v1::Attached> for Attached {
    fn put(&self) -> v1::Attached {
        use v1::attached::Attached as Case;
        let case = match self {
            Self::Decision(it) => Case::Decision(it.put()),
            Self::Check(it) => Case::Check(it.put()),
            Self::Target(target) => Case::Target(target.put()),
            Self::Did(did) => Case::Did(did.put()),
        };
        v1::Attached { attached: Some(case) }
    }

    fn take(stored: v1::Attached) -> Result<Self, Malformed> {
        use v1::attached::Attached as Case;
        Ok(match stored.attached.ok_or(Malformed::new("is missing"))? {
            Case::Decision(it) => Self::Decision(Wire::take(it)?),
            Case::Check(it) => Self::Check(Wire::take(it)?),
            Case::Target(target) => Self::Target(target.into()),
            Case::Did(did) => Self::Did(Wire::take(did)?),
        })
    }
}
