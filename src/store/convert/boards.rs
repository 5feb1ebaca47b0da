//! Boards, incidents and the steps that contain them.

use crate::engine::BoardKey;
use crate::engine::parts::{Act, Decided, Incident, Note, Pin, Place, Read, Step, Topic, Violation, Window};
use crate::model::{ActionId, FindingId, Nanos, Tenant};
use crate::proto::records as v1;

use super::{Entry, Malformed, Wire, record, required, tuple};

record! { Decided = Decided { allowed, rubber_stamp, prompt } }
record! { Read = LaterRead { tool, parameters, output, target } }
tuple! { (Nanos, ActionId) = Place { 0: at, 1: action } }
tuple! { (Topic, Place) = LeftNote { 0: topic, 1: place } }

impl Wire<v1::Window> for Window {
    fn put(&self) -> v1::Window {
        use v1::window::Window as Case;
        let case = match self {
            Self::Turn(turn) => Case::Turn(turn.put()),
            Self::Conversation(conversation) => Case::Conversation(conversation.put()),
            Self::Slice(agent, start) => Case::Slice(v1::WindowSlice { agent: agent.put(), start: start.put() }),
        };
        v1::Window { window: Some(case) }
    }

    fn take(stored: v1::Window) -> Result<Self, Malformed> {
        use v1::window::Window as Case;
        Ok(match stored.window.ok_or(Malformed::new("is missing"))? {
            Case::Turn(turn) => Self::Turn(Wire::take(turn)?),
            Case::Conversation(conversation) => Self::Conversation(Wire::take(conversation)?),
            Case::Slice(it) => Self::Slice(it.agent.into(), Nanos(it.start)),
        })
    }
}

required!(Window = Window);

impl Wire<v1::Topic> for Topic {
    fn put(&self) -> v1::Topic {
        use v1::topic::Topic as Case;
        let case = match self {
            Self::Limit(rule, window) => Case::Limit(v1::LimitTopic { rule: rule.put(), window: window.put() }),
            Self::Approver(approver, effect) => {
                Case::Approver(v1::ApproverTopic { approver: approver.put(), effect: effect.put() })
            }
            Self::Later(rule) => Case::Later(rule.put()),
        };
        v1::Topic { topic: Some(case) }
    }

    fn take(stored: v1::Topic) -> Result<Self, Malformed> {
        use v1::topic::Topic as Case;
        Ok(match stored.topic.ok_or(Malformed::new("is missing"))? {
            Case::Limit(it) => Self::Limit(it.rule.into(), Wire::take(it.window)?),
            Case::Approver(it) => Self::Approver(it.approver.into(), it.effect.into()),
            Case::Later(rule) => Self::Later(rule.into()),
        })
    }
}

required!(Topic = Topic);

impl Wire<v1::Note> for Note {
    fn put(&self) -> v1::Note {
        use v1::note::Note as Case;
        let case = match self {
            Self::Counted => Case::Counted(v1::Nothing {}),
            Self::Decided(decided) => Case::Decided(decided.put()),
            Self::Waits(until) => Case::Waits(until.put()),
            Self::Read(read) => Case::Read(read.put()),
        };
        v1::Note { note: Some(case) }
    }

    fn take(stored: v1::Note) -> Result<Self, Malformed> {
        use v1::note::Note as Case;
        Ok(match stored.note.ok_or(Malformed::new("is missing"))? {
            Case::Counted(_) => Self::Counted,
            Case::Decided(decided) => Self::Decided(Wire::take(decided)?),
            Case::Waits(until) => Self::Waits(Nanos(until)),
            Case::Read(read) => Self::Read(Wire::take(read)?),
        })
    }
}

required!(Note = Note);

/// A note, where it is, and whose.
pub(in crate::store) type BoardNote = (BoardKey, Place, Pin);

impl Wire<v1::BoardNote> for BoardNote {
    fn put(&self) -> v1::BoardNote {
        let ((tenant, topic), place, pin) = self;
        v1::BoardNote {
            tenant: tenant.put(),
            topic: topic.put(),
            place: place.put(),
            note: pin.note.put(),
            handle: pin.handle,
            heard: pin.heard.put(),
        }
    }

    fn take(stored: v1::BoardNote) -> Result<Self, Malformed> {
        let tenant: Tenant = Wire::take(stored.tenant)?;
        let topic = Wire::take(stored.topic).map_err(|at| at.within("topic"))?;
        let place = Wire::take(stored.place).map_err(|at| at.within("place"))?;
        let note = Wire::take(stored.note).map_err(|at| at.within("note"))?;
        Ok(((tenant, topic), place, Pin { note, handle: stored.handle, heard: Nanos(stored.heard) }))
    }
}

impl Wire<v1::Incident> for Incident {
    fn put(&self) -> v1::Incident {
        v1::Incident {
            id: self.id.put(),
            tenant: self.tenant.put(),
            turn: self.turn.put(),
            conversation: self.conversation.put(),
            agent: self.agent.put(),
            service: self.service.put(),
            opened: self.opened.put(),
            detected: self.detected.put(),
            latest: self.latest.put(),
            contained: self.contained.put(),
            contained_by: self.contained_by.put(),
            leaked: self.leaked,
            findings: self.findings.put(),
            acts: self.acts.put(),
        }
    }

    fn take(stored: v1::Incident) -> Result<Self, Malformed> {
        let opened = Nanos(stored.opened);
        let findings = stored.findings.into_iter().map(|it| {
            let at = it.at.map_or(opened, Nanos);
            let action: ActionId = Wire::take(it.action)?;
            let name = it.name.map(Wire::take).transpose()?.unwrap_or(action);
            Ok((Wire::take(it.finding)?, Violation { at, name, action, handle: it.handle }))
        });
        Ok(Self {
            id: Wire::take(stored.id).map_err(|at: Malformed| at.within("id"))?,
            tenant: Wire::take(stored.tenant)?,
            turn: Wire::take(stored.turn).map_err(|at: Malformed| at.within("turn"))?,
            conversation: Wire::take(stored.conversation)?,
            agent: stored.agent.into(),
            // A former version did not say.
            service: stored.service.map(Wire::take).transpose()?.unwrap_or_default(),
            opened,
            detected: Wire::take(stored.detected)?,
            latest: Wire::take(stored.latest)?,
            contained: Wire::take(stored.contained)?,
            contained_by: Wire::take(stored.contained_by).map_err(|at: Malformed| at.within("contained_by"))?,
            leaked: stored.leaked,
            findings: findings.collect::<Result<_, Malformed>>().map_err(|at| at.within("findings"))?,
            acts: Wire::take(stored.acts).map_err(|at: Malformed| at.within("acts"))?,
        })
    }
}

impl Entry<FindingId, Violation> for v1::IncidentFinding {
    fn of(finding: &FindingId, violation: &Violation) -> Self {
        Self {
            finding: finding.put(),
            action: violation.action.put(),
            at: Some(violation.at.put()),
            handle: violation.handle,
            name: Some(violation.name.put()),
        }
    }

    fn parts(self) -> Result<(FindingId, Violation), Malformed> {
        let at = self.at.map(Nanos).unwrap_or_default();
        let action: ActionId = Wire::take(self.action)?;
        let name = self.name.map(Wire::take).transpose()?.unwrap_or(action);
        Ok((Wire::take(self.finding)?, Violation { at, name, action, handle: self.handle }))
    }
}

impl Entry<ActionId, Act> for v1::IncidentAct {
    fn of(action: &ActionId, act: &Act) -> Self {
        Self { action: action.put(), at: act.at.put(), did: act.did.put() }
    }

    fn parts(self) -> Result<(ActionId, Act), Malformed> {
        Ok((Wire::take(self.action)?, Act { at: Nanos(self.at), did: Wire::take(self.did)? }))
    }
}

impl Wire<v1::Step> for (Tenant, Step) {
    fn put(&self) -> v1::Step {
        let (tenant, step) = self;
        v1::Step {
            tenant: tenant.put(),
            at: step.at.put(),
            step: step.step.put(),
            evidence: step.evidence.put(),
            service: step.service.put(),
            independent: step.independent,
            turn: step.turn.put(),
            conversation: step.conversation.put(),
            agent: step.agent.put(),
        }
    }

    fn take(stored: v1::Step) -> Result<Self, Malformed> {
        let step = Step {
            at: Nanos(stored.at),
            step: Wire::take(stored.step).map_err(|at: Malformed| at.within("step"))?,
            evidence: Wire::take(stored.evidence).map_err(|at: Malformed| at.within("evidence"))?,
            service: Wire::take(stored.service).map_err(|at: Malformed| at.within("service"))?,
            independent: stored.independent,
            turn: Wire::take(stored.turn).map_err(|at: Malformed| at.within("turn"))?,
            conversation: Wire::take(stored.conversation)?,
            agent: Wire::take(stored.agent)?,
        };
        Ok((Wire::take(stored.tenant)?, step))
    }
}

#[cfg(test)]
mod any {
    //! Values for the tests of every record.

    use super::super::tests::{Any, Source};
    use super::*;
    use crate::engine::parts::Did;
    use crate::model::{Containment, Stop};

    impl Any for Window {
        fn any(source: &mut Source) -> Self {
            match source.pick(&[0, 1, 2]) {
                0 => Self::Turn(Any::any(source)),
                1 => Self::Conversation(Any::any(source)),
                _ => Self::Slice(Any::any(source), Any::any(source)),
            }
        }
    }

    impl Any for Topic {
        fn any(source: &mut Source) -> Self {
            match source.pick(&[0, 1, 2]) {
                0 => Self::Limit(Any::any(source), Any::any(source)),
                1 => Self::Approver(Any::any(source), Any::any(source)),
                _ => Self::Later(Any::any(source)),
            }
        }
    }

    impl Any for Note {
        fn any(source: &mut Source) -> Self {
            match source.pick(&[0, 1, 2, 3]) {
                0 => Self::Counted,
                1 => Self::Decided(Any::any(source)),
                2 => Self::Waits(Any::any(source)),
                _ => Self::Read(Any::any(source)),
            }
        }
    }

    impl Any for Pin {
        fn any(source: &mut Source) -> Self {
            Self { note: Any::any(source), handle: Any::any(source), heard: Any::any(source) }
        }
    }

    impl Any for Violation {
        fn any(source: &mut Source) -> Self {
            Self { at: Any::any(source), name: Any::any(source), action: Any::any(source), handle: Any::any(source) }
        }
    }

    impl Any for Act {
        fn any(source: &mut Source) -> Self {
            Self { at: Any::any(source), did: source.pick(Did::ALL) }
        }
    }

    impl Any for Step {
        fn any(source: &mut Source) -> Self {
            Self {
                at: Any::any(source),
                step: source.pick(Containment::ALL),
                evidence: Any::any(source),
                service: Any::any(source),
                independent: Any::any(source),
                turn: Any::any(source),
                conversation: Any::any(source),
                agent: Any::any(source),
            }
        }
    }

    impl Any for Incident {
        fn any(source: &mut Source) -> Self {
            Self {
                id: Any::any(source),
                tenant: Any::any(source),
                turn: Any::any(source),
                conversation: Any::any(source),
                agent: Any::any(source),
                service: Any::any(source),
                opened: Any::any(source),
                detected: Any::any(source),
                latest: Any::any(source),
                contained: Any::any(source),
                contained_by: source.pick(&[None, Some(Stop::Command), Some(Stop::Refusal)]),
                leaked: Any::any(source),
                findings: Any::any(source),
                acts: Any::any(source),
            }
        }
    }
}
