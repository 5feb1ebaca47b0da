//! What each version of an instrumentation fills of the eight fields: the profile that `lineage_complete` asks for
//! without being told, and the alarm when a new version fills less than the one before.
//!
//! ```text
//! tenant
//!   scope name, version      when first and last used, how many actions
//!     field                  asked, filled, withheld: actions · turns asked, turns filled: their weight
//! ```
//!
//! *The unit of evidence is the turn.* Actions of one turn share its intent, policy and context, so they are not
//! independent: together they weigh one, however many there are. Shares that people read are of actions.
//!
//! *A field is asked for* when it was filled in at least 99 of 100, over at least 30 turns. What is filled now and then
//! (context, where only some turns retrieve) is never asked for, so a learnt profile turns bad when something gets
//! worse, and by no more than the default error budget otherwise.
//!
//! *A field regressed* when the share of a version is surely smaller than that of the version before: of those that
//! were seen earlier and have at least 30 turns, the latest. [`share`](super::share) has the test and its false-alarm
//! rate. It is told once for each version and field. The test takes turns for independent of each other: when a new
//! version comes with other agents, what differs may be they.
//!
//! What a sampler or a crash left out, what may still arrive and what came late is not learnt from; what is withheld
//! counts as not filled and is counted apart.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::catalogue::OVERFLOW;
use crate::judge;
use crate::model::{Action, Field, FindingId, Known, Missing, Nanos, Span, Tenant};

use super::share::{Sum, fell};

/// Profiles of one tenant: as many as it has agents with series of their own. The rest share one, which is counted and
/// neither asked for nor compared.
const SLOTS: usize = 2_000;
/// A profile that was not used for this long is freed.
const IDLE_SLOT: Span = Span::days(7);
/// The weight of a turn.
const TURN: u64 = 1_000_000;
/// Turns before anything is concluded: a few may be of one agent or one test.
const TURNS: u64 = 30;
/// Of so many turns one may lack a field that is asked for.
const ONE_OF: u64 = 100;
/// Names are foreign text: this much of them tells scopes apart.
const NAME: usize = 256;

/// One version of an instrumentation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Scope {
    /// The name of the instrumentation scope.
    #[serde(rename = "scope")]
    pub name: Arc<str>,
    /// Its version; empty when it tells none.
    pub version: Arc<str>,
}

impl Scope {
    /// Of `name@version`. A name may begin with `@`.
    pub fn of(instrumentation: &str) -> Self {
        let versioned = instrumentation.rsplit_once('@').filter(|(name, _)| !name.is_empty());
        let (name, version) = versioned.unwrap_or((instrumentation, ""));
        Self { name: cut(name), version: cut(version) }
    }

    /// The one that shares what has no room.
    fn overflow() -> Self {
        Self { name: OVERFLOW.into(), version: "".into() }
    }
}

/// `name@version`, as in evidence and labels.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.version {
            "" => f.write_str(&self.name),
            version => write!(f, "{}@{version}", self.name),
        }
    }
}

fn cut(name: &str) -> Arc<str> {
    name[..name.floor_char_boundary(NAME)].into()
}

/// What one version of an instrumentation has shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profile {
    /// Whose.
    pub tenant: Tenant,
    /// The name of the scope.
    pub scope: Arc<str>,
    /// Its version.
    pub version: Arc<str>,
    /// When its first action was learnt from, on the journal's clock.
    pub begun: Nanos,
    /// When its last one was.
    pub used: Nanos,
    /// Actions that were learnt from.
    pub actions: u64,
    /// What they filled.
    pub fields: BTreeMap<Field, Share>,
}

/// In how many actions a field was filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Share {
    /// Actions that could fill it.
    pub asked: u64,
    /// Actions that did.
    pub filled: u64,
    /// Actions whose producer has it and does not send it.
    pub withheld: u64,
    /// Turns of the actions that could, in millionths.
    #[serde(skip)]
    pub turns_asked: u64,
    /// Turns of those that did, in millionths.
    #[serde(skip)]
    pub turns_filled: u64,
    /// What was told when it fell below that of the version before.
    pub regressed: Option<FindingId>,
}

/// A field that a new version fills less than the one before.
#[derive(Debug, Clone, PartialEq)]
pub struct Regression {
    /// Which field.
    pub field: Field,
    /// The new version.
    pub scope: Scope,
    /// The version before.
    pub before: Arc<str>,
    /// What the new one fills.
    pub now: Share,
    /// What the one before fills.
    pub then: Share,
}

/// Every profile.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profiles {
    tenants: BTreeMap<Tenant, BTreeMap<Scope, Profile>>,
}

impl Profiles {
    /// Puts profiles back that a checkpoint kept.
    pub fn restore(kept: impl IntoIterator<Item = Profile>) -> Self {
        let mut profiles = Self::default();
        for profile in kept {
            let scope = Scope { name: profile.scope.clone(), version: profile.version.clone() };
            profiles.tenants.entry(profile.tenant.clone()).or_default().insert(scope, profile);
        }
        profiles
    }

    /// Every profile, by tenant, scope and version.
    pub fn all(&self) -> impl Iterator<Item = &Profile> {
        self.tenants.values().flat_map(BTreeMap::values)
    }

    /// The fields that are asked of an action of this version. None while nothing is learnt.
    pub fn learnt(&self, tenant: &Tenant, scope: &Scope) -> BTreeSet<Field> {
        let profile = self.tenants.get(tenant).and_then(|scopes| scopes.get(scope));
        profile.filter(|_| *scope != Scope::overflow()).map(Profile::asks).unwrap_or_default()
    }

    /// Learns from one action, whose turn has `actions` of them. False when there is no room for its version.
    pub fn learn(&mut self, scope: &Scope, action: &Action, actions: usize, now: Nanos) -> bool {
        let scopes = self.tenants.entry(action.tenant.clone()).or_default();
        let has_room = scopes.contains_key(scope) || scopes.len() < SLOTS;
        let scope = if has_room { scope.clone() } else { Scope::overflow() };
        let begun = || Profile::begun(&action.tenant, &scope, now);
        let profile = scopes.entry(scope.clone()).or_insert_with(begun);
        profile.used = now;
        profile.actions += 1;
        for (field, sight) in seen(action) {
            profile.fields.entry(field).or_default().add(sight, TURN / (actions.max(1) as u64));
        }
        has_room
    }

    /// The fields of a version that have become surely worse, and were not told.
    pub fn regressions(&self, tenant: &Tenant, scope: &Scope) -> Vec<Regression> {
        let Some(scopes) = self.tenants.get(tenant).filter(|_| *scope != Scope::overflow()) else {
            return Vec::new();
        };
        let Some(new) = scopes.get(scope) else {
            return Vec::new();
        };
        let untold = new.fields.iter().filter(|(_, share)| share.regressed.is_none() && share.has_enough());
        untold
            .filter_map(|(field, now)| {
                let (before, then) = before(scopes, scope, new, *field)?;
                let scope = scope.clone();
                fell(then.sum(), now.sum()).then_some(Regression { field: *field, scope, before, now: *now, then })
            })
            .collect()
    }

    /// Remembers that a regression was told.
    pub fn told(&mut self, tenant: &Tenant, regression: &Regression, finding: FindingId) {
        let profile = self.tenants.get_mut(tenant).and_then(|scopes| scopes.get_mut(&regression.scope));
        if let Some(share) = profile.and_then(|profile| profile.fields.get_mut(&regression.field)) {
            share.regressed = Some(finding);
        }
    }

    /// Forgets that a regression was told: the action that told it is none. The next one tells it again.
    pub fn untold(&mut self, tenant: &Tenant, finding: FindingId) {
        let profiles = self.tenants.get_mut(tenant).into_iter().flat_map(BTreeMap::values_mut);
        for share in profiles.flat_map(|profile| profile.fields.values_mut()) {
            share.regressed = share.regressed.filter(|told| *told != finding);
        }
    }

    /// Frees what nobody used for a week.
    pub fn tidy(&mut self, now: Nanos) {
        for scopes in self.tenants.values_mut() {
            scopes.retain(|_, profile| now.since(profile.used) < IDLE_SLOT);
        }
        self.tenants.retain(|_, scopes| !scopes.is_empty());
    }
}

/// The version before: of those that were seen earlier and have enough of a field, the latest.
fn before(scopes: &BTreeMap<Scope, Profile>, scope: &Scope, new: &Profile, field: Field) -> Option<(Arc<str>, Share)> {
    let first = Scope { name: scope.name.clone(), version: "".into() };
    let versions = scopes.range(first..).take_while(|(it, _)| it.name == scope.name);
    let earlier = versions.filter(|(it, old)| (old.begun, &it.version) < (new.begun, &scope.version));
    let enough = earlier.filter_map(|(it, old)| {
        let share = old.fields.get(&field).filter(|share| share.has_enough())?;
        Some(((old.begun, &it.version), *share))
    });
    enough.max_by_key(|(at, _)| *at).map(|((_, version), share)| (version.clone(), share))
}

impl Profile {
    fn begun(tenant: &Tenant, scope: &Scope, now: Nanos) -> Self {
        Self {
            tenant: tenant.clone(),
            scope: scope.name.clone(),
            version: scope.version.clone(),
            begun: now,
            used: now,
            actions: 0,
            fields: BTreeMap::new(),
        }
    }

    /// The fields that are asked for.
    pub fn asks(&self) -> BTreeSet<Field> {
        self.fields.iter().filter(|(_, share)| share.is_usual()).map(|(field, _)| *field).collect()
    }
}

impl Share {
    fn add(&mut self, sight: Sight, weight: u64) {
        self.asked += 1;
        self.turns_asked += weight;
        match sight {
            Sight::Filled => {
                self.filled += 1;
                self.turns_filled += weight;
            }
            Sight::Withheld => self.withheld += 1,
            Sight::Lacking => {}
        }
    }

    fn has_enough(&self) -> bool {
        self.turns_asked >= TURNS * TURN
    }

    fn is_usual(&self) -> bool {
        let lacking = self.turns_asked.saturating_sub(self.turns_filled);
        self.has_enough() && lacking.saturating_mul(ONE_OF) <= self.turns_asked
    }

    fn sum(&self) -> Sum {
        Sum { n: self.turns_asked as f64 / TURN as f64, s: self.turns_filled as f64 / TURN as f64 }
    }
}

/// What an action shows of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    Filled,
    Withheld,
    Lacking,
}

/// What an action shows. Nothing of fields that it cannot have, and of those that may still arrive.
fn seen(action: &Action) -> impl Iterator<Item = (Field, Sight)> + '_ {
    let owed = Field::ALL.iter().filter(|field| judge::applies(**field, action));
    owed.filter_map(|field| {
        let sight = match action.fields.get(field)? {
            Known::Value(()) => Sight::Filled,
            Known::Missing(Missing::Withheld) => Sight::Withheld,
            Known::Missing(Missing::Absent | Missing::Lost) => Sight::Lacking,
            Known::Missing(Missing::Pending) => return None,
        };
        Some((*field, sight))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{By, State, sample};

    const DAY: u64 = 24 * 3_600;

    fn scope(version: &str) -> Scope {
        Scope { name: "agents".into(), version: version.into() }
    }

    /// The sample action, without some fields.
    fn without(missing: Missing, fields: &[Field]) -> Action {
        let mut action = sample::action();
        for field in fields {
            action.fields.insert(*field, Known::Missing(missing));
        }
        action
    }

    fn learnt(times: u64, version: &str, action: &Action, from: &mut Profiles) {
        for _ in 0..times {
            from.learn(&scope(version), action, 1, sample::at(0));
        }
    }

    #[test]
    fn a_scope_is_a_name_and_a_version() {
        for (text, name, version) in [
            ("pydantic-ai@2.68.0", "pydantic-ai", "2.68.0"),
            ("@ai-sdk/otel@1.0", "@ai-sdk/otel", "1.0"),
            ("@ai-sdk/otel", "@ai-sdk/otel", ""),
            ("ai", "ai", ""),
            ("", "", ""),
        ] {
            assert_eq!(Scope::of(text), Scope { name: name.into(), version: version.into() }, "{text}");
        }
        assert_eq!(Scope::of(&"ü".repeat(500)).name.len(), NAME);
    }

    #[test]
    fn a_field_is_asked_for_from_thirty_turns_on_if_it_is_hardly_ever_lacking() {
        let mut profiles = Profiles::default();
        let asked = |profiles: &Profiles| profiles.learnt(&Tenant::default(), &scope("1"));
        let lacking = without(Missing::Absent, &[Field::Context, Field::Policy]);
        learnt(29, "1", &lacking, &mut profiles);
        assert_eq!(asked(&profiles), BTreeSet::new());
        learnt(70, "1", &lacking, &mut profiles);
        let six = [Field::Intent, Field::Tool, Field::Parameters, Field::Target, Field::Output, Field::PostCheck];
        assert_eq!(asked(&profiles), BTreeSet::from(six));
        learnt(1, "1", &without(Missing::Absent, &[Field::Target]), &mut profiles);
        assert_eq!(asked(&profiles).len(), 6, "one of a hundred");
        learnt(1, "1", &without(Missing::Absent, &[Field::Target]), &mut profiles);
        assert_eq!(asked(&profiles).len(), 5);
        assert_eq!(profiles.learnt(&Tenant::default(), &scope("2")), BTreeSet::new(), "of another version");
    }

    #[test]
    fn a_refused_call_owes_no_output_and_what_may_still_arrive_says_nothing() {
        let mut profiles = Profiles::default();
        let refused = Action { state: State::Refused(By::Policy), ..without(Missing::Absent, &[Field::Output]) };
        learnt(40, "1", &refused, &mut profiles);
        learnt(40, "1", &without(Missing::Pending, &[Field::PostCheck]), &mut profiles);
        let fields = &profiles.all().next().expect("one").fields;
        assert_eq!((fields[&Field::Output].asked, fields[&Field::Output].filled), (40, 40));
        assert_eq!(fields.get(&Field::PostCheck), None);
        assert_eq!(fields[&Field::Tool].asked, 80);
    }

    #[test]
    fn the_actions_of_one_turn_are_one_observation() {
        let mut profiles = Profiles::default();
        learnt(40, "1", &sample::action(), &mut profiles);
        // Ten turns of a hundred actions each, and no context in any.
        for _ in 0..1_000 {
            profiles.learn(&scope("2"), &without(Missing::Absent, &[Field::Context]), 100, sample::at(1));
        }
        assert_eq!(profiles.regressions(&Tenant::default(), &scope("2")), []);
        for _ in 0..2_000 {
            profiles.learn(&scope("2"), &without(Missing::Absent, &[Field::Context]), 100, sample::at(1));
        }
        assert_eq!(profiles.regressions(&Tenant::default(), &scope("2")).len(), 1);
    }

    #[test]
    fn the_version_before_is_the_last_one_that_has_enough() {
        let mut profiles = Profiles::default();
        let mut at = 0;
        let mut comes = |profiles: &mut Profiles, version: &str, times: u64, lacking: &[Field]| {
            at += 1;
            for _ in 0..times {
                profiles.learn(&scope(version), &without(Missing::Absent, lacking), 1, sample::at(at));
            }
            let found = profiles.regressions(&Tenant::default(), &scope(version));
            for (number, regression) in found.iter().enumerate() {
                profiles.told(&Tenant::default(), regression, FindingId([number as u8 + 1; 16]));
            }
            found.iter().map(|it| (it.field, it.before.to_string())).collect::<Vec<_>>()
        };
        assert_eq!(comes(&mut profiles, "2.0", 50, &[]), []);
        assert_eq!(comes(&mut profiles, "1.9", 10, &[]), [], "a test run");
        let found = comes(&mut profiles, "2.1", 50, &[Field::Parameters]);
        assert_eq!(found, [(Field::Parameters, "2.0".to_owned())]);
        assert_eq!(comes(&mut profiles, "2.1", 50, &[Field::Parameters]), [], "it is told once");
        assert_eq!(comes(&mut profiles, "2.2", 50, &[Field::Parameters]), [], "no worse than 2.1");
        assert_eq!(comes(&mut profiles, "2.0", 50, &[]), [], "the old one is still there");

        profiles.untold(&Tenant::default(), FindingId([1; 16]));
        assert_eq!(comes(&mut profiles, "2.1", 1, &[Field::Parameters]).len(), 1, "its action was none");
    }

    #[test]
    fn what_has_no_room_shares_a_profile_that_asks_for_nothing_until_a_week_has_passed() {
        let mut profiles = Profiles::default();
        for version in 0..SLOTS {
            assert!(profiles.learn(&scope(&version.to_string()), &sample::action(), 1, sample::at(0)));
        }
        for _ in 0..40 {
            assert!(!profiles.learn(&scope("late"), &sample::action(), 1, sample::at(DAY)));
        }
        assert_eq!((profiles.all().count(), profiles.learnt(&Tenant::default(), &Scope::overflow()).len()), (2_001, 0));
        assert_eq!(profiles.all().map(|profile| profile.actions).sum::<u64>(), 2_040, "nothing is lost");
        profiles.tidy(sample::at(7 * DAY));
        assert_eq!(profiles.all().count(), 1);
        assert!(profiles.learn(&scope("late"), &sample::action(), 1, sample::at(7 * DAY)));
    }

    fn sights() -> impl Strategy<Value = Vec<(u8, u8, u8)>> {
        // Mostly the whole action.
        proptest::collection::vec((0_u8..8, 0_u8..80, 1_u8..4), 0..300)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever came, in whatever turns: what is asked for was filled in nearly all that was seen.
        #[test]
        fn a_profile_never_asks_for_a_field_that_was_not_shown(sights in sights()) {
            let mut profiles = Profiles::default();
            let kinds = [Missing::Absent, Missing::Withheld, Missing::Lost, Missing::Pending];
            for (field, why, turn) in &sights {
                let field = Field::ALL[usize::from(*field)];
                let action = match kinds.get(usize::from(*why)) {
                    Some(why) => without(*why, &[field]),
                    None => sample::action(),
                };
                profiles.learn(&scope("1"), &action, usize::from(*turn), sample::at(0));
            }
            let asked = profiles.learnt(&Tenant::default(), &scope("1"));
            for profile in profiles.all() {
                for field in &asked {
                    let share = profile.fields[field];
                    prop_assert!(share.filled > 0 && share.filled as f64 >= 0.95 * share.asked as f64, "{:?}", share);
                }
                let fits = |share: &Share| share.filled + share.withheld <= share.asked;
                prop_assert!(profile.fields.values().all(fits));
            }
            prop_assert_eq!(Profiles::restore(profiles.all().cloned()), profiles);
        }
    }
}
