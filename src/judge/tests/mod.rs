//! What the judge's tests share: builders of a call and what is known of it, and the two functions that check a table.
//!
//! Each validator has a file of its own with its golden table: what is known of the call, and the verdict that follows.
//! What holds for every action is in `properties`.

mod approval_fatigue;
mod approval_reviewed;
mod arbitrary;
mod containment_within;
mod denied_actions;
mod envelope_sections;
mod envelope_selectors;
mod findings;
mod intent_alignment;
mod intent_approval;
mod intent_plan;
mod lineage_complete;
mod outcome_validation;
mod plan_commit;
mod properties;

use super::*;
use crate::judge::intent_alignment::NAME as INTENT;
use crate::model::sample::{self, at, check, decision, shared, text, witness};
use crate::model::{
    By, Check, CheckResult, Decision, Effect, Known, Missing, Moment, Outcome, Phase, Piece, PlanText, Proof,
    Provenance, Role, Says, Status, Witness,
};

/// What a row changes in the sample action and its turn.
type Change = fn(&mut Action, &mut Turn);

fn judged(sli: Sli, rules: &Rules, change: Change) -> Option<(Value, String)> {
    let (mut action, mut turn) = (called(), sample::turn());
    change(&mut action, &mut turn);
    let (verdicts, _) = judge(&Context::alone(rules, &turn), &action);
    verdicts.into_iter().find(|verdict| verdict.sli == sli).map(|verdict| (verdict.value, verdict.reason.to_string()))
}

/// The sample action, proposed from second 1 to 2 with the parameters that it ran with.
fn called() -> Action {
    let mut action = sample::action();
    let ran = said(sample::ran(0x50), Moment::Ran { status: Status::Fine, proof: Proof::Ran }, ARGUMENTS);
    action.pieces = vec![proposed(ARGUMENTS), ran];
    action
}

/// The parameters of the sample action.
const ARGUMENTS: &str = r#"{"table":"accounts","id":7}"#;

fn proposed(arguments: &str) -> Piece {
    said(Piece { start: at(1), end: at(2), ..sample::ran(0x4f) }, Moment::Proposed, arguments)
}

/// A piece that says another moment of the call, with these parameters; none when they are empty.
fn said(mut piece: Piece, moment: Moment, arguments: &str) -> Piece {
    let Says::Call(call) = &mut piece.says else { panic!("a call") };
    call.moment = moment;
    call.arguments = Known::or_absent((!arguments.is_empty()).then(|| text(arguments)));
    piece
}

fn table(sli: Sli, rules: &str, rows: &[(&str, Change, &str)]) {
    let rules = rules_of(rules);
    for (name, change, want) in rows {
        let got = judged(sli, &rules, *change).map_or("-".to_owned(), |(value, reason)| format!("{value} {reason}"));
        assert_eq!(&got, want, "{sli}: {name}");
    }
}

fn rules_of(text: &str) -> Rules {
    if text.is_empty() {
        return Rules::default();
    }
    crate::envelope::parse(&[("test.yaml", text)]).unwrap_or_else(|mistakes| panic!("{}", mistakes[0]))
}

/// What a call is judged with: the sample's, for a row of a golden table to change.
struct Setting {
    action: Action,
    turn: Turn,
    around: Around,
}

/// What a row of a golden table changes.
type Arrange = fn(&mut Setting);

/// A row: its name, what it changes, the verdict, and the findings.
type Row<'a> = (&'a str, Arrange, &'a str, &'a str);

impl Setting {
    fn does(&mut self, effect: Effect, known: Provenance) {
        self.action.effect = Known::Value((effect, known));
    }

    fn is_about(&mut self, target: &str, known: Provenance) {
        self.action.target = Known::Value((target.into(), known));
    }

    fn withhold_parameters(&mut self) {
        self.action.arguments = Known::Missing(Missing::Withheld);
    }

    fn decided(&mut self, decision: Decision) {
        self.action.decisions.push(decision);
    }
}

/// One SLI under the rules of the envelope `e`, row by row; tells all rows that differ.
///
/// A verdict is written `bad forbidden by r on rung 0`, with the rule and the rung that decided where there is one,
/// and `-` where the SLI does not apply. Findings are written `page r, ticket plan.no_plan`. Rules lose their
/// `envelope.e.`.
fn golden(sli: Sli, rules: &str, rows: &[Row<'_>]) {
    let parsed = rules_of(&format!("envelope: e\n{rules}"));
    let wrong = rows.iter().filter_map(|(name, arrange, verdict, findings)| {
        let mut setting = Setting { action: called(), turn: sample::turn(), around: Around::default() };
        arrange(&mut setting);
        let got = told(sli, &parsed, &setting);
        (got != ((*verdict).to_owned(), (*findings).to_owned())).then(|| format!("{name}: {got:?}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{sli} under `{rules}`\n{}", wrong.join("\n"));
}

/// What is said of one setting, as a row writes it.
fn told(sli: Sli, rules: &Rules, Setting { action, turn, around }: &Setting) -> (String, String) {
    let (verdicts, findings) = judge(&Context::new(rules, turn, &Learnt::Off, around), action);
    let short = |name: &str| name.replacen("envelope.e.", "", 1);
    let verdict = verdicts.iter().find(|verdict| verdict.sli == sli).map(|verdict| {
        let rule = verdict.rule.as_ref().map(|rule| format!(" by {}", short(&rule.name))).unwrap_or_default();
        let rung = verdict.rung.map(|rung| format!(" on rung {rung}")).unwrap_or_default();
        format!("{} {}{rule}{rung}", verdict.value, verdict.reason)
    });
    let mut findings: Vec<String> = findings.iter().map(|it| format!("{} {}", it.severity, short(&it.rule))).collect();
    findings.sort();
    (verdict.unwrap_or("-".to_owned()), findings.join(", "))
}

/// Forbids to delete in production.
const FREEZE: &str = "
envelope: prod
forbid:
  - id: no-deletes
    effect: delete
    target: pg://prod/*
    because: freeze
";

fn own() -> Option<Witness> {
    Some(witness(0x99, Role::Unspecified, "ops"))
}

fn human() -> Option<Witness> {
    Some(witness(0x31, Role::HumanChannel, "approvals"))
}

fn inferred(role: Role) -> Option<Witness> {
    Some(Witness { provenance: Provenance::Inferred, ..witness(0x98, role, "guess") })
}

fn allowed(witness: Option<Witness>) -> Decision {
    Decision { witness, ..decision(Outcome::Allow, By::Human) }
}

/// A human channel's approval.
fn allowed_at(second: u64) -> Decision {
    Decision { at: at(second), ..allowed(human()) }
}

fn permitted(second: u64, by: By, witness: Option<Witness>) -> Decision {
    Decision { at: at(second), witness, ..decision(Outcome::Allow, by) }
}

/// The policy engine of [`decision`].
fn gate() -> Option<Witness> {
    decision(Outcome::Allow, By::Policy).witness
}

fn denied(by: By) -> Decision {
    decision(Outcome::Deny, by)
}

fn aligned(result: CheckResult, witness: Option<Witness>) -> Check {
    Check { witness, phase: Phase::Unknown, ..check(INTENT, result) }
}

fn checked(result: CheckResult, witness: Option<Witness>) -> Check {
    Check { witness, ..check("row_is_gone", result) }
}

/// The turn gets a plan at second 1, approved by a human channel at second 3.
fn plan(turn: &mut Turn, plan: &str) {
    turn.plan = Known::Value(shared(0x40, PlanText { id: Some("plan-1".into()), text: text(plan) }));
    turn.plan_decisions = vec![Decision { plan: Some("plan-1".into()), ..allowed(human()) }];
}

fn pass() -> Option<Witness> {
    check("", CheckResult::Pass).witness
}

#[test]
fn a_tombstone_is_not_judged() {
    let (mut action, turn, rules) = (sample::action(), sample::turn(), rules_of(FREEZE));
    action.merged_into = Some(action.id);
    assert_eq!(judge(&Context::alone(&rules, &turn), &action), (Vec::new(), Vec::new()));
}

#[test]
fn the_table_has_one_validator_for_each_sli() {
    let slis: Vec<Sli> = VALIDATORS.iter().map(|validator| validator.sli()).collect();
    assert_eq!(slis, Sli::ALL);
}
