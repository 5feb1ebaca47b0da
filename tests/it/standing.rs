//! What users say that binds a whole conversation, and whose intent a turn serves: over turns, contexts that grew too
//! long, delegations, and whatever order the records come in.

use std::collections::BTreeMap;

use wherefore::lineage::{Book, Reading, assemble, turn_of};
use wherefore::model::{
    Action, By, CheckResult, Decision, Direction, Evidence, Fact, Known, Messages, Moment, Node, Outcome, Provenance,
    Role, StandKind, Tie, Turn, TurnId, What,
};
use wherefore::pipeline::evidence_of;
use wherefore::values;

use super::lineage::{a_call, a_denial, at, call, checked, in_trace, ran, service, span};
use super::sets::{compare, disturbed, undisturbed};
use crate::support::random::{Random, seed};
use crate::support::recordings::read_recordings;

const HOLD: &str = "Look at my inbox, don't act until I say so.";
const RELEASE: &str = "Go ahead.";

/// Messages that a model read: roles and texts.
fn read(said: &[(&str, &str)]) -> What {
    let message = |(role, text): &(&str, &str)| serde_json::json!({ "role": role, "parts": [{ "type": "text", "content": text }] });
    let json = serde_json::Value::from(said.iter().map(message).collect::<Vec<_>>()).to_string();
    What::Messages(Messages { direction: Direction::Input, json: json.into_bytes().into() })
}

/// One turn of a conversation: the agent, its model, which reads this, and a tool that runs.
fn turn_in(trace: u8, conversation: &str, second: u64, said: &[(&str, &str)]) -> Vec<Evidence> {
    let number = u32::from(trace) * 100;
    let of = |evidence: Evidence| in_trace(trace, evidence);
    let conversation = What::Conversation(conversation.into());
    vec![
        of(span(number, 0, Node::Agent, (second, second + 9), vec![conversation])),
        of(span(number + 1, number, Node::Model, (second + 1, second + 2), vec![read(said)])),
        of(span(
            number + 2,
            number,
            Node::Tool,
            (second + 3, second + 4),
            vec![call(ran(None, "archive", Some("{}")))],
        )),
    ]
}

fn turn_at<'a>(turns: &'a [Turn], evidence: &[Evidence]) -> &'a Turn {
    let id = turn_of(&evidence[0]);
    turns.iter().find(|turn| turn.id == id).expect("the turn is there")
}

/// Kind and giver of each constraint of a turn.
fn stands(turn: &Turn) -> Vec<(StandKind, Option<TurnId>)> {
    turn.stands.iter().map(|it| (it.stand.kind, it.from)).collect()
}

#[test]
fn a_context_that_lost_the_words_changes_nothing() {
    let first = turn_in(1, "c", 0, &[("user", HOLD)]);
    let second =
        turn_in(2, "c", 100, &[("user", "Here is a summary of the conversation: tidy up"), ("user", "And now?")]);
    let other = turn_in(3, "d", 200, &[("user", "Tidy up.")]);
    let judged = assemble([&first[..], &second, &other].concat().iter());
    let one = turn_at(&judged.turns, &first);
    assert_eq!(stands(one), [(StandKind::Hold, None)]);
    assert_eq!(stands(turn_at(&judged.turns, &second)), [(StandKind::Hold, Some(one.id))]);
    assert_eq!(stands(turn_at(&judged.turns, &other)), []);
    assert_eq!(&*one.stands[0].stand.quote, HOLD);
}

/// A later turn repeats the whole history, or only its beginning: the release stays after the hold.
#[test]
fn what_a_history_repeats_was_said_when_it_was_first_heard() {
    let history = [("user", HOLD), ("assistant", "I would archive 7."), ("user", RELEASE)];
    let first = turn_in(1, "c", 0, &history[..1]);
    let second = turn_in(2, "c", 100, &history);
    let third = turn_in(3, "c", 200, &[history[0], ("user", "Thanks, and the rest?")]);
    let judged = assemble([&first[..], &second, &third].concat().iter());
    let kinds = |evidence: &[Evidence]| -> Vec<StandKind> {
        turn_at(&judged.turns, evidence).stands.iter().map(|it| it.stand.kind).collect()
    };
    assert_eq!(kinds(&second), [StandKind::Hold, StandKind::Release]);
    assert_eq!(kinds(&third), [StandKind::Hold, StandKind::Release]);
}

/// Said again it holds again, and a second `go ahead` lets it go again, in one turn and in several.
#[test]
fn what_is_said_again_counts_again() {
    use StandKind::{Hold, Release};
    let history = [("user", HOLD), ("user", RELEASE), ("user", HOLD), ("user", RELEASE)];
    let apart: Vec<Vec<Evidence>> =
        (0..4).map(|at| turn_in(1 + at, "c", 100 * u64::from(at), &[history[usize::from(at)]])).collect();
    let judged = assemble(apart.concat().iter());
    let last = turn_at(&judged.turns, &apart[3]);
    assert_eq!(last.stands.iter().map(|it| it.stand.kind).collect::<Vec<_>>(), [Hold, Release, Hold, Release]);
    let together: Vec<Evidence> = (1..=4)
        .map(|len| span(10 + len as u32, 0, Node::Model, (len, len + 1), vec![read(&history[..len as usize])]))
        .collect();
    let judged = assemble(together.iter());
    let kinds: Vec<StandKind> = judged.turns[0].stands.iter().map(|it| it.stand.kind).collect();
    assert_eq!(kinds, [Hold, Release, Hold, Release]);
}

/// What an agent tells another agent, what a tool says and what a model says is not the user's.
#[test]
fn only_the_users_words_bind() {
    let root = span(1, 0, Node::Agent, (0, 50), Vec::new());
    let asked =
        span(2, 1, Node::Model, (1, 2), vec![read(&[("user", "Tidy up."), ("assistant", HOLD), ("tool", HOLD)])]);
    let tool = span(3, 1, Node::Tool, (3, 20), vec![call(ran(None, "helper", Some("{}")))]);
    let below = span(4, 3, Node::Agent, (4, 19), Vec::new());
    let told = span(5, 4, Node::Model, (5, 6), vec![read(&[("user", HOLD)])]);
    let judged = assemble(&[root, asked, tool, below, told]);
    assert_eq!(stands(&judged.turns[0]), []);
}

/// A turn that hands work over to another conversation of the same service, which reads this.
fn handed(said: &[(&str, &str)]) -> [Vec<Evidence>; 3] {
    let before = turn_in(1, "c", 0, &[("user", HOLD)]);
    let mut caller = turn_in(2, "c", 100, &[("user", "Sort the mails of May.")]);
    let gives = Fact { provenance: Provenance::Dialect, what: What::Gives(Tie::Conversation("sub".into())) };
    caller[2].facts.push(gives);
    [before, caller, turn_in(3, "sub", 104, said)]
}

#[test]
fn a_turn_that_was_handed_work_is_bound_by_the_users_words_and_serves_the_users_intent() {
    let [before, caller, sub] = handed(&[("user", "Do not change anything. Archive 7.")]);
    let judged = assemble([&before[..], &caller, &sub].concat().iter());
    let (first, second) = (turn_at(&judged.turns, &before), turn_at(&judged.turns, &caller));
    let sub = turn_at(&judged.turns, &sub);
    assert_eq!(stands(sub), [(StandKind::Hold, Some(first.id))]);
    assert_eq!(sub.root, Some(second.id));
    let (intent, root) = (sub.intent.value().expect("an intent"), second.intent.value().expect("an intent"));
    assert_eq!(&*intent.value.head, "Sort the mails of May.");
    assert_eq!((intent.provenance, intent.evidence), (Provenance::Computed, root.evidence));
    assert_eq!(sub.task.as_ref().map(|task| &*task.value.head), Some("Do not change anything. Archive 7."));
    assert_eq!((second.root, &second.task), (None, &None));
}

/// A conversation with the same id, of another service, is another: two services may count their chats from one.
#[test]
fn an_id_of_another_service_ties_nothing() {
    let first = turn_in(1, "7", 0, &[("user", HOLD)]);
    let elsewhere = |evidence: Evidence| Evidence { service: service("another"), ..evidence };
    let second: Vec<Evidence> = turn_in(2, "7", 100, &[("user", "Tidy up.")]).into_iter().map(elsewhere).collect();
    let judged = assemble([&first[..], &second].concat().iter());
    assert_eq!(stands(turn_at(&judged.turns, &second)), []);
}

/// Holds, releases, delegations, long contexts, in any order, with restarts between.
#[test]
fn what_binds_does_not_depend_on_arrival() {
    let seed = seed();
    println!("seed {seed}");
    for seed in seed..seed + 40 {
        let mut random = Random(seed);
        let words = [HOLD, RELEASE, "Tidy up.", "Wait for my approval.", "Yes."];
        let mut evidence: Vec<Evidence> = Vec::new();
        for trace in 1..6_u8 {
            let conversation = ["c", "d", "sub"][random.below(3) as usize];
            let said: Vec<(&str, &str)> = (0..=random.below(3))
                .map(|_| (["user", "user", "assistant"][random.below(3) as usize], words[random.below(5) as usize]))
                .collect();
            let mut turn = turn_in(trace, conversation, random.below(300), &said);
            match random.below(4) {
                0 => turn[2].facts.push(of_dialect(What::Gives(Tie::Conversation("sub".into())))),
                1 => turn[1].facts.push(of_dialect(What::Response(format!("r{}", random.below(3)).into()))),
                2 => turn[1].facts.push(of_dialect(What::Takes(Tie::Response(format!("r{}", random.below(3)).into())))),
                _ => turn[0].facts.clear(),
            }
            evidence.extend(turn);
        }
        compare("conversations", seed, &undisturbed(&evidence), &disturbed(&evidence, &mut Random(seed)));
    }
}

fn of_dialect(what: What) -> Fact {
    Fact { provenance: Provenance::Dialect, what }
}

/// In no recording did the user hold anything back.
#[test]
fn no_recording_holds_anything_back() {
    for recording in read_recordings() {
        let read = |(signal, body)| evidence_of(&Default::default(), Default::default(), signal, &body);
        let evidence: Vec<Evidence> = recording.requests().into_iter().flat_map(read).collect();
        let held: BTreeMap<TurnId, _> = assemble(&evidence)
            .turns
            .into_iter()
            .filter(|turn| turn.stands.iter().any(|it| it.stand.kind == StandKind::Hold))
            .map(|turn| (turn.id, turn.stands))
            .collect();
        assert!(held.is_empty(), "{}: {held:#?}", recording.name());
    }
}

/// Runs of agents whose users held nothing back. The folder is not part of this project; without it nothing is tried.
#[test]
fn no_benign_run_holds_anything_back() {
    let Some(folder) = std::env::var_os("WHEREFORE_TRAJECTORIES").map(std::path::PathBuf::from) else { return };
    let mut messages = 0;
    for name in ["agentdojo.jsonl.zst", "agentdyn.jsonl.zst", "tau.jsonl.zst"] {
        let packed = std::fs::read(folder.join(name)).expect("runs");
        for line in zstd::decode_all(&*packed).expect("a zstd file").split(|byte| *byte == b'\n') {
            let Ok(run) = serde_json::from_slice::<serde_json::Value>(line) else { continue };
            let said = run["messages"].as_array().into_iter().flatten().filter(|message| message["role"] == "user");
            for text in said.filter_map(|message| message["content"].as_str()) {
                messages += 1;
                let holds = values::standing::stands(text).into_iter().filter(|it| it.kind == StandKind::Hold);
                assert_eq!(holds.collect::<Vec<_>>(), [], "{text}");
            }
        }
    }
    println!("{messages} messages");
}

/// The intent of every recording with a sub-agent is what its user said.
#[test]
fn a_sub_agent_never_overwrites_what_the_user_asked() {
    const ASKED: &str = "My order A-1001 arrived damaged. Please refund it.";
    const CODEX: &str = "Read notes.txt and write summary.txt";
    let (mut seen, mut handed) = (0, 0);
    for recording in read_recordings().into_iter().filter(|it| it.scenario.starts_with("06")) {
        let read = |(signal, body)| evidence_of(&Default::default(), Default::default(), signal, &body);
        let evidence: Vec<Evidence> = recording.requests().into_iter().flat_map(read).collect();
        for turn in assemble(&evidence).turns {
            let Known::Value(intent) = &turn.intent else { continue };
            let said = if recording.stack == "codex-cli" { CODEX } else { ASKED };
            assert_eq!(&*intent.value.head, said, "{}", recording.name());
            handed += usize::from(turn.root.is_some());
            seen += 1;
        }
    }
    assert_eq!((seen, handed), (25, 1), "Codex runs its sub-agent as a conversation of its own");
}

// ── checks that come later ───────────────────────────────────────────────────────────────────────────────────────

/// An action of a conversation: its trace, its call id, its target.
fn did(trace: u8, conversation: &str, second: u64, id: Option<&str>, target: &str) -> Vec<Evidence> {
    let mut own = ran(id, "archive", Some(&format!("{{\"n\":{trace}}}")));
    own.target = Some(target.into());
    let mut turn = turn_in(trace, conversation, second, &[("user", "Tidy up.")]);
    turn[2].facts = vec![of_dialect(call(own))];
    turn
}

/// A check by another service, in a trace of its own eight minutes later.
fn found_later(conversation: Option<&str>, call_id: Option<&str>, more: Vec<What>) -> Vec<Evidence> {
    let second = 8 * 60;
    let mut says = vec![checked("tidy", CheckResult::Fail, second, call_id)];
    says.extend(conversation.map(|id| What::Conversation(id.into())));
    says.extend(more);
    let mut evidence = in_trace(9, span(900, 0, Node::Check, (second, second + 1), says));
    evidence.service = service("evaluator");
    evidence.role = Role::Evaluator;
    vec![evidence]
}

/// How many actions a set has, and which have a check, by their trace.
fn checked_traces(evidence: &[Evidence]) -> (usize, Vec<u8>) {
    let judged = assemble(evidence);
    let has = |action: &&Action| !action.checks.is_empty();
    let mut traces: Vec<u8> = judged.actions.iter().filter(has).map(|it| it.trace().expect("a span").0.0[0]).collect();
    traces.sort_unstable();
    (judged.actions.len(), traces)
}

fn on(target: &str) -> What {
    What::Checked { tool: "archive".into(), target: target.into() }
}

#[test]
fn a_later_check_reaches_the_action_that_it_can_mean() {
    let one = did(1, "c", 0, Some("a"), "mail://7");
    let again = did(2, "c", 100, Some("a"), "mail://7");
    let other = did(3, "c", 200, Some("b"), "mail://8");
    let elsewhere = did(4, "d", 50, Some("a"), "mail://7");
    let all = || [&one[..], &again, &other, &elsewhere].concat();
    for (name, acted, check, want) in [
        ("its call id, of the only one", one.clone(), found_later(None, Some("a"), vec![]), vec![1]),
        ("its call id, of two", [&one[..], &elsewhere].concat(), found_later(None, Some("a"), vec![]), vec![]),
        ("its call id, of two in one conversation", all(), found_later(Some("c"), Some("a"), vec![]), vec![2]),
        ("its call id, of another conversation", one.clone(), found_later(Some("d"), Some("a"), vec![]), vec![]),
        ("tool and target", all(), found_later(Some("c"), None, vec![on("mail://7")]), vec![2]),
        (
            "tool and target, of another conversation",
            all(),
            found_later(Some("d"), None, vec![on("mail://7")]),
            vec![4],
        ),
        ("tool and target of none", all(), found_later(Some("c"), None, vec![on("mail://9")]), vec![]),
        ("tool and target without a conversation", all(), found_later(None, None, vec![on("mail://7")]), vec![]),
    ] {
        let evidence = [acted.clone(), check].concat();
        let (actions, traces) = checked_traces(&evidence);
        assert_eq!((actions, traces), (acted.len() / 3, want), "{name}");
        let seed = seed();
        for seed in seed..seed + 6 {
            compare(name, seed, &undisturbed(&evidence), &disturbed(&evidence, &mut Random(seed)));
        }
    }
}

/// Two calls of one tool on one target at once: nobody knows which was checked.
#[test]
fn of_two_at_once_nobody_knows_which_was_checked() {
    let (one, other) = (did(1, "c", 0, None, "mail://7"), did(2, "c", 0, None, "mail://7"));
    let evidence = [&one[..], &other, &found_later(Some("c"), None, vec![on("mail://7")])].concat();
    assert_eq!(checked_traces(&evidence), (2, vec![]));
}

/// A check's span that links to the tool's span is about it.
#[test]
fn a_later_check_reaches_the_span_that_it_links_to() {
    let one = did(1, "c", 0, None, "mail://7");
    let mut check = found_later(None, None, vec![]);
    check[0].links = one[2].trace.zip(one[2].span).into_iter().collect();
    let evidence = [one, check].concat();
    assert_eq!(checked_traces(&evidence), (1, vec![1]));
    for seed in seed()..seed() + 6 {
        compare("link", seed, &undisturbed(&evidence), &disturbed(&evidence, &mut Random(seed)));
    }
}

/// A model that proposed it, named by its response, and a check of the response in another trace.
#[test]
fn a_later_check_reaches_what_a_response_proposed() {
    let mut one = did(1, "c", 0, Some("a"), "mail://7");
    let proposed = a_call(Moment::Proposed, Some("a"), "archive", Some("{\"n\":1}"));
    one[1].facts = vec![of_dialect(What::Response("r1".into())), of_dialect(call(proposed))];
    let mut check = found_later(None, None, vec![]);
    let What::Check(about) = &mut check[0].facts[0].what else { panic!("a check") };
    about.response_id = Some("r1".into());
    let evidence = [one, check].concat();
    assert_eq!(checked_traces(&evidence), (1, vec![1]));
    for seed in seed()..seed() + 6 {
        compare("response", seed, &undisturbed(&evidence), &disturbed(&evidence, &mut Random(seed)));
    }
}

// ── plans ────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Written by the model, kept by a tool, repeated, replaced: each version once, by its time, and what was decided.
#[test]
fn every_version_of_a_plan_is_kept_by_its_time() {
    let plan = |tool: &str| format!(r#"{{"steps":[{{"tool":"{tool}"}}]}}"#);
    let wrote = |text: &str| {
        let json = serde_json::json!([{ "role": "assistant", "parts": [{ "type": "text", "content": text }] }]);
        What::Messages(Messages { direction: Direction::Output, json: json.to_string().into_bytes().into() })
    };
    let kept = |text: &str| call(ran(None, "update_plan", Some(text)));
    let approved =
        Decision { by: By::Human, outcome: Outcome::Allow, tool: Some("ExitPlanMode".into()), ..a_denial(7, None) };
    let evidence = vec![
        span(1, 0, Node::Agent, (0, 60), vec![]),
        span(2, 1, Node::Model, (1, 2), vec![wrote(&plan("get"))]),
        span(3, 1, Node::Model, (3, 4), vec![wrote("I would get it first.")]),
        span(4, 1, Node::Tool, (5, 6), vec![kept(&plan("get"))]),
        span(5, 1, Node::Tool, (7, 8), vec![What::Decision(Box::new(approved))]),
        span(6, 1, Node::Tool, (9, 10), vec![kept(&plan("put"))]),
        span(7, 1, Node::Tool, (11, 12), vec![kept(&plan("get"))]),
    ];
    let judged = assemble(&evidence);
    let turn = &judged.turns[0];
    let versions: Vec<(u64, &str)> =
        turn.plans.iter().map(|plan| (plan.at.since(at(0)).0 / 1_000_000_000, &*plan.value.text.head)).collect();
    assert_eq!(versions, [(2, &*plan("get")), (9, &*plan("put")), (11, &*plan("get"))]);
    let [decision] = &turn.plan_decisions[..] else { panic!("{:#?}", turn.plan_decisions) };
    assert_eq!((decision.at, decision.by, decision.outcome), (at(7), By::Human, Outcome::Allow));
    assert!(decision.witness.is_some() && decision.plan.is_none());
    for seed in seed()..seed() + 6 {
        compare("plans", seed, &undisturbed(&evidence), &disturbed(&evidence, &mut Random(seed)));
    }
}

/// Of very many plans the first and the latest stay, whatever the order.
#[test]
fn plans_are_bounded() {
    let plan = |number: u64| What::Plan { id: None, text: Known::Value(values::text(&format!("plan {number}")).0) };
    let mut evidence: Vec<Evidence> =
        (1..=300).map(|number| span(number as u32, 0, Node::Plan, (number, number), vec![plan(number)])).collect();
    let want = assemble(&evidence).turns.remove(0).plans;
    assert_eq!(want.len(), 64);
    assert_eq!((&*want[0].value.text.head, &*want[63].value.text.head), ("plan 1", "plan 300"));
    Random(seed()).shuffle(&mut evidence);
    let mut book = Book::default();
    evidence.iter().for_each(|record| drop(book.fold(record)));
    let reading = Reading { closed: true, expired: true };
    assert_eq!(book.judged(reading).turns.remove(0).plans, want);
}

// ── modes of approval ────────────────────────────────────────────────────────────────────────────────────────────

/// What an action's turn says of the mode that it ran in.
fn mode_of(turns: &[Turn], action: &Action) -> Option<(String, Option<bool>)> {
    let turn = turns.iter().find(|turn| turn.id == action.turn).expect("its turn");
    turn.mode_at(action.start).map(|mode| (mode.mode.to_string(), mode.bypass))
}

/// Codex tells the policy of approval when a conversation starts, in a trace of its own before the user's first
/// prompt; Gemini in the record of its settings.
#[test]
fn a_mode_that_was_set_before_is_in_the_lineage_of_every_action() {
    for (stack, scenario, want) in [
        ("codex-cli", "02-denied", Some(("on-request, read-only", Some(false)))),
        ("codex-cli", "03-approved", Some(("on-request, read-only", Some(false)))),
        ("codex-cli", "08-multiturn", Some(("never, danger-full-access", Some(true)))),
        ("gemini-cli", "01-benign", Some(("yolo", Some(true)))),
    ] {
        let recordings: Vec<_> =
            read_recordings().into_iter().filter(|it| it.stack == stack && it.scenario == scenario).collect();
        assert!(!recordings.is_empty(), "{stack} {scenario}");
        for recording in recordings {
            let read = |(signal, body)| evidence_of(&Default::default(), Default::default(), signal, &body);
            let evidence: Vec<Evidence> = recording.requests().into_iter().flat_map(read).collect();
            let judged = assemble(&evidence);
            assert!(!judged.actions.is_empty(), "{}", recording.name());
            for action in &judged.actions {
                let want = want.map(|(mode, bypass)| (mode.to_owned(), bypass));
                assert_eq!(mode_of(&judged.turns, action), want, "{} {}", recording.name(), action.tool_label());
            }
        }
    }
}

/// A turn in which a mode is set after so many seconds.
fn set_in(trace: u8, second: u64, modes: &[(u64, &str)]) -> Vec<Evidence> {
    let mut turn = turn_in(trace, "c", second, &[("user", "Tidy up.")]);
    for (number, (at, mode)) in modes.iter().enumerate() {
        let says = vec![What::Mode { mode: (*mode).into(), bypass: Some(*mode == "yolo") }];
        let set = span(u32::from(trace) * 100 + 50 + number as u32, 0, Node::Other, (*at, *at), says);
        turn.push(in_trace(trace, set));
    }
    turn
}

#[test]
fn a_mode_holds_until_it_changes() {
    let turns = [
        set_in(1, 0, &[(1, "default")]),
        set_in(2, 100, &[]),
        set_in(3, 200, &[(201, "yolo")]),
        set_in(4, 300, &[]),
        set_in(5, 400, &[(401, "default")]),
        set_in(6, 500, &[]),
    ];
    let judged = assemble(turns.concat().iter());
    let modes = turns.iter().map(|turn| {
        let turn = turn_at(&judged.turns, turn);
        let action = judged.actions.iter().find(|action| action.turn == turn.id).expect("an action");
        mode_of(&judged.turns, action).expect("a mode").0
    });
    let modes: Vec<String> = modes.collect();
    assert_eq!(modes, ["default", "default", "yolo", "yolo", "default", "default"]);
    // In another conversation nothing was set.
    let elsewhere = turn_in(7, "d", 600, &[("user", "Tidy up.")]);
    let judged = assemble([turns.concat(), elsewhere.clone()].concat().iter());
    assert_eq!(turn_at(&judged.turns, &elsewhere).modes, []);
}

/// Modes set in turns, beside them and below them, in any order, with restarts between.
#[test]
fn modes_do_not_depend_on_arrival() {
    let seed = seed();
    println!("seed {seed}");
    for seed in seed..seed + 20 {
        let mut random = Random(seed);
        let mut evidence: Vec<Evidence> = Vec::new();
        for trace in 1..6_u8 {
            let second = random.below(300);
            let modes: Vec<(u64, &str)> = (0..random.below(3))
                .map(|_| (second + random.below(200), ["default", "yolo", "auto"][random.below(3) as usize]))
                .collect();
            let mut turn = set_in(trace, second, &modes);
            if random.below(4) == 0 {
                turn[2].facts.push(of_dialect(What::Gives(Tie::Conversation("c".into()))));
            }
            evidence.extend(turn);
        }
        compare("modes", seed, &undisturbed(&evidence), &disturbed(&evidence, &mut Random(seed)));
    }
}
