//! Every name finds its row, at its latest revision.

use super::*;

#[test]
fn a_later_revision_is_a_new_row_and_the_one_that_is_found() {
    let dir = folder();
    let mut store = open(&dir);
    for (revision, hour) in [(1, 1), (2, 1), (3, 5)] {
        let step = Step::at(u64::from(revision), hour * HOUR, rows(vec![action(7, revision)]));
        step.commit(&mut store).expect("committed");
    }
    assert_eq!((store.stats().actions, store.stats().partitions), (3, 2));
    let reader = store.reader().expect("a reader");
    let latest = action(7, 3);
    let first_key = action(7, 1).keys[2].to_string();
    let (trace, span) = (TraceId([7; 16]), SpanId([7; 8]));
    for alias in [
        latest.id.to_string(),
        format!("{trace}/{span}"),
        trace.to_string(),
        trace.to_string().to_uppercase(),
        span.to_string(),
        "call-7".into(),
        latest.keys[0].to_string(),
        latest.keys[1].to_string(),
        latest.turn.to_string(),
        first_key,
    ] {
        assert_eq!(reader.lookup(&alias).expect("found"), std::slice::from_ref(&latest), "{alias}");
    }
    for nothing in ["", "call-8", "span:", &ActionId([8; 16]).to_string()] {
        assert_eq!(reader.lookup(nothing).expect("looked"), [], "{nothing}");
    }
}

#[test]
fn a_tombstone_leads_to_the_survivor_and_is_in_no_list() {
    let dir = folder();
    let mut store = open(&dir);
    let grave = Action { merged_into: Some(ActionId([2; 16])), revision: 2, ..action(1, 2) };
    let early = rows(vec![action(1, 1), action(2, 1)]);
    Step::at(1, HOUR, early).commit(&mut store).expect("committed");
    Step::at(2, 9 * HOUR, rows(vec![grave.clone(), action(2, 2)])).commit(&mut store).expect("committed");
    let reader = store.reader().expect("a reader");
    for alias in ["call-1", "call-2", &ActionId([1; 16]).to_string()] {
        assert_eq!(reader.lookup(alias).expect("found"), [action(2, 2)], "{alias}");
    }
    assert_eq!(reader.action(ActionId([1; 16])).expect("found"), Some(grave));
    let page = reader.actions(&ActionFilter::default(), 10, None, &BTreeSet::new()).expect("a list");
    assert_eq!(page, Page { items: vec![action(2, 2)], next: None, complete: true });
}

#[test]
fn a_conversation_finds_the_actions_of_its_turns() {
    let dir = folder();
    let mut store = open(&dir);
    let output =
        Output { turns: vec![turn(4, 1), turn(5, 1), turn(6, 1)], ..rows((4..7).map(|n| action(n, 1)).collect()) };
    Step::at(1, HOUR, output).commit(&mut store).expect("committed");
    let reader = store.reader().expect("a reader");
    let ids = |alias: &str| -> BTreeSet<ActionId> {
        reader.lookup(alias).expect("found").iter().map(|action| action.id).collect()
    };
    assert_eq!(ids("chat-2"), BTreeSet::from([ActionId([4; 16]), ActionId([5; 16])]));
    assert_eq!(ids(&ConversationId([6; 16]).to_string()), BTreeSet::from([ActionId([6; 16])]));
    assert_eq!(reader.turn(TurnId([6; 16])).expect("found"), Some(turn(6, 1)));
    assert_eq!(reader.turn(TurnId([9; 16])).expect("looked"), None);
}

#[test]
fn bodies_are_kept_once_per_partition_and_come_back_whole() {
    let dir = folder();
    let mut store = open(&dir);
    let output = || Output { bodies: vec![body(1), body(2), body(1)], ..Output::default() };
    Step::at(1, HOUR, output()).commit(&mut store).expect("committed");
    let once = store.parts[0].content;
    Step::at(2, HOUR, output()).commit(&mut store).expect("committed");
    assert_eq!(store.parts[0].content, once);
    Step::at(3, 9 * HOUR, output()).commit(&mut store).expect("committed");
    let reader = store.reader().expect("a reader");
    for n in [1, 2] {
        let found = reader.body(&body(n).digest).expect("looked").expect("there");
        assert_eq!(found, body(n).bytes);
    }
    assert_eq!(reader.body(&body(3).digest).expect("looked"), None);
}

#[test]
fn what_is_in_a_partition_is_never_denied_by_its_filter() {
    let dir = folder();
    let mut store = open(&dir);
    for step in &steps() {
        step.commit(&mut store).expect("committed");
    }
    drop(store);
    let store = open(&dir);
    for step in &steps() {
        for output in step.published.iter().map(|it| &it.output) {
            let mut hashes: Vec<i64> = output.bodies.iter().map(|it| aliases::of_body(&it.digest)).collect();
            hashes.extend(output.actions.iter().flat_map(aliases::of_action).map(|it| aliases::of_alias(&it)));
            hashes.extend(output.turns.iter().flat_map(aliases::of_turn).map(|it| aliases::of_alias(&it)));
            for hash in hashes {
                assert!(store.parts.iter().any(|part| part.may_hold(hash)));
            }
        }
    }
    let unknown = (0..1000).map(|n| aliases::of_alias(&format!("nobody {n}")));
    let perhaps = unknown.filter(|hash| store.parts.iter().any(|part| part.may_hold(*hash))).count();
    assert!(perhaps < 200, "{perhaps} of 1000 unknown names are looked for on disk");
}

#[test]
fn what_others_call_the_same_hides_nothing_of_a_tenant() {
    let dir = folder();
    let mut store = open(&dir);
    let crowd = |n: u16| {
        let id = [n.to_be_bytes(); 8].concat().try_into().expect("16 bytes");
        let key = Key::Call(TurnId(id), "call-1".into());
        Action { id: ActionId(id), keys: vec![key], tenant: Tenant::new("crowd"), turn: TurnId(id), ..action(1, 1) }
    };
    let own = Action { tenant: Tenant::new("own"), ..action(255, 1) };
    let own = Action { call_id: Some("call-1".into()), ..own };
    let all = (1_000..2_500).map(crowd).chain([own.clone()]).collect();
    Step::at(1, HOUR, rows(all)).commit(&mut store).expect("committed");
    let reader = store.reader().expect("a reader");
    let found = |tenant: &str| reader.lookup_of(Some(&Tenant::new(tenant)), "call-1").expect("found");
    assert_eq!(found("own"), [own]);
    assert_eq!((found("crowd").len(), found("nobody").len()), (1_000, 0));
}
