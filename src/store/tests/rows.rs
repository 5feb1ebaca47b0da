//! The engine's rows: what was committed is what comes back.

use super::*;

#[test]
fn what_was_committed_is_what_opening_gives_back() {
    let dir = folder();
    let mut store = open(&dir);
    let mut changes = Changes { small: any("small"), ..Changes::default() };
    changes.small.now = Nanos(200 * HOUR);
    changes.small.ledger_from = Nanos(4 * HOUR);
    changes.small.settle_lag = None;
    changes.dues = [Due::Close(TurnId([1; 16])), Due::Settle(2), Due::Check(u64::MAX), Due::Revise(4)]
        .into_iter()
        .zip([Some(Nanos(1)), Some(Nanos(u64::MAX)), Some(Nanos(3)), None])
        .collect();
    let cell = Cell { good: 1, bad: 2, unknown: 3 };
    let key = |slice, agent: &str| crate::engine::parts::LedgerKey {
        slice: Nanos(slice),
        tenant: Tenant::default(),
        sli: Sli::DeniedActions,
        agent: agent.into(),
    };
    let far = u64::MAX - 1;
    changes.ledger = [(3 * HOUR, "old"), (50 * HOUR, "new"), (far, "far")].map(|(at, who)| (key(at, who), cell)).into();
    let incident = |n: u8, contained| crate::engine::parts::Incident {
        id: IncidentId([n; 16]),
        contained,
        ..any(&format!("incident {n}"))
    };
    let kept = [incident(1, None), incident(2, Some(Nanos(99 * HOUR)))];
    changes.incidents = kept.iter().map(|it| (it.id, Some(it.clone()))).collect();
    changes.incidents.push((IncidentId([3; 16]), None));
    let configurations: Vec<(Digest, Vec<u8>)> = (0..3).map(|n| (body(n).digest, vec![n; 10])).collect();
    changes.small.configurations = vec![configurations[2].0, configurations[0].0];
    store.commit(77, &changes, &[], &configurations).expect("committed");
    drop(store);

    let opened = Store::open(dir.path()).expect("the store opens");
    let (applied, small) = opened.checkpoint.expect("there is one");
    assert_eq!((applied, format!("{small:?}")), (77, format!("{:?}", changes.small)));
    let due = |due, at| (due, Nanos(at));
    let dues: BTreeSet<_> = opened.dues.into_iter().collect();
    assert_eq!(
        dues,
        BTreeSet::from([
            due(Due::Close(TurnId([1; 16])), 1),
            due(Due::Settle(2), u64::MAX),
            due(Due::Check(u64::MAX), 3)
        ])
    );
    let ledger: BTreeMap<_, _> = opened.ledger.into_iter().collect();
    let later = BTreeMap::from([(key(50 * HOUR, "new"), cell), (key(far, "far"), cell)]);
    assert_eq!(ledger, later, "the engine gets what is not final");
    assert_eq!(opened.store.reader().expect("a reader").ledger(Nanos(0)).expect("read").len(), 3);
    assert_eq!(opened.configurations, [configurations[2].clone(), configurations[0].clone()]);
    let by_id = |incidents: &[crate::engine::parts::Incident]| -> BTreeMap<_, _> {
        incidents.iter().map(|it| (it.id, it.clone())).collect()
    };
    assert_eq!(by_id(&opened.incidents), by_id(&kept));
}

#[test]
fn a_wanted_turn_comes_with_all_that_its_components_are_read_with() {
    let dir = folder();
    let mut store = open(&dir);
    let kept = [
        kept_turn(1, &[10, 20], &[(10, "a"), (11, "b")]),
        kept_turn(2, &[20], &[(20, "c")]),
        kept_turn(3, &[30], &[(30, "a")]),
        kept_turn(4, &[40], &[(40, "z")]),
    ];
    store.commit(1, &keep(&kept), &[], &[]).expect("committed");
    for restart in [false, true] {
        if restart {
            drop(store);
            store = open(&dir);
        }
        let load = |want: Want| store.load(&BTreeSet::from([want])).expect("loaded");
        let call = |id: &str| Want::Call(Tenant::default(), id.into());
        assert_eq!(load(Want::Turn(TurnId([1; 16]))), kept[..3]);
        assert_eq!(load(Want::Handle(11)), kept[..3], "an open ask is found by its handle");
        assert_eq!(load(call("z")), kept[3..]);
        assert_eq!(load(Want::Handle(20)), kept[1..2]);
        for unknown in [Want::Turn(TurnId([9; 16])), Want::Handle(99), call("nobody's")] {
            assert_eq!(load(unknown), []);
        }
    }
    let moved = ActionState { home: TurnId([4; 16]), ..ActionState::clone(&kept[1].actions[0].0) };
    let changes = Changes { actions: vec![(moved.into(), Account::default())], gone: vec![30], ..Changes::default() };
    store.commit(2, &changes, &[], &[]).expect("committed");
    let homes = |want| -> Vec<(TurnId, usize)> {
        let rows = store.load(&BTreeSet::from([want])).expect("loaded");
        rows.iter().map(|row| (row.state.id, row.actions.len())).collect()
    };
    // Its old home still has its call's name, and comes along.
    assert_eq!(homes(Want::Handle(20)), [(TurnId([2; 16]), 0), (TurnId([4; 16]), 2)]);
    assert_eq!(homes(Want::Handle(30)), []);
}

#[test]
fn a_call_id_that_everybody_uses_brings_a_bounded_number_of_turns() {
    let dir = folder();
    let mut store = open(&dir);
    let kept: Vec<TurnRow> = (0..200).map(|n| kept_turn(n, &[u64::from(n)], &[(u64::from(n), "call_1")])).collect();
    store.commit(1, &keep(&kept), &[], &[]).expect("committed");
    let call = Want::Call(Tenant::default(), "call_1".into());
    assert_eq!(store.load(&BTreeSet::from([call])).expect("loaded").len(), 65);
}

#[test]
fn purging_takes_what_is_closed_settled_and_old_and_nothing_else() {
    let dir = folder();
    let mut store = open(&dir);
    let mut kept: Vec<TurnRow> = (1..5).map(|n| kept_turn(n, &[u64::from(n)], &[(u64::from(n), "a")])).collect();
    kept[0].account.closed = false;
    kept[1].actions[0].1.settled = false;
    store.commit(1, &keep(&kept), &[], &[]).expect("committed");
    assert_eq!(store.purge(Nanos(4)).expect("purged"), Purged { turns: 1, more: false });
    let left = |store: &Store| -> Vec<u8> {
        let wants = (1..5).map(|n| Want::Turn(TurnId([n; 16]))).collect();
        store.load(&wants).expect("loaded").iter().map(|row| row.state.id.0[0]).collect()
    };
    assert_eq!(left(&store), [1, 2, 4]);
    drop(store);
    let mut store = open(&dir);
    assert_eq!(left(&store), [1, 2, 4]);
    assert_eq!(store.load(&BTreeSet::from([Want::Handle(3)])).expect("loaded"), []);
    assert_eq!(store.purge(Nanos(4)).expect("purged"), Purged { turns: 0, more: false });
}
