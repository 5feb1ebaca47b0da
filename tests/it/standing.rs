//! What users say that binds a whole conversation, and whose intent a turn serves: over turns, contexts that grew too
//! long, delegations, and whatever order the records come in.

use std::collections::BTreeMap;

use wherefore::lineage::{assemble, turn_of};
use wherefore::model::{
    Direction, Evidence, Fact, Known, Messages, Node, Provenance, StandKind, Tie, Turn, TurnId, What,
};
use wherefore::pipeline::evidence_of;
use wherefore::values;

use super::lineage::{call, in_trace, ran, service, span};
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
    let mut seen = 0;
    for recording in read_recordings().into_iter().filter(|it| it.scenario.starts_with("06")) {
        let read = |(signal, body)| evidence_of(&Default::default(), Default::default(), signal, &body);
        let evidence: Vec<Evidence> = recording.requests().into_iter().flat_map(read).collect();
        for turn in assemble(&evidence).turns {
            let Known::Value(intent) = &turn.intent else { continue };
            println!("{} {:?} {}", recording.name(), turn.root, intent.value.head);
            seen += 1;
        }
    }
    assert!(seen > 8, "{seen} intents");
}
