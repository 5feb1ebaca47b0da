//! Actions and their evidence.

use std::sync::Arc;

use crate::model::{
    Action, By, CallSays, Check, Decision, Execution, Field, Finding, Join, Key, Known, Marks, Moment, Piece, Proof,
    Pseudo, RuleName, Says, SpanId, State, Status, Tag, Tie, TraceId, Verdict, Witness,
};
use crate::proto::records as v1;

use super::{Entry, Malformed, Wire, entry, record, required, tuple};

record! { Action = Action {
    id, revision, tenant, keys, merged_into, turn, turns, service, service_version, agent, call_id, tool, arguments,
    target, effect, egress, tool_version, output, state, plan_step, state_versions, start, end, decisions, checks,
    context, policy, joins, retry_of, marks, fields, pieces, judged_by, verdicts, findings,
} }
record! { Piece = Piece {
    end, evidence, part, read_at, start, dialect, provenance, role, service, turn, span, agent, says, instrumentation,
    service_version,
} }
record! { CallSays = CallSays {
    moment, id, tool, arguments, result, target, effect, egress, plan_step, state_versions, policies, pseudo,
    response_id,
} }
record! { Decision = Decision {
    at, outcome, by, principal, scope, enforced, standing, waited, raw, policies, call_id, plan, tool, parameters,
    witness,
} }
record! { Check = Check {
    at, name, phase, result, label, score, explanation, call_id, response_id, about, witness,
} }
record! { Witness = Witness { evidence, role, service, provenance } }
record! { Join = Join { method, confidence, with } }
record! { Marks = Marks { sampled, root_lost, crowded, merged } }
record! { Verdict = Verdict { sli, value, reason, because, evidence, rung, rule } }
record! { RuleName = RuleName { name, envelope } }
record! { Finding = Finding { id, rule, severity, class, tags, state, message, evidence, at, envelope } }
record! { Tag = Tag { class, confidence, because } }
tuple! { (TraceId, SpanId) = SpanRef { 0: trace, 1: span } }
tuple! { (Arc<str>, Arc<str>) = StateVersions { 0: before, 1: after } }
entry! { Field => Known<()> = FieldKnown { field, known } }

/// An enum of the model that is a message with one oneof. Both sides are listed case by case.
macro_rules! one_of {
    ($model:ident = $proto:ident::$module:ident { $($put:pat => $stored:expr, $take:pat => $value:expr;)+ }) => {
        impl Wire<v1::$proto> for $model {
            fn put(&self) -> v1::$proto {
                use v1::$module::$proto as Case;
                let case = match self { $($put => $stored),+ };
                v1::$proto { $module: Some(case) }
            }

            fn take(stored: v1::$proto) -> Result<Self, Malformed> {
                use v1::$module::$proto as Case;
                let case = stored.$module.ok_or(Malformed::new("is missing"))?;
                Ok(match case { $($take => $value),+ })
            }
        }

        required!($model = $proto);
    };
}

const NOTHING: v1::Nothing = v1::Nothing {};

one_of! { Key = Key::key {
    Self::Span(trace, span) => Case::Span((*trace, *span).put()),
        Case::Span(it) => { let (trace, span) = Wire::take(it)?; Self::Span(trace, span) };
    Self::Call(turn, id) => Case::Call(v1::CallKey { turn: turn.put(), id: id.put() }),
        Case::Call(it) => Self::Call(Wire::take(it.turn)?, it.id.into());
    Self::Mcp(session, request) => Case::Mcp(v1::McpKey { session: session.put(), request: request.put() }),
        Case::Mcp(it) => Self::Mcp(it.session.into(), it.request.into());
    Self::Kth(turn, tool, parameters, k) => Case::Kth(v1::KthKey {
            turn: turn.put(), tool: tool.put(), parameters: parameters.put(), k: *k,
        }),
        Case::Kth(it) => Self::Kth(Wire::take(it.turn)?, it.tool.into(), Wire::take(it.parameters)?, it.k);
    Self::Part(evidence, part) => Case::Part(v1::PartKey { evidence: evidence.put(), part: part.put() }),
        Case::Part(it) => Self::Part(Wire::take(it.evidence)?, Wire::take(it.part)?);
} }

one_of! { Says = Says::says {
    Self::Call(it) => Case::Call(it.put()), Case::Call(it) => Self::Call(Wire::take(it)?);
    Self::Decision(it) => Case::Decision(it.put()), Case::Decision(it) => Self::Decision(Wire::take(it)?);
    Self::Check(it) => Case::Check(it.put()), Case::Check(it) => Self::Check(Wire::take(it)?);
} }

one_of! { Moment = Moment::moment {
    Self::Proposed => Case::Proposed(NOTHING), Case::Proposed(_) => Self::Proposed;
    Self::Carried => Case::Carried(NOTHING), Case::Carried(_) => Self::Carried;
    Self::History => Case::History(NOTHING), Case::History(_) => Self::History;
    Self::Asked => Case::Asked(NOTHING), Case::Asked(_) => Self::Asked;
    Self::Ran { status, proof } => Case::Ran(v1::Ran { error: status.put(), proof: proof.put() }),
        Case::Ran(it) => Self::Ran { status: Wire::take(it.error)?, proof: Proof::take(it.proof)? };
    Self::Answered { error, history } => Case::Answered(v1::Answered { error: *error, history: *history }),
        Case::Answered(it) => Self::Answered { error: it.error, history: it.history };
    Self::Refused { by } => Case::Refused(by.put()), Case::Refused(by) => Self::Refused { by: By::take(by)? };
} }

one_of! { Pseudo = Pseudo::pseudo {
    Self::Delegation { to } => Case::Delegation(v1::Delegation { to: to.put() }),
        Case::Delegation(it) => Self::Delegation { to: Wire::take(it.to)? };
    Self::Behind { agent } => Case::Behind(agent.put()), Case::Behind(agent) => Self::Behind { agent: agent.into() };
    Self::Control => Case::Control(NOTHING), Case::Control(_) => Self::Control;
} }

one_of! { Tie = Tie::tie {
    Self::Response(id) => Case::Response(id.put()), Case::Response(id) => Self::Response(id.into());
    Self::Task(id) => Case::Task(id.put()), Case::Task(id) => Self::Task(id.into());
    Self::Conversation(id) => Case::Conversation(id.put()), Case::Conversation(id) => Self::Conversation(id.into());
    Self::Answer(hash) => Case::Answer(hash.put()), Case::Answer(hash) => Self::Answer(Wire::take(hash)?);
    Self::Stands(id) => Case::Stands(id.put()), Case::Stands(id) => Self::Stands(id.into());
    Self::Checks(id) => Case::Checks(id.put()), Case::Checks(id) => Self::Checks(id.into());
    Self::Modes(id) => Case::Modes(id.put()), Case::Modes(id) => Self::Modes(id.into());
} }

one_of! { State = State::state {
    Self::Proposed => Case::Proposed(NOTHING), Case::Proposed(_) => Self::Proposed;
    Self::Asked => Case::Asked(NOTHING), Case::Asked(_) => Self::Asked;
    Self::Executed(how) => Case::Executed(how.put()), Case::Executed(how) => Self::Executed(Wire::take(how)?);
    Self::Refused(by) => Case::Refused(by.put()), Case::Refused(by) => Self::Refused(By::take(by)?);
    Self::Aborted => Case::Aborted(NOTHING), Case::Aborted(_) => Self::Aborted;
    Self::Expired => Case::Expired(NOTHING), Case::Expired(_) => Self::Expired;
} }

one_of! { Execution = Execution::execution {
    Self::Ok => Case::Ok(NOTHING), Case::Ok(_) => Self::Ok;
    Self::Failed(why) => Case::Failed(why.put()), Case::Failed(why) => Self::Failed(why.into());
    Self::UnknownResult => Case::UnknownResult(NOTHING), Case::UnknownResult(_) => Self::UnknownResult;
} }

impl Wire<Option<String>> for Status {
    fn put(&self) -> Option<String> {
        match self {
            Self::Fine => None,
            Self::Error(why) => Some(why.put()),
        }
    }

    fn take(stored: Option<String>) -> Result<Self, Malformed> {
        Ok(stored.map_or(Self::Fine, |why| Self::Error(why.into())))
    }
}
