//! Folds one piece of evidence into the book. Touches the turn it stands in and the components it speaks of,
//! however long the conversation.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use crate::model::Nanos;
use crate::model::{
    Body, Call, Check, CheckResult, Cost, Decision, Direction, Evidence, EvidenceId, Fact, Hash, Key, Known, Messages,
    Missing, ModeAt, ModelUse, Moment, Node, Piece, PlanText, Provenance, Says, SpanId, SpanNode, Tenant, Text,
    ToolDefinition, TraceId, TurnId, What, Witness,
};
use crate::model::{CallSays, Outcome, Pseudo, Shared, Stand};
use crate::values::{self, standing};

use super::above::place;
use super::messages::{self, Cursor, Hashed, Reading as MessageReading, Uttered};
use super::models;
use super::pair::REPEATED;
use super::state::{About, ActionState, Attached, Book, Handle, Ranked, TurnState, Utterance};
use super::tree::Met;

/// How many message arrays a turn remembers: one per agent is enough.
const CURSORS: usize = 8;
/// How many of the last responses, answers and words of users a turn keeps to be tied by. More than it reads of
/// others, so that it knows its own.
const LAST: usize = 8;
/// How many ties of other kinds a turn keeps.
const TIES: usize = 16;
/// Of how many spans a turn keeps what users said in records of their own.
const ASKED: usize = 64;
/// How many policies, retrievals, links, ties, decisions about plans, containment steps a turn keeps of each, and how
/// many decisions, checks and targets about one thing.
const SHARED: usize = 256;
/// How many tools a turn keeps the definitions of.
const TOOLS: usize = 512;

/// What one piece of evidence changed.
#[derive(Debug, Default, PartialEq)]
pub struct Touched {
    /// The turn it stands in.
    pub turn: TurnId,
    /// It was there already, byte for byte.
    pub duplicate: bool,
    /// Components that got something new.
    pub actions: BTreeSet<Handle>,
    /// Turns whose shared facts changed, and since when: settled actions that end then or later are read again.
    pub turns: BTreeMap<TurnId, Nanos>,
    /// Components of which something was said elsewhere: settled ones are read again.
    pub told: BTreeSet<Handle>,
    /// Components whose turn is of another conversation now: halves of the same action may be others.
    pub kin: BTreeSet<Handle>,
    /// Components that turned out to be one: (kept, gone).
    pub merged: Vec<(Handle, Handle)>,
    /// The turn's root has ended.
    pub root: bool,
    /// Texts that rows refer to and do not hold.
    pub bodies: Vec<Body>,
}

impl Touched {
    /// Of components that became one after another, all name the one that is left.
    fn name_survivors(&mut self) {
        let gone: HashMap<Handle, Handle> = self.merged.iter().map(|(kept, gone)| (*gone, *kept)).collect();
        for (kept, _) in &mut self.merged {
            while let Some(survivor) = gone.get(kept) {
                *kept = *survivor;
            }
        }
    }
}

/// The turn of a trace.
pub fn turn_of_trace(tenant: &Tenant, trace: TraceId) -> TurnId {
    turn_id(tenant, b"trace", &[&trace.0])
}

/// The turn that collects what is said about a model response by its id alone.
pub fn turn_of_response(tenant: &Tenant, response: &str) -> TurnId {
    turn_id(tenant, b"response", &[response.as_bytes()])
}

fn turn_id(tenant: &Tenant, kind: &[u8], parts: &[&[u8]]) -> TurnId {
    let mut hasher = blake3::Hasher::new();
    for part in [&[tenant.as_str().as_bytes(), kind], parts].concat() {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut id = [0; 16];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    TurnId(id)
}

/// The turn a record stands in: a log record's own turn where its dialect names one, else its trace, else its
/// conversation, else itself.
pub fn turn_of(evidence: &Evidence) -> TurnId {
    let tenant = &evidence.tenant;
    let service = [evidence.service.namespace.as_bytes(), evidence.service.name.as_bytes()];
    // A span's place in its trace is its turn: what stands above and below it is looked for there.
    for fact in evidence.facts.iter().filter(|_| evidence.node == Node::Log) {
        if let What::Turn(id) = &fact.what {
            return turn_id(tenant, b"turn", &[service[0], service[1], id.as_bytes()]);
        }
    }
    if let Some(trace) = evidence.trace {
        return turn_of_trace(tenant, trace);
    }
    for fact in &evidence.facts {
        if let What::Conversation(id) = &fact.what {
            return turn_id(tenant, b"conversation", &[service[0], service[1], id.as_bytes()]);
        }
    }
    turn_id(tenant, b"record", &[&evidence.id.0])
}

/// The span that a check is about, by its own word or as the one that the check's span links to.
pub fn checked_span(evidence: &Evidence, check: &Check) -> Option<(TraceId, SpanId)> {
    match evidence.links[..] {
        [only] if evidence.node == Node::Check => check.about.or(Some(only)),
        _ => check.about,
    }
}

/// What a record's checks are about, where they name no call.
fn checked(evidence: &Evidence) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
    evidence.facts.iter().filter_map(|fact| match &fact.what {
        What::Checked { tool, target } => Some((tool, target)),
        _ => None,
    })
}

impl Book {
    /// Adds one piece of evidence.
    pub fn fold(&mut self, evidence: &Evidence) -> Touched {
        let id = turn_of(evidence);
        self.arrived = self.arrived.map(|arrived| arrived + 1);
        let own = evidence.trace.filter(|trace| turn_of_trace(&evidence.tenant, *trace) == id);
        let new = || Arc::new(TurnState::new(id, evidence.tenant.clone(), own));
        let turn = Arc::make_mut(self.turns.entry(id).or_insert_with(new));
        turn.trace = turn.trace.or(own);
        let mut touched = Touched { turn: id, ..Touched::default() };
        if !turn.evidence.insert(evidence.id) {
            touched.duplicate = true;
            return touched;
        }
        let mut fold = Fold { book: self, evidence, turn: id, touched, part: 0, tied: false };
        fold.header();
        for (index, fact) in evidence.facts.iter().enumerate() {
            fold.part = u16::try_from(index).unwrap_or(u16::MAX);
            fold.fact(fact);
        }
        let (mut touched, tied) = (fold.touched, fold.tied);
        touched.name_survivors();
        touched.told.extend(self.place(&touched.actions, id));
        if tied {
            self.tie(id);
        }
        touched
    }
}

/// One folding: the book, the evidence, and what changed so far.
struct Fold<'a> {
    book: &'a mut Book,
    evidence: &'a Evidence,
    turn: TurnId,
    touched: Touched,
    part: u16,
    /// What ties the turn to others changed.
    tied: bool,
}

impl Fold<'_> {
    fn turn(&mut self) -> &mut TurnState {
        Arc::make_mut(self.book.turns.get_mut(&self.turn).expect("`fold` put the turn there"))
    }

    fn ranked<T>(&self, provenance: Provenance, read_at: u64, value: T) -> Ranked<T> {
        let start = self.book.arrived.map_or(self.evidence.start, Nanos);
        Ranked { provenance, start, read_at, evidence: self.evidence.id, value }
    }

    /// The shared facts of the turn changed.
    fn shared(&mut self, changed: bool) {
        self.shared_since(changed, Nanos(0));
    }

    /// A fact that actions share which end at a time or later.
    fn shared_since(&mut self, changed: bool, since: Nanos) {
        if changed {
            touch(&mut self.touched.turns, self.turn, since);
        }
    }

    fn header(&mut self) {
        let evidence = self.evidence;
        // A log record may be a bystander's: its word counts where there is no span.
        let is_log = evidence.node == Node::Log;
        let provenance = if is_log { Provenance::Inferred } else { Provenance::Dialect };
        let service = self.ranked(provenance, 0, evidence.service.clone());
        let links = evidence.links.iter().map(|(trace, _)| turn_of_trace(&evidence.tenant, *trace));
        let own = self.turn;
        let turn = self.turn();
        turn.start = turn.start.min(evidence.start);
        turn.end = turn.end.max(evidence.end);
        let mut changed = evidence.sampled && !turn.sampled;
        turn.sampled |= evidence.sampled;
        if !(is_log && evidence.role.is_independent()) {
            changed |= service.offer(&mut turn.service);
        }
        for linked in links.filter(|linked| *linked != own) {
            keep_smallest(&mut turn.links, linked);
        }
        self.shared(changed);
        if let (Some(trace), Some(span), true) = (evidence.trace, evidence.span, evidence.node != Node::Log) {
            self.span(trace, span);
        }
    }

    /// The turn is of another conversation: calls of it may go on in other turns, or not.
    fn moves(&mut self) {
        let Some(turn) = self.book.turns.get(&self.turn) else { return };
        let named = |handle: &&Handle| !turn.idless.contains(handle);
        self.touched.kin.extend(turn.members.iter().filter(named));
    }

    /// Puts a span into the tree, and looks again from the spans below it.
    fn span(&mut self, trace: TraceId, span: SpanId) {
        let evidence = self.evidence;
        let call = evidence.facts.iter().find_map(|fact| match &fact.what {
            What::Call(call) => Some(&**call),
            _ => None,
        });
        // A tool's span that hands over stands for the agent where that has none of its own.
        let agent = match evidence.node {
            Node::Agent => self.agent(),
            Node::Tool => call.and_then(handed_to).map(|to| (to.clone(), None)),
            _ => None,
        };
        let names_agent = agent.is_some();
        let node = SpanNode {
            parent: evidence.parent,
            node: evidence.node,
            tool: call.and_then(|call| call.tool.clone()),
            call_id: call.and_then(|call| call.id.clone()),
            agent,
            remote_parent: evidence.remote_parent,
            start: evidence.start,
            end: evidence.end,
        };
        // An agent with a parent elsewhere may be a sub-agent whose caller still runs.
        let root = node.parent.is_none();
        let turn = self.turn();
        let had_gaps = turn.has_gaps();
        let is_tool = node.node == Node::Tool;
        // Whose words a model was told, its place tells.
        let mut changed = names_agent || is_tool && !turn.tool_spans || !turn.stands.is_empty();
        turn.tool_spans |= is_tool;
        let before = turn.views_from(span);
        let starts = turn.put_span(span, node);
        // Who stands above what is below it may be another now.
        changed |= before.into_iter().any(|(start, view)| turn.view(start) != view);
        if root {
            // When it ended is nothing that its actions share.
            changed |= turn.root_ended.is_none();
            turn.root_ended = turn.root_ended.max(Some(evidence.end));
            self.touched.root = true;
        }
        for start in starts {
            self.climb(trace, start);
        }
        changed |= self.turn().has_gaps() != had_gaps;
        self.shared(changed);
    }

    /// Looks for the nearest tool above a tool or agent span.
    fn climb(&mut self, trace: TraceId, start: SpanId) {
        for (above, met) in self.turn().look_up(start) {
            match met {
                Met::Same => drop(self.component(&[Key::Span(trace, above), Key::Span(trace, start)])),
                Met::Caller => self.delegates(trace, above),
                Met::Another => {}
            }
        }
    }

    /// A tool span with an agent below it hands over; it is an edge, not an action.
    fn delegates(&mut self, trace: TraceId, tool: SpanId) {
        let handle = self.component(&[Key::Span(trace, tool)]);
        let action = Arc::make_mut(self.book.actions.get_mut(&handle).expect("`component` put it there"));
        if !action.delegates {
            action.delegates = true;
            self.touched.actions.insert(handle);
        }
    }

    fn fact(&mut self, fact: &Fact) {
        let provenance = fact.provenance;
        let bodies = &self.evidence.bodies;
        match &fact.what {
            What::Turn(_) | What::Cost(_) | What::Checked { .. } => {}
            What::Response(id) => {
                let last = (self.evidence.end, id.clone());
                keep_last(&mut self.turn().responses, last);
                self.tied = true;
            }
            What::Gives(tie) => self.tied |= keep_few(&mut self.turn().gives, tie.clone(), TIES),
            What::Takes(tie) => self.tied |= keep_few(&mut self.turn().takes, tie.clone(), TIES),
            What::Spoke { direction, by_user, hash } => self.spoke(*direction, *by_user, *hash),
            What::Conversation(id) => {
                let ranked = self.ranked(provenance, 0, id.clone());
                let changed = ranked.offer(&mut self.turn().conversation);
                self.tied |= changed;
                self.shared(changed);
                if changed {
                    self.moves();
                }
            }
            What::Agent { name, version } => {
                let ranked = self.ranked(provenance, 0, (name.clone(), version.clone()));
                let changed = ranked.offer(&mut self.turn().agent);
                self.shared(changed);
            }
            What::IntentId(id) => {
                let ranked = self.ranked(provenance, 0, id.clone());
                let changed = ranked.offer(&mut self.turn().intent_id);
                self.shared(changed);
            }
            What::Intent(text) => {
                match self.evidence.span.filter(|_| self.evidence.node == Node::Log) {
                    Some(span) => self.asked(span, provenance, text, bodies),
                    None => self.intent(provenance, 0, text.clone(), bodies),
                }
                self.utter_all(text);
            }
            What::Prompt(text) => self.prompt(provenance, 0, text.clone(), bodies),
            What::PromptVersion(version) => {
                let ranked = self.ranked(provenance, 0, version.clone());
                let changed = ranked.offer(&mut self.turn().prompt_version);
                self.shared(changed);
            }
            What::Policy(policy) => {
                let turn = self.turn();
                let changed = keep_smallest(&mut turn.policies, policy.clone());
                self.shared(changed);
            }
            What::Mode { mode, bypass } => self.mode(mode, *bypass),
            What::Context { ids, withheld } => self.context(ids, *withheld),
            What::Plan { id, text } => self.plan(provenance, id.clone(), text),
            What::Model { provider, model, tokens } => self.model(provider, model, *tokens),
            What::Call(call) => self.call(provenance, call, 0, None),
            What::Messages(messages) => self.messages(provenance, messages),
            What::Decision(decision) => self.decision(provenance, decision),
            What::Target(target) => {
                if let Some(span) = self.evidence.span {
                    self.attach(self.turn, About::Span(span), Attached::Target(target.clone()));
                    self.speaks(span);
                }
            }
            What::Did(did) => {
                if let Some(span) = self.evidence.span {
                    self.attach(self.turn, About::Span(span), Attached::Did(*did));
                    self.speaks(span);
                }
            }
            What::Tools(tools) => self.tools(provenance, tools),
            What::Check(check) => self.check(provenance, check),
            What::Containment(step) => {
                let witness = self.witness(provenance);
                let at = self.evidence.end;
                let changed = keep_smallest(&mut self.turn().containment, (at, *step, witness));
                self.shared(changed);
            }
            What::Withheld => {
                let changed = !self.turn().withheld;
                self.turn().withheld = true;
                self.shared(changed);
            }
        }
    }

    /// Keeps the body of a text that a row will refer to.
    fn body_of(&mut self, text: &Text, bodies: &[Body]) {
        if !text.is_whole() {
            let body = bodies.iter().find(|body| body.digest == text.digest);
            self.touched.bodies.extend(body.cloned());
        }
    }

    fn intent(&mut self, provenance: Provenance, read_at: u64, text: Known<Text>, bodies: &[Body]) {
        let ranked = self.ranked(known_first(provenance, &text), read_at, text.clone());
        let changed = ranked.offer(&mut self.turn().intent);
        self.said(changed, &text, bodies);
    }

    /// What a user said in a record of its own: the last such record of a span is what its model was asked.
    fn asked(&mut self, span: SpanId, provenance: Provenance, text: &Known<Text>, bodies: &[Body]) {
        let said = self.ranked(known_first(provenance, text), 0, text.clone());
        let turn = self.turn();
        let before = turn.intent().cloned();
        turn.hear(span, said);
        while turn.asked.len() > ASKED {
            let last = turn.asked.iter().max_by_key(|(span, asked)| (asked.first, **span)).map(|(span, _)| *span);
            last.and_then(|last| turn.asked.remove(&last));
        }
        let asks = !turn.stands.is_empty();
        let changed = asks || before.as_ref().map(|it| &it.value) != turn.intent().map(|it| &it.value);
        self.said(true, text, bodies);
        self.shared(changed);
    }

    /// Words of a message that is a record of its own: its place is its time.
    fn spoke(&mut self, direction: Direction, by_user: bool, hash: Hash) {
        let end = self.evidence.end;
        self.tied = true;
        let turn = self.turn();
        match (direction, by_user) {
            (Direction::Output, _) => keep_last(&mut turn.answers, (end, hash)),
            (Direction::Input, true) => keep_last(&mut turn.users_read, (end.0, hash)),
            (Direction::Input, false) => keep_last(&mut turn.answers_read, (end.0, hash)),
        }
    }

    fn prompt(&mut self, provenance: Provenance, read_at: u64, text: Known<Text>, bodies: &[Body]) {
        let ranked = self.ranked(known_first(provenance, &text), read_at, text.clone());
        let changed = ranked.offer(&mut self.turn().prompt);
        self.said(changed, &text, bodies);
    }

    fn said(&mut self, changed: bool, text: &Known<Text>, bodies: &[Body]) {
        if let (true, Some(text)) = (changed, text.value()) {
            self.body_of(text, bodies);
        }
        self.shared(changed);
    }

    fn context(&mut self, ids: &[Arc<str>], withheld: bool) {
        let known = match withheld {
            true => Known::Missing(Missing::Withheld),
            false => Known::Value(ids.to_vec()),
        };
        let entry = (self.evidence.end, self.evidence.id, known);
        let turn = self.turn();
        let changed = keep_smallest(&mut turn.context, entry);
        self.shared_since(changed, self.evidence.end);
    }

    fn mode(&mut self, mode: &Arc<str>, bypass: Option<bool>) {
        let (at, evidence) = (self.evidence.start, self.evidence.id);
        let said = ModeAt { at, evidence, mode: mode.clone(), bypass };
        let changed = keep_smallest(&mut self.turn().modes, said);
        self.tied |= changed;
        self.shared_since(changed, at);
    }

    /// Tools as they are defined. Of too many those with the smallest names stay.
    fn tools(&mut self, provenance: Provenance, tools: &[ToolDefinition]) {
        let mut changed = false;
        for tool in tools {
            let digest = self.ranked(provenance, 0, tool.digest);
            let effect = tool.effect.map(|effect| self.ranked(provenance, 0, effect));
            let egress = tool.egress.map(|egress| self.ranked(provenance, 0, egress));
            let known = &mut self.turn().tools;
            let said = known.entry(tool.name.clone()).or_default();
            changed |= digest.offer(&mut said.digest);
            changed |= effect.is_some_and(|effect| effect.offer(&mut said.effect));
            changed |= egress.is_some_and(|egress| egress.offer(&mut said.egress));
            while known.len() > TOOLS {
                known.pop_last();
            }
        }
        self.shared(changed);
    }

    fn plan(&mut self, provenance: Provenance, id: Option<Arc<str>>, text: &Known<Text>) {
        let Known::Value(text) = text else { return };
        let bodies = &self.evidence.bodies;
        self.plan_at(provenance, self.evidence.end, PlanText { id, text: text.clone() }, bodies);
    }

    /// A plan, and since when it is known.
    fn plan_at(&mut self, provenance: Provenance, at: Nanos, plan: PlanText, bodies: &[Body]) {
        let text = Known::Value(plan.text.clone());
        let ranked = self.ranked(provenance, 0, plan.clone());
        let shared = Shared { value: plan, provenance, evidence: self.evidence.id, at };
        let is_new = self.turn().keep_plan(shared);
        let changed = ranked.offer(&mut self.turn().plan) || is_new;
        self.said(changed, &text, bodies);
    }

    fn model(&mut self, provider: &Arc<str>, model: &Arc<str>, tokens: (u64, u64)) {
        let response_id = self.response();
        let EvidenceId(id) = self.evidence.id;
        let record = SpanId([id[0], id[1], id[2], id[3], id[4], id[5], id[6], id[7]]);
        let (evidence, cost) = (self.evidence, self.cost());
        let (provider, model) = (provider.clone(), model.clone());
        let used = ModelUse { end: evidence.end, provider, model, tokens, response_id, cost };
        if evidence.node == Node::Log {
            // A span may hold the records of several calls.
            models::tell(&mut self.turn().logged, (evidence.span, evidence.id), used);
        } else {
            models::tell(&mut self.turn().models, evidence.span.unwrap_or(record), used);
        }
    }

    fn response(&self) -> Option<Arc<str>> {
        self.evidence.facts.iter().find_map(|fact| match &fact.what {
            What::Response(id) => Some(id.clone()),
            _ => None,
        })
    }

    fn cost(&self) -> Option<Cost> {
        let costs = self.evidence.facts.iter().filter_map(|fact| match &fact.what {
            What::Cost(cost) => Some(*cost),
            _ => None,
        });
        costs.max()
    }

    /// Reads a message array, or only what is new in it when the turn has read its beginning.
    fn messages(&mut self, provenance: Provenance, messages: &Messages) {
        let start = self.evidence.start;
        let read_at = messages.json.len() as u64;
        let direction = messages.direction;
        let cursors = self.turn().cursors.iter().enumerate().filter(|(_, cursor)| cursor.direction == direction);
        let known = cursors.rev().find_map(|(index, cursor)| Some((index, cursor.suffix(&messages.json, start)?)));
        let (reading, known, hashed) = match known {
            Some((index, (suffix, hashed))) => {
                let before = self.turn().cursors.get(index).map(|cursor| cursor.messages);
                let mut reading = messages::read(suffix, direction, before);
                if !reading.users.is_empty() {
                    // What stood before is history only now.
                    reading = messages::read(&messages.json, direction, None);
                }
                if reading.plan.is_none() {
                    reading.plan = self.turn().cursors.get(index).and_then(|it| it.plan.clone());
                }
                if reading.users.is_empty() {
                    // What was said before stands here too: whose words they are, each record's place tells.
                    reading.stands = self.turn().cursors.get(index).map(|it| it.stands.clone()).unwrap_or_default();
                }
                (reading, Some(index), hashed)
            }
            None => (messages::read(&messages.json, direction, None), None, Hashed::default()),
        };
        if !reading.idless
            && !reading.truncated
            && let Some(cursor) = Cursor::of(&messages.json, &reading, start, hashed)
        {
            let cursors = &mut self.turn().cursors;
            if let Some(index) = known {
                cursors.remove(index);
            } else if cursors.len() == CURSORS {
                cursors.remove(0);
            }
            cursors.push(cursor);
        }
        self.heard(&reading);
        self.uttered(&reading.stands);
        if let Some(plan) = &reading.plan {
            let plan = PlanText { id: None, text: plan.clone() };
            self.plan_at(Provenance::Computed, self.evidence.end, plan, &reading.bodies);
        }
        if reading.withheld {
            let changed = !self.turn().withheld;
            self.turn().withheld = true;
            self.shared(changed);
        }
        if let Some(intent) = reading.intent {
            self.intent(provenance, read_at, intent, &reading.bodies);
        }
        if let Some(prompt) = reading.prompt {
            self.prompt(provenance, read_at, prompt, &reading.bodies);
        }
        let mut seen = HashMap::new();
        let mut last = VecDeque::new();
        for call in &reading.calls {
            let kth = call.id.is_none().then(|| self.kth(call, &mut seen, &mut last)).flatten();
            if call.id.is_some() || kth.is_some() {
                self.call_in(provenance, call, read_at, kth, &reading.bodies);
            }
        }
    }

    /// Keeps what binds the conversation in an array that a model read.
    fn uttered(&mut self, stands: &[Uttered]) {
        for Uttered { stand, k, place, now } in stands {
            self.utter(stand.clone(), *k, *place, Some(*now));
        }
    }

    /// Keeps what binds the conversation in what a record says that the user asked for.
    fn utter_all(&mut self, text: &Known<Text>) {
        let Known::Value(text) = text else { return };
        let body = self.evidence.bodies.iter().find(|body| body.digest == text.digest);
        let whole = body.and_then(|body| std::str::from_utf8(&body.bytes).ok()).unwrap_or(&text.head);
        let now = (self.evidence.node != Node::Log || self.evidence.span.is_none()).then_some(true);
        for (part, stand) in standing::stands(whole).into_iter().enumerate() {
            self.utter(stand, 0, place(0, part), now);
        }
    }

    fn utter(&mut self, stand: Stand, k: u32, place: u64, now: Option<bool>) {
        let Evidence { id, start, span, .. } = *self.evidence;
        let at = self.book.arrived.map_or(start, Nanos);
        let changed = self.turn().utter(stand, k, Utterance { at, place, evidence: id, span, now });
        self.tied |= changed;
        self.shared(changed);
    }

    /// Keeps the last of what was said in an array, to be tied by.
    fn heard(&mut self, reading: &MessageReading) {
        let end = self.evidence.end;
        self.tied |= !reading.answers.is_empty();
        let turn = self.turn();
        match reading.direction {
            Direction::Output => {
                // The last alone: how much of a growing array is read again must not matter.
                let last = reading.answers.last().into_iter();
                last.for_each(|(_, hash)| keep_last(&mut turn.answers, (end, *hash)));
            }
            Direction::Input => {
                let last = |said: &[(u64, Hash)]| said.iter().rev().take(LAST).copied().collect::<Vec<_>>();
                last(&reading.answers).into_iter().for_each(|said| keep_last(&mut turn.answers_read, said));
                last(&reading.users).into_iter().for_each(|said| keep_last(&mut turn.users_read, said));
            }
        }
    }

    /// The key of a call without an id: its place among the calls of the same tool and digest. An answer without
    /// an id belongs to the oldest call that has none yet.
    fn kth(&self, call: &Call, seen: &mut HashMap<(Arc<str>, Hash), u32>, open: &mut VecDeque<Key>) -> Option<Key> {
        if matches!(call.moment, Moment::Answered { .. } | Moment::Refused { .. }) {
            return open.pop_front();
        }
        let tool = call.tool.clone()?;
        let digest = call.arguments.value().map(|text| text.digest.bytes).unwrap_or_default();
        let next = seen.entry((tool.clone(), digest)).or_insert(0);
        let key = Key::Kth(self.turn, tool, digest, *next);
        *next = next.saturating_add(1);
        open.push_back(key.clone());
        Some(key)
    }

    fn call(&mut self, provenance: Provenance, call: &Call, read_at: u64, kth: Option<Key>) {
        let evidence = self.evidence;
        self.call_in(provenance, call, read_at, kth, &evidence.bodies);
    }

    fn call_in(&mut self, provenance: Provenance, call: &Call, read_at: u64, kth: Option<Key>, bodies: &[Body]) {
        let evidence = self.evidence;
        let mut keys = self.keys_of(call, read_at);
        keys.extend(kth);
        if keys.is_empty() {
            keys.push(Key::Part(evidence.id, self.part));
        }
        let says = Says::Call(Box::new(CallSays {
            moment: call.moment.clone(),
            id: call.id.clone(),
            tool: call.tool.clone(),
            arguments: call.arguments.clone(),
            result: call.result.clone(),
            target: call.target.clone(),
            effect: call.effect,
            egress: call.egress,
            plan_step: call.plan_step.clone(),
            state_versions: call.state_versions.clone(),
            policies: self.policies(),
            pseudo: call.pseudo.clone(),
            response_id: matches!(call.moment, Moment::Proposed).then(|| self.response()).flatten(),
        }));
        let kept = self.piece(provenance, &keys, read_at, says);
        if kept {
            self.plan_of(provenance, call, bodies);
            for text in [&call.arguments, &call.result].into_iter().filter_map(Known::value) {
                self.body_of(text, bodies);
            }
        }
    }

    /// The plan that a call of a plan tool writes down: known when the model has asked for it, or when the tool begins.
    fn plan_of(&mut self, provenance: Provenance, call: &Call, bodies: &[Body]) {
        let at = match call.moment {
            Moment::Proposed | Moment::Asked => self.evidence.end,
            Moment::Ran { .. } => self.evidence.start,
            _ => return,
        };
        let keeps = call.tool.as_deref().is_some_and(values::plan::keeps_plan);
        if let (true, Known::Value(text)) = (keeps, &call.arguments) {
            self.plan_at(provenance, at, PlanText { id: None, text: text.clone() }, bodies);
        }
    }

    /// The keys that a record gives a call of its own.
    fn keys_of(&self, call: &Call, read_at: u64) -> Vec<Key> {
        let evidence = self.evidence;
        let mut keys = Vec::with_capacity(3);
        let of_span = matches!(call.moment, Moment::Ran { .. } | Moment::Asked | Moment::Refused { .. });
        let own_span = of_span && evidence.node == Node::Tool && read_at == 0;
        if let (true, Some(trace), Some(span)) = (own_span, evidence.trace, evidence.span) {
            keys.push(Key::Span(trace, span));
        }
        keys.extend(call.id.clone().map(|id| Key::Call(self.turn, id)));
        keys.extend(call.mcp.clone().map(|(session, request)| Key::Mcp(session, request)));
        keys
    }

    /// The one call that a record tells of: what it decides or finds without naming a call is about that.
    fn only_call(&self) -> Vec<Key> {
        let mut calls = self.evidence.facts.iter().enumerate().filter_map(|(index, fact)| match &fact.what {
            What::Call(call) => Some((index, call)),
            _ => None,
        });
        let (Some((index, call)), None) = (calls.next(), calls.next()) else { return Vec::new() };
        let keys = self.keys_of(call, 0);
        match keys.is_empty() {
            true => vec![Key::Part(self.evidence.id, u16::try_from(index).unwrap_or(u16::MAX))],
            false => keys,
        }
    }

    fn policies(&self) -> Vec<Arc<str>> {
        let own = self.evidence.facts.iter().filter_map(|fact| match &fact.what {
            What::Policy(policy) => Some(policy.clone()),
            _ => None,
        });
        own.collect()
    }

    /// The agent that the record names.
    fn agent(&self) -> Option<(Arc<str>, Option<Arc<str>>)> {
        self.evidence.facts.iter().find_map(|fact| match &fact.what {
            What::Agent { name, version } => Some((name.clone(), version.clone())),
            _ => None,
        })
    }

    fn witness(&self, provenance: Provenance) -> Witness {
        Witness {
            evidence: self.evidence.id,
            role: self.evidence.role,
            service: self.evidence.service.clone(),
            provenance,
        }
    }

    /// The tool span a record is, or the call it names: the component that a decision or check speaks of.
    fn subject(&self, call_id: Option<&Arc<str>>) -> Vec<Key> {
        let evidence = self.evidence;
        let mut keys = Vec::new();
        if let (Node::Tool, Some(trace), Some(span)) = (evidence.node, evidence.trace, evidence.span) {
            keys.push(Key::Span(trace, span));
        }
        keys.extend(call_id.map(|id| Key::Call(self.turn, id.clone())));
        if keys.is_empty() { self.only_call() } else { keys }
    }

    fn decision(&mut self, provenance: Provenance, decision: &Decision) {
        let decision = Decision { witness: Some(self.witness(provenance)), ..decision.clone() };
        let keys = self.subject(decision.call_id.as_ref());
        if decision.plan.is_none() && self.is_of_plan(&decision) {
            let changed = keep_largest(&mut self.turn().plan_decisions, decision.clone());
            self.shared(changed);
        }
        if !keys.is_empty() {
            self.piece(provenance, &keys, 0, Says::Decision(Box::new(decision)));
        } else if decision.plan.is_some() {
            let changed = keep_largest(&mut self.turn().plan_decisions, decision);
            self.shared(changed);
        } else {
            let span = self.evidence.span;
            let said = Attached::Decision(Box::new(decision.clone()));
            match decision.tool.filter(|_| self.evidence.node == Node::Log) {
                Some(tool) => {
                    self.attach(self.turn, About::Tool(tool, span), said.clone());
                    span.into_iter().for_each(|span| self.attach(self.turn, About::Span(span), said.clone()));
                }
                None => self.attach(self.turn, span.map_or(About::Turn, About::Span), said),
            }
            span.into_iter().for_each(|span| self.speaks(span));
        }
    }

    /// Whether a decision is about a call that asks for the plan to be approved.
    fn is_of_plan(&self, decision: &Decision) -> bool {
        let own = self.evidence.facts.iter().find_map(|fact| match &fact.what {
            What::Call(call) => call.tool.as_deref(),
            _ => None,
        });
        decision.tool.as_deref().or(own).is_some_and(values::plan::asks_for_plan)
    }

    /// Something was said by a span that is no tool's: the nearest tool above it is what it may be about.
    fn speaks(&mut self, span: SpanId) {
        let Some(trace) = self.evidence.trace.filter(|_| self.turn().spans.contains_key(&span)) else { return };
        self.climb(trace, span);
        let tool = self.turn().tool_above(span).map(|tool| (self.evidence.tenant.clone(), Key::Span(trace, tool)));
        self.touched.told.extend(tool.and_then(|tool| self.book.by_key.get(&tool)));
    }

    fn check(&mut self, provenance: Provenance, check: &Check) {
        let check = Check { witness: Some(self.witness(provenance)), ..check.clone() };
        let keys = self.subject(check.call_id.as_ref());
        if !keys.is_empty() {
            self.piece(provenance, &keys, 0, Says::Check(Box::new(check)));
            return;
        }
        let boxed = Attached::Check(Box::new(check.clone()));
        let tenant = self.evidence.tenant.clone();
        if let Some((trace, span)) = checked_span(self.evidence, &check) {
            let linked = turn_of_trace(&tenant, trace);
            self.attach(linked, About::Span(span), boxed.clone());
            if let Some(turn) = self.book.turns.get_mut(&linked).filter(|turn| turn.spans.contains_key(&span)) {
                Arc::make_mut(turn).look_up(span);
            }
        }
        if let Some(response) = &check.response_id {
            self.attach(turn_of_response(&tenant, response), About::Response(response.clone()), boxed.clone());
            self.tell(response);
        }
        for (tool, target) in checked(self.evidence) {
            self.attach(self.turn, About::Latest(tool.clone(), target.clone()), boxed.clone());
            self.tied = true;
        }
        let about = self.evidence.span.map_or(About::Turn, About::Span);
        self.attach(self.turn, about, boxed);
        self.evidence.span.into_iter().for_each(|span| self.speaks(span));
    }

    /// What a response proposed is told that something was said about it.
    fn tell(&mut self, response: &Arc<str>) {
        let proposed = self.book.by_response.get(&(self.evidence.tenant.clone(), response.clone()));
        let proposed = proposed.filter(|proposed| proposed.len() <= REPEATED);
        self.touched.told.extend(proposed.into_iter().flatten());
    }

    fn attach(&mut self, turn: TurnId, about: About, what: Attached) {
        let tenant = &self.evidence.tenant;
        let new = || Arc::new(TurnState::new(turn, tenant.clone(), None));
        let slot = Arc::make_mut(self.book.turns.entry(turn).or_insert_with(new)).attached.entry(about).or_default();
        let everywhere = !matches!(what, Attached::Target(_) | Attached::Did(_));
        if keep_attached(slot, what) && everywhere {
            touch(&mut self.touched.turns, turn, Nanos(0));
        }
    }

    /// Puts a piece into the component of its keys. True when it is kept.
    fn piece(&mut self, provenance: Provenance, keys: &[Key], read_at: u64, says: Says) -> bool {
        let evidence = self.evidence;
        let agent = self.agent();
        let piece = Piece {
            end: evidence.end,
            evidence: evidence.id,
            part: if read_at == 0 { self.part } else { 0 },
            read_at,
            start: evidence.start,
            dialect: evidence.dialect.into(),
            instrumentation: evidence.instrumentation.clone(),
            service_version: evidence.service_version.clone(),
            provenance,
            role: evidence.role,
            service: evidence.service.clone(),
            turn: self.turn,
            span: evidence.trace.zip(evidence.span),
            agent,
            says,
        };
        let handle = self.component(keys);
        let action = Arc::make_mut(self.book.actions.get_mut(&handle).expect("`component` put it there"));
        let proposed_by: Vec<Arc<str>> = match &piece.says {
            Says::Call(call) if call.moment == Moment::Proposed => call.response_id.iter().cloned().collect(),
            _ => Vec::new(),
        };
        let kept = action.keep(piece);
        if kept {
            self.touched.actions.insert(handle);
            // Which call of a tool is meant depends on its other calls.
            let spoken_of = self.turn().speaks_of_tools();
            self.shared(spoken_of);
            for response in proposed_by {
                let response = (evidence.tenant.clone(), response);
                self.book.by_response.entry(response).or_default().insert(handle);
            }
        }
        kept
    }

    /// The component that holds these keys: made, found, or merged of several.
    fn component(&mut self, keys: &[Key]) -> Handle {
        let mut found: Option<Handle> = None;
        for key in keys {
            match (found, self.book.by_key.get(&(self.evidence.tenant.clone(), key.clone())).copied()) {
                (None, known) => found = known,
                (Some(kept), Some(other)) if kept != other => found = Some(self.unify(kept, other)),
                _ => {}
            }
        }
        let handle = found.unwrap_or_else(|| self.create());
        for key in keys {
            self.own(handle, key.clone());
        }
        handle
    }

    fn create(&mut self) -> Handle {
        self.book.next += 1;
        let handle = self.book.next;
        self.book.actions.insert(
            handle,
            Arc::new(ActionState {
                handle,
                tenant: self.evidence.tenant.clone(),
                home: self.turn,
                keys: BTreeSet::new(),
                pieces: std::collections::BTreeMap::new(),
                delegates: false,
                crowded: false,
            }),
        );
        handle
    }

    fn own(&mut self, handle: Handle, key: Key) {
        if let Key::Call(_, id) = &key {
            let pair = (self.evidence.tenant.clone(), id.clone());
            self.book.by_pair.entry(pair).or_default().insert(handle);
        }
        self.book.by_key.insert((self.evidence.tenant.clone(), key.clone()), handle);
        let action = Arc::make_mut(self.book.actions.get_mut(&handle).expect("an owner exists"));
        if action.keys.insert(key) {
            self.touched.actions.insert(handle);
        }
        let idless = !action.keys.iter().any(|key| matches!(key, Key::Call(..)));
        let turn = self.turn();
        turn.members.insert(handle);
        turn.place(handle, idless);
    }

    /// Makes two components one. The smaller handle stays; no record depends on which.
    fn unify(&mut self, one: Handle, other: Handle) -> Handle {
        let (kept, gone) = (one.min(other), one.max(other));
        let lost = Arc::unwrap_or_clone(self.book.actions.remove(&gone).expect("both components exist"));
        for turn in lost.turns() {
            self.book.displace(gone, turn);
            if let Some(turn) = self.book.turns.get_mut(&turn).map(Arc::make_mut) {
                turn.members.remove(&gone);
                turn.members.insert(kept);
                turn.idless.remove(&gone);
            }
        }
        for response in lost.responses() {
            let proposed = self.book.by_response.entry((lost.tenant.clone(), response.clone())).or_default();
            proposed.remove(&gone);
            proposed.insert(kept);
        }
        for key in &lost.keys {
            self.book.by_key.insert((lost.tenant.clone(), key.clone()), kept);
            if let Key::Call(_, id) = key {
                let pair = (lost.tenant.clone(), id.clone());
                let holders = self.book.by_pair.entry(pair).or_default();
                holders.remove(&gone);
                holders.insert(kept);
            }
        }
        let action = Arc::make_mut(self.book.actions.get_mut(&kept).expect("both components exist"));
        action.keys.extend(lost.keys);
        let idless = !action.keys.iter().any(|key| matches!(key, Key::Call(..)));
        for turn in action.turns() {
            if let Some(turn) = self.book.turns.get_mut(&turn).map(Arc::make_mut) {
                turn.place(kept, idless);
            }
        }
        action.delegates |= lost.delegates;
        action.crowded |= lost.crowded;
        for piece in lost.pieces.into_values() {
            action.keep(piece);
        }
        let spoken_of = self.turn().speaks_of_tools();
        self.shared(spoken_of);
        self.touched.actions.remove(&gone);
        self.touched.kin.remove(&gone);
        self.touched.actions.insert(kept);
        self.touched.merged.push((kept, gone));
        kept
    }
}

impl TurnState {
    /// Remembers whether a component has a call id.
    pub(super) fn place(&mut self, handle: Handle, idless: bool) {
        if idless {
            self.idless.insert(handle);
        } else {
            self.idless.remove(&handle);
        }
    }
}

fn handed_to(call: &Call) -> Option<&Arc<str>> {
    match &call.pseudo {
        Some(Pseudo::Delegation { to }) => to.as_ref(),
        _ => None,
    }
}

/// A missing value never beats one that is there.
fn known_first(provenance: Provenance, text: &Known<Text>) -> Provenance {
    if text.is_present() { provenance } else { Provenance::Inferred }
}

/// Marks a turn's actions since a time.
fn touch(turns: &mut BTreeMap<TurnId, Nanos>, turn: TurnId, since: Nanos) {
    turns.entry(turn).and_modify(|known| *known = since.min(*known)).or_insert(since);
}

/// Adds to a set that keeps the largest of too many: of decisions about a plan the latest, because of two the later
/// holds. True when the set changed.
fn keep_largest<T: Ord>(set: &mut BTreeSet<T>, new: T) -> bool {
    if set.len() >= SHARED && set.first().is_some_and(|first| *first > new) {
        return false;
    }
    let changed = set.insert(new);
    while set.len() > SHARED {
        set.pop_first();
    }
    changed
}

/// Adds to what was said of something. Of too many decisions those that deny stay, then the latest; of too many checks
/// those that failed; and no kind pushes out another.
fn keep_attached(said: &mut BTreeSet<Attached>, new: Attached) -> bool {
    let worth = |it: &Attached| match it {
        Attached::Decision(decision) => (0, decision.outcome == Outcome::Deny, decision.at),
        Attached::Check(check) => (1, check.result == CheckResult::Fail, check.at),
        Attached::Target(_) => (2, false, Nanos(0)),
        Attached::Did(_) => (3, false, Nanos(0)),
    };
    let kind = worth(&new).0;
    if !said.insert(new.clone()) {
        return false;
    }
    let of_kind = || said.iter().filter(|it| worth(it).0 == kind);
    if said.len() <= SHARED || of_kind().count() <= SHARED {
        return true;
    }
    let least = of_kind().min_by_key(|it| (worth(it), *it)).cloned();
    least.is_none_or(|least| said.remove(&least) && least != new)
}

/// Adds to a set that keeps the few last.
fn keep_last<T: Ord>(set: &mut BTreeSet<T>, new: T) {
    set.insert(new);
    while set.len() > LAST {
        set.pop_first();
    }
}

/// Adds to a set that keeps the smallest of too many. True when the set changed.
fn keep_smallest<T: Ord>(set: &mut BTreeSet<T>, new: T) -> bool {
    keep_few(set, new, SHARED)
}

/// Adds to a set that keeps so many, the smallest. True when the set changed.
fn keep_few<T: Ord>(set: &mut BTreeSet<T>, new: T, most: usize) -> bool {
    if set.len() >= most && set.last().is_some_and(|last| *last < new) {
        return false;
    }
    let changed = set.insert(new);
    while set.len() > most {
        set.pop_last();
    }
    changed
}
