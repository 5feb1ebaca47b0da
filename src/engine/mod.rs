//! The engine: `step(now, Input) -> Output`. Read this file first.
//!
//! One owner folds the journal, frame by frame. A step (1) moves the clock and does what became due, (2) folds the
//! frame's evidence into the [`Book`], (3) hands out what was published: rows of settled or revised actions,
//! rows of closed turns, bodies of long texts, findings. Nothing here reads a clock, a socket or a disk: the same
//! frames give the same outputs, so recovery and replay are this same fold run again.
//!
//! ```text
//! evidence ─► Book.fold ─► touched ─► at once: a forbidden call that ran?
//!                             │
//!                             └─► dues: settle an action · close a turn · wait for a check · revise
//!                                          │
//!                                          └─► read the action ─► judge ─► count once ─► publish a row
//! ```
//!
//! *The engine's clock* is the journal's clock without the time the process was down: after a restart every open
//! deadline still has as long to go as it had. What is late is decided by the journal's clock itself.

mod account;
mod around;
mod boards;
mod containment;
mod count;
mod denials;
mod dues;
mod facets;
mod findings;
mod instrumentations;
mod learn;
mod merge;
mod profiles;
mod publish;
mod reread;
mod rows;
mod share;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::catalogue::{Metric, Sample, SampleValue};
use crate::contain::{Dropped, Incident, Incidents};
use crate::envelope::Rules;
use crate::judge;
use crate::lineage::{self, Book, Handle, Touched};
use crate::model::{
    Action, ActionId, Body, Constants, Digest, Evidence, Finding, Moment, Nanos, Node, Sli, Span, Tenant, Turn, TurnId,
    What,
};
use crate::sli::{Cell, Counters, Ledger};
use crate::slo::Objective;
use crate::values;
use boards::Boards;
use facets::Facets;

pub use account::{Account, Denial, Ended, Raised, TurnAccount};
pub use boards::BoardKey;
pub use dues::{Due, Dues};
pub use facets::Facet;
pub use instrumentations::{Instrumentations, Shown, Unread};
pub use profiles::{Profile, Profiles, Regression, Scope, Share};
pub use rows::{Changes, Checkpoint, Rows, TurnRow, Want};

/// What rows are made of, for a store that knows the engine and not its stages.
pub mod parts {
    pub use crate::catalogue::{Exemplar, Metric};
    pub use crate::contain::{Act, Did, Incident, Step, Violation};
    pub use crate::judge::{Decided, Note, Pin, Place, Read, Topic, Window};
    pub use crate::lineage::{About, ActionState, Asked, Attached, EndedBy, Handle, Ranked, ToolSaid, TurnState};
    pub use crate::lineage::{Spoken, StandKey, Utterance};
    pub use crate::sli::{Cell, Histogram, LedgerKey, Series};
}

/// How much slower than the journal's a source's clock may be before its records count as late.
const SLOW_CLOCK: Span = Span::minutes(5);
/// How long changes of a settled action are gathered before it is read again.
const REVISE_AFTER: Span = Span::seconds(1);
/// In a later step, before which [`Engine::wants`] can ask for what it needs. Nothing that reads other turns may be
/// done at once: what is in memory would decide what comes out. Long enough to gather what comes together.
const SOON: Span = Span::millis(100);
/// How long changes of what a turn shares are gathered before its settled actions are read again.
const SHARED_AFTER: Span = Span::seconds(30);
/// How many sources' clocks are watched at once.
const SOURCES: usize = 500;
/// Slices and slots are tidied in the first step of each hour.
const TIDY_EVERY: Span = Span::hours(1);

/// What the engine judges with. A value of the journal: a replay judges with what was in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// The envelopes.
    pub rules: Arc<Rules>,
    /// How long to wait for what.
    pub constants: Constants,
    /// Whether `lineage_complete` asks for what an instrumentation has shown, and its new versions are compared with
    /// those before. What is learnt follows the order of processing; without it no verdict does.
    pub learning: bool,
    /// The objectives. No verdict depends on them, so neither does the digest.
    pub objectives: Arc<[Objective]>,
}

impl Default for Configuration {
    /// No envelopes, the default waits and objectives, nothing learnt.
    fn default() -> Self {
        let (rules, constants) = (Arc::default(), Constants::default());
        Self { rules, constants, learning: false, objectives: Objective::DEFAULTS.into() }
    }
}

impl Configuration {
    /// Digest of what verdicts depend on.
    pub fn digest(&self) -> Digest {
        let learning = if self.learning { "\nlearning" } else { "" };
        values::digest_bytes(format!("{}\n{:?}{learning}", self.rules.digest(), self.constants).as_bytes())
    }
}

/// What can wake the engine.
#[derive(Debug)]
pub enum Input<'a> {
    /// The evidence of one frame.
    Evidence(&'a [Evidence]),
    /// Time passed.
    Tick,
    /// The process started; it was down since the last frame.
    Restart,
    /// From now on judge with this. Actions that have begun keep what they began with.
    Configure(Configuration),
}

/// What a step published.
#[derive(Debug, Default, PartialEq)]
pub struct Output {
    /// Rows of settled and revised actions, tombstones among them.
    pub actions: Vec<Action>,
    /// Rows of closed turns.
    pub turns: Vec<Turn>,
    /// Texts that rows refer to.
    pub bodies: Vec<Body>,
    /// Findings opened or taken back.
    pub findings: Vec<FindingEvent>,
}

/// A finding was opened or taken back.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingEvent {
    /// The finding, in its new state.
    pub finding: Finding,
    /// Whose.
    pub tenant: Tenant,
    /// The action it is about.
    pub action: ActionId,
    /// The acting agent.
    pub agent: Arc<str>,
    /// The turn, whose findings are one incident.
    pub turn: TurnId,
}

/// The engine. See the top of this file.
#[derive(Debug)]
pub struct Engine {
    book: Book,
    accounts: HashMap<Handle, Account, foldhash::fast::RandomState>,
    turns: HashMap<TurnId, TurnAccount, foldhash::fast::RandomState>,
    by_id: HashMap<ActionId, Handle, foldhash::fast::RandomState>,
    dues: Dues,
    counters: Counters,
    ledger: Ledger,
    incidents: Incidents,
    boards: Boards,
    facets: Facets,
    profiles: Profiles,
    configurations: Vec<(Digest, Configuration)>,
    /// Of the last frame.
    now: Nanos,
    /// How long the process was down, in all.
    held: Span,
    last_evidence: HashMap<Tenant, Nanos, foldhash::fast::RandomState>,
    skew: HashMap<(Tenant, Arc<str>), f64, foldhash::fast::RandomState>,
    introduced: BTreeSet<(Tenant, Arc<str>)>,
    changed: rows::Changed,
    marks: reread::Marks,
    /// Records of this frame by who reads them: counted together, because there are many.
    read: Vec<(Tenant, &'static str, u64)>,
}

impl Engine {
    /// An engine without a past.
    pub fn new(configuration: Configuration) -> Self {
        Self {
            book: Book::default(),
            accounts: HashMap::default(),
            turns: HashMap::default(),
            by_id: HashMap::default(),
            dues: Dues::default(),
            counters: Counters::default(),
            ledger: Ledger::default(),
            incidents: Incidents::default(),
            boards: Boards::default(),
            facets: Facets::default(),
            profiles: Profiles::default(),
            configurations: vec![(configuration.digest(), configuration)],
            now: Nanos(0),
            held: Span(0),
            last_evidence: HashMap::default(),
            skew: HashMap::default(),
            introduced: BTreeSet::new(),
            changed: rows::Changed::default(),
            marks: reread::Marks::default(),
            read: Vec::new(),
        }
    }

    /// An engine whose book reads arrival order: see [`Book::reading_arrival`].
    #[doc(hidden)]
    pub fn reading_arrival(configuration: Configuration) -> Self {
        Self { book: Book::reading_arrival(), ..Self::new(configuration) }
    }

    /// One step. `now` is the journal's stamp, `rows` what [`Engine::wants`] asked for.
    pub fn step(&mut self, now: Nanos, input: Input<'_>) -> Output {
        let mut output = Output::default();
        let before = self.now;
        let now = now.max(before);
        let restarts = matches!(input, Input::Restart) && before > Nanos(0);
        if restarts {
            self.held = Span(self.held.0.saturating_add(now.since(self.now).0));
        }
        self.now = now;
        self.pass(&mut output);
        match input {
            Input::Evidence(evidence) => {
                for evidence in evidence {
                    self.fold(evidence, &mut output);
                }
                for (tenant, dialect, count) in self.read.drain(..) {
                    self.counters.add(Metric::ReadRecords, &[tenant.as_str(), dialect], count, now, None);
                    self.counters.introduce_dialect(&tenant, dialect, now);
                }
                self.walk_marked();
                self.pass(&mut output);
            }
            Input::Configure(configuration) => self.configure(configuration),
            Input::Tick | Input::Restart => {}
        }
        self.walk_marked();
        // By the clock alone, so that a process that began later does it at the same frames. Not in the first: what was
        // open when the process ended settles before its slices become final.
        if now.slice(TIDY_EVERY) != before.slice(TIDY_EVERY) && !restarts {
            self.tidy();
        }
        for (tenant, why) in self.incidents.take_dropped() {
            self.counters.add(Metric::IncidentsDropped, &[tenant.as_str(), why.as_str()], 1, now, None);
        }
        for tenant in self.boards.take_dropped() {
            self.counters.add(Metric::NotesDropped, &[tenant.as_str()], 1, now, None);
        }
        output
    }

    /// Forgets what was not used for long.
    fn tidy(&mut self) {
        self.counters.tidy(self.now);
        self.introduced.clear();
        self.incidents.tidy(self.now);
        self.boards.tidy(self.now);
        self.facets.tidy(self.now);
        self.profiles.tidy(self.now);
        let horizon = self.constants().horizon;
        self.ledger.forget(self.now - Span(horizon.0.saturating_mul(2)));
        self.skew.clear();
    }

    /// When the next deadline passes, on the journal's clock.
    pub fn next_due(&self) -> Option<Nanos> {
        self.dues.next().map(|due| due + self.held)
    }

    /// The journal's clock as of the last frame.
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// The engine's clock: the journal's without downtime.
    pub fn clock(&self) -> Nanos {
        self.now - self.held
    }

    /// The configuration in force.
    pub fn configuration(&self) -> &(Digest, Configuration) {
        self.configurations.last().expect("an engine has a configuration from the start")
    }

    fn configuration_of(&self, judged_by: Option<Digest>) -> &(Digest, Configuration) {
        let same = |known: &&(Digest, Configuration)| Some(known.0) == judged_by;
        self.configurations.iter().rev().find(same).unwrap_or_else(|| self.configuration())
    }

    fn constants(&self) -> Constants {
        self.configuration().1.constants
    }

    fn configure(&mut self, configuration: Configuration) {
        let digest = configuration.digest();
        if self.configuration().0 != digest {
            self.configurations.retain(|(known, _)| *known != digest);
            self.configurations.push((digest, configuration));
            self.introduced.clear();
            self.changed.configuration = true;
        }
    }

    /// Does everything that is due, in the order of its deadlines.
    fn pass(&mut self, output: &mut Output) {
        while let Some(due) = self.dues.take(self.clock()) {
            match due {
                Due::Close(turn) => self.close(turn, output),
                Due::Settle(handle) => self.settle(handle, output),
                Due::Check(handle) | Due::Revise(handle) => self.revise(handle, output),
                Due::Kin(handle) => self.relatives_change(handle),
                Due::Edges(turn) => self.edges_change(turn, output),
            }
        }
    }

    /// Folds one piece of evidence, and sets the deadlines that follow from it.
    fn fold(&mut self, evidence: &Evidence, output: &mut Output) {
        self.observe(evidence);
        let touched = self.book.fold(evidence);
        if touched.duplicate {
            let tenant = evidence.tenant.as_str();
            self.counters.add(Metric::DuplicateRecords, &[tenant], 1, self.now, None);
            return;
        }
        output.bodies.extend(touched.bodies.iter().cloned());
        for (index, (kept, gone)) in touched.merged.iter().enumerate() {
            // The same record may have merged the one that was kept into a third.
            let later = touched.merged[index + 1..].iter();
            let kept = later.fold(*kept, |kept, (next, gone)| if *gone == kept { *next } else { kept });
            self.merge(kept, *gone, output);
        }
        let first_root = touched.root && self.turns.get(&touched.turn).is_none_or(|turn| turn.root_seen.is_none());
        let wait = self.visit_turn(&touched);
        for handle in &touched.actions {
            self.visit(*handle, wait);
        }
        let soon = self.clock() + SOON;
        for handle in touched.kin.iter().filter(|handle| self.accounts.contains_key(handle)) {
            self.dues.sooner(Due::Kin(*handle), soon);
        }
        for handle in &touched.told {
            self.reread(*handle, self.now, REVISE_AFTER);
        }
        self.mark(&touched, first_root);
        if may_prove_execution(evidence) {
            for handle in &touched.actions {
                self.look_at_once(*handle, output);
            }
        }
    }

    /// A record came to a turn. Says how long its open actions wait for more.
    fn visit_turn(&mut self, touched: &Touched) -> Span {
        let (clock, constants) = (self.clock(), self.constants());
        let turn = self.turns.entry(touched.turn).or_default();
        turn.last_seen = clock;
        if touched.root {
            turn.root_seen.get_or_insert(clock);
        }
        let wait = if turn.root_seen.is_some() { constants.grace } else { constants.idle };
        self.changed.turns.insert(touched.turn);
        self.dues.set(Due::Close(touched.turn), clock + wait);
        wait
    }

    /// A record spoke of a component.
    fn visit(&mut self, handle: Handle, wait: Span) {
        let (now, clock, judged_by) = (self.now, self.clock(), self.configuration().0);
        let account = self.accounts.entry(handle).or_insert_with(|| Account::begun(judged_by, clock));
        account.last_seen = clock;
        account.heard = now;
        if let Some((by, end)) = self.book.ended(handle)
            && account.ended.is_none_or(|known| (known.by, known.end) < (by, end))
        {
            account.ended = Some(Ended { by, end, arrived: now });
        }
        let settled = account.settled;
        self.changed.actions.insert(handle);
        match settled {
            true => self.reread(handle, now, REVISE_AFTER),
            false => self.dues.set(Due::Settle(handle), clock + wait),
        }
        self.dues.sooner(Due::Kin(handle), clock + SOON);
    }

    /// Counts a record as it comes: lateness, skew, freshness, who reads it.
    fn observe(&mut self, evidence: &Evidence) {
        let tenant = evidence.tenant.as_str();
        let now = self.now;
        self.last_evidence.insert(evidence.tenant.clone(), now);
        if evidence.dialect == "unread" {
            self.counters.add(Metric::UnreadRecords, &[tenant, &evidence.instrumentation], 1, now, None);
        } else {
            let same = |(tenant, dialect, _): &&mut (Tenant, &str, u64)| {
                *dialect == evidence.dialect && *tenant == evidence.tenant
            };
            match self.read.iter_mut().find(same) {
                Some((.., count)) => *count += 1,
                None => self.read.push((evidence.tenant.clone(), evidence.dialect, 1)),
            }
        }
        if now.since(evidence.end) > self.live_limit() {
            self.counters.add(Metric::LateRecords, &[tenant], 1, now, None);
        }
        if evidence.end > now {
            let lead = evidence.end.since(now).as_seconds();
            let source = (evidence.tenant.clone(), evidence.service.name.clone());
            if self.skew.len() < SOURCES || self.skew.contains_key(&source) {
                let slot = self.skew.entry(source).or_default();
                *slot = slot.max(lead);
            }
        }
        let agent = evidence.facts.iter().find_map(|fact| match &fact.what {
            What::Agent { name, .. } => Some(name),
            _ => None,
        });
        if let Some(agent) = agent {
            self.introduce(&evidence.tenant, agent);
        }
    }

    /// Makes an agent's series before its first verdict.
    fn introduce(&mut self, tenant: &Tenant, agent: &Arc<str>) {
        if self.introduced.len() < 100_000 && self.introduced.insert((tenant.clone(), agent.clone())) {
            self.counters.introduce(tenant, agent, self.now);
            for why in Dropped::ALL {
                self.counters.add(Metric::IncidentsDropped, &[tenant.as_str(), why.as_str()], 0, self.now, None);
            }
            let rules = self.configuration().1.rules.clone();
            for rule in rules.enforced() {
                let labels = [tenant.as_str(), agent, rule.name()];
                self.counters.add(Metric::InvariantViolations, &labels, 0, self.now, None);
            }
        }
    }

    /// Records later than this after their end are late.
    fn live_limit(&self) -> Span {
        Span(self.constants().live_lateness.0.saturating_add(SLOW_CLOCK.0))
    }

    /// Nothing more is expected for a turn: what is missing is missing for good, and its actions are read again.
    fn close(&mut self, turn: TurnId, output: &mut Output) {
        let Some(account) = self.turns.get_mut(&turn) else {
            return;
        };
        account.closed = true;
        let heard = account.last_seen + self.held;
        self.publish_turn(turn, output);
        self.tell_takers(turn, heard);
        let soon = self.clock() + SOON;
        for handle in self.book.members(turn) {
            match self.accounts.get(&handle).map(|account| account.settled) {
                Some(true) => self.reread(handle, heard, SOON),
                Some(false) => self.dues.sooner(Due::Settle(handle), soon),
                None => {}
            }
        }
    }

    /// Looks for a forbidden call that ran, before anything settles: whatever comes later, it did run.
    fn look_at_once(&mut self, handle: Handle, output: &mut Output) {
        if self.configurations.iter().all(|(_, configuration)| configuration.rules.is_empty()) {
            return;
        }
        let Some(group) = self.book.group(handle) else { return };
        let Some(account) = self.accounts.get(&group.root) else { return };
        let rules = self.configuration_of(account.judged_by).1.rules.clone();
        if rules.is_empty() {
            return;
        }
        // A span that other things than a run can make waits for settling: what comes next may be a refusal.
        if !self.book.has_run(&group) {
            return;
        }
        let reading = lineage::Reading { closed: false, expired: false };
        let Some(action) = self.book.action(&group, reading) else {
            return;
        };
        let Some(turn) = self.book.turn_state(action.turn).map(|turn| turn.gist(false)) else {
            return;
        };
        let context = judge::Context::alone(&rules, &turn);
        let broken = judge::violated(&context, &action);
        if !broken.is_empty() {
            let findings = judge::at_once(&context, &action);
            self.raise(group.root, &action, findings, broken, output);
        }
    }

    /// Every series of the engine, for exposition.
    pub fn samples(&self) -> Vec<Sample> {
        let gauge =
            |metric, labels: Vec<Arc<str>>, value: f64| Sample { metric, labels, value: SampleValue::Gauge(value) };
        let mut samples = self.counters.samples();
        // The ledger knows the real agent; its series share the budget of the others.
        let mut totals: BTreeMap<(Tenant, Sli, Arc<str>), Cell> = BTreeMap::new();
        for ((tenant, sli, agent), cell) in self.ledger.totals(Nanos(0)) {
            let agent = self.counters.shown_agent(&tenant, &agent);
            totals.entry((tenant, sli, agent)).or_default().add(&cell);
        }
        for ((tenant, sli, agent), cell) in totals {
            let tenant: Arc<str> = tenant.as_str().into();
            let labels = vec![tenant.clone(), sli.as_str().into(), agent.clone()];
            for value in crate::model::Value::ALL {
                let labels = vec![tenant.clone(), sli.as_str().into(), agent.clone(), value.as_str().into()];
                samples.push(gauge(Metric::LedgerEvents, labels, cell.get(*value) as f64));
            }
            if cell.total() > 0 {
                let covered = (cell.good + cell.bad) as f64 / cell.total() as f64;
                samples.push(gauge(Metric::CoverageRatio, labels, covered));
            }
        }
        for (tenant, at) in &self.last_evidence {
            samples.push(gauge(Metric::LastEvidence, vec![tenant.as_str().into()], at.as_seconds()));
        }
        for ((tenant, service), lead) in &self.skew {
            samples.push(gauge(Metric::ClockSkew, vec![tenant.as_str().into(), service.clone()], *lead));
        }
        let (turns, actions) = self.dues.open();
        samples.push(gauge(Metric::OpenActions, vec![], actions as f64));
        samples.push(gauge(Metric::OpenTurns, vec![], turns as f64));
        let tenants: BTreeSet<&Tenant> =
            self.last_evidence.keys().chain(self.incidents.all().map(|incident| &incident.tenant)).collect();
        for tenant in tenants {
            let open = self.incidents.all().filter(|it| it.tenant == *tenant && it.contained.is_none()).count();
            samples.push(gauge(Metric::OpenIncidents, vec![tenant.as_str().into()], open as f64));
        }
        samples.sort_by(|a, b| (a.metric, &a.labels).cmp(&(b.metric, &b.labels)));
        samples
    }

    /// The live counters.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The event-time ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What each version of an instrumentation has shown.
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// Incidents that are open or were lately.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.all()
    }
}

/// Whether a record can be what shows that a call ran.
fn may_prove_execution(evidence: &Evidence) -> bool {
    evidence.node == Node::Tool
        || evidence.facts.iter().any(|fact| match &fact.what {
            What::Call(call) => matches!(call.moment, Moment::Ran { .. } | Moment::Answered { .. }),
            What::Messages(_) => true,
            _ => false,
        })
}

#[cfg(test)]
mod tests;
