//! Golden table of approval fatigue: whole days of one desk, from what each call notes on the board to the finding.
//!
//! From `slo.md` §5: at least 20 decisions by one approver about one class in 24 hours, 90 % of them allowed, half of
//! those faster than they can be read; told once a day. Three approvals in a day are not fatigue.

use std::collections::BTreeMap;

use super::*;
use crate::model::{ActionId, Key, ModeAt, Span};

/// What is different about the n-th decision of a day. Each is else about another row, asked at its time, and allowed
/// by `ann` a second later.
type Differs = fn(usize, &mut Setting);

fn setting(number: usize, second: u64, differs: Differs) -> Setting {
    let mut s = Setting { action: called(), turn: sample::turn(), around: Around::default() };
    s.action.id = ActionId([number as u8; 16]);
    s.action.keys = vec![Key::Call(s.action.turn, format!("call_{number}").into())];
    s.action.arguments = Known::Value(text(&format!(r#"{{"id":{number}}}"#)));
    s.action.pieces.clear();
    s.decided(Decision { at: at(second), ..decision(Outcome::Ask, By::Policy) });
    s.decided(Decision { at: at(second + 1), principal: Some("ann".into()), ..allowed(human()) });
    differs(number, &mut s);
    s
}

/// At which decisions, from 1, fatigue is told; and streak and repeats at the last, if there is a load.
fn day(many: usize, every: Span, differs: Differs) -> (Vec<usize>, Option<(u32, u32)>) {
    let rules = Rules::default();
    let second = |number: usize| every.0 / 1_000_000_000 * number as u64;
    let mut settings: Vec<Setting> = (0..many).map(|number| setting(number, second(number), differs)).collect();
    let mut boards: BTreeMap<Topic, Board> = BTreeMap::new();
    let mut places: Vec<Option<(Topic, Place)>> = Vec::new();
    for (handle, Setting { action, turn, .. }) in (0..).zip(&settings) {
        let mut noted = notes(&Context::alone(&rules, turn), action).into_iter();
        places.push(noted.next().map(|(topic, time, note)| {
            let place = (time, action.id);
            let pin = Pin { note, handle, heard: time };
            boards.entry(topic.clone()).or_default().0.insert(place, pin);
            (topic, place)
        }));
        assert!(noted.next().is_none(), "no rule counts anything");
    }
    let load = |place: &Option<(Topic, Place)>| place.as_ref().and_then(|(topic, at)| boards[topic].load(*at));
    let mut told_at = Vec::new();
    for (number, (s, place)) in (1..).zip(settings.iter_mut().zip(&places)) {
        s.around.load = load(place);
        let (_, findings) = told(Sli::ApprovalReviewed, &rules, s);
        match &*findings {
            "" => {}
            "ticket approval.fatigue" => told_at.push(number),
            other => panic!("{other}"),
        }
    }
    (told_at, places.last().and_then(load).map(|load| (load.streak, load.repeats)))
}

fn answer(s: &mut Setting) -> &mut Decision {
    &mut s.action.decisions[1]
}

fn slow(s: &mut Setting) {
    answer(s).waited = Some(Span::seconds(9));
}

#[test]
fn a_tired_desk_is_told_once_a_day() {
    let minute = Span::minutes(1);
    let always: Differs = |_, _| {};
    #[rustfmt::skip]
    let rows: &[(&str, usize, Span, Differs, &[usize], Option<(u32, u32)>)] = &[
        ("three in a day", 3, minute, always, &[], Some((3, 0))),
        ("nineteen", 19, minute, always, &[], Some((19, 0))),
        ("twenty", 20, minute, always, &[20], Some((20, 0))),
        ("fifty", 50, minute, always, &[20], Some((50, 0))),
        ("twenty in thirty hours", 20, Span::minutes(90), always, &[], Some((20, 0))),
        ("a second day", 60, Span::minutes(60), always, &[20, 44], Some((60, 0))),
        ("each of them read", 40, minute, |_, s| slow(s), &[], Some((40, 0))),
        ("half of them read", 20, minute, |n, s| if n % 2 == 0 { slow(s) }, &[20], Some((20, 0))),
        ("eleven of twenty read", 20, minute, |n, s| if n < 11 { slow(s) }, &[], Some((20, 0))),
        ("two of twenty denied", 20, minute, |n, s| if n % 10 == 5 { answer(s).outcome = Outcome::Deny }, &[20], Some((4, 0))),
        ("three of twenty denied", 20, minute, |n, s| if n % 8 == 1 { answer(s).outcome = Outcome::Deny }, &[], Some((2, 0))),
        ("the same thing asked again and again", 20, minute, |_, s| s.action.arguments = Known::Value(text("{}")), &[20], Some((20, 19))),
        ("asked again a day later", 2, Span::hours(24), |_, s| s.action.arguments = Known::Value(text("{}")), &[], Some((2, 0))),
        ("two approvers, nineteen each", 38, minute, |n, s| if n % 2 == 0 { answer(s).principal = Some("bob".into()) }, &[], Some((19, 0))),
        ("two classes, nineteen each", 38, minute, |n, s| if n % 2 == 0 { s.does(Effect::Send, Provenance::Dialect) }, &[], Some((19, 0))),
        ("nobody says how long", 20, minute, |_, s| drop(s.action.decisions.remove(0)), &[], Some((20, 0))),
        ("nobody was asked", 20, minute, |_, s| answer(s).standing = true, &[], None),
        ("a policy decided", 20, minute, |_, s| answer(s).by = By::Policy, &[], None),
        ("a mode in which nobody is asked", 20, minute, |_, s| { bypass(s); s.action.decisions.clear() }, &[], None),
    ];
    for (name, many, every, differs, told_at, last) in rows {
        assert_eq!(day(*many, *every, *differs), (told_at.to_vec(), *last), "{name}");
    }
}

/// The turn runs in a mode in which nobody is asked.
fn bypass(s: &mut Setting) {
    let mode = ModeAt { at: at(0), evidence: sample::record(1), mode: "bypassPermissions".into(), bypass: Some(true) };
    s.turn.modes = vec![mode];
}
