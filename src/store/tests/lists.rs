//! Lists, their filters and their pages.

use proptest::prelude::*;

use super::*;

/// A filter, and what it means.
type Case<'a> = (ActionFilter, &'a dyn Fn(&Action) -> bool);

/// A list is what a plain filter over the latest revisions gives, whatever the pages.
fn pages(store: &Store, filter: &ActionFilter, limit: usize) -> Vec<(ActionId, u32)> {
    let reader = store.reader().expect("a reader");
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let page = reader.actions(filter, limit, cursor.as_deref()).expect("a page");
        assert!(page.items.len() <= limit);
        all.extend(page.items.iter().map(|action| (action.id, action.revision)));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return all,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_list_is_the_latest_revisions_that_match_the_last_published_first(
        published in proptest::collection::vec((0_u8..8, 0_u64..4), 1..24),
        limit in 1_usize..7,
        pick in 0_usize..40,
    ) {
        let dir = folder();
        let mut store = open(&dir);
        let mut latest: Vec<Action> = Vec::new();
        let (mut now, mut revisions) = (HOUR, BTreeMap::new());
        for (position, (n, wait)) in (1..).zip(published) {
            let revision = revisions.entry(n).and_modify(|it| *it += 1).or_insert(1);
            now += wait * HOUR / 2;
            let action = action(n, *revision);
            Step::at(position, now, rows(vec![action.clone()])).commit(&mut store).expect("committed");
            latest.retain(|it| it.id != action.id);
            latest.insert(0, action);
        }
        let like = latest[pick % latest.len()].clone();
        let verdict = like.verdicts.first().map(|it| (it.sli, it.value));
        let open = |action: &Action| action.findings.iter().any(|it| it.state == FindingState::Open);
        let text = |text: &str| Some(Arc::from(text));
        let (state, late) = (like.state.as_str(), Some(Nanos(1 << 62)));
        let none = ActionFilter::default;
        let has = |it: &Action| verdict.is_none_or(|known| it.verdicts.iter().any(|it| (it.sli, it.value) == known));
        let names = |it: &Action| it.call_id == like.call_id;
        let filters: [Case<'_>; 10] = [
            (none(), &|_| true),
            (ActionFilter { tenant: Some(like.tenant.clone()), ..none() }, &|it| it.tenant == like.tenant),
            (ActionFilter { agent: text(like.agent_label()), ..none() }, &|it| it.agent_label() == like.agent_label()),
            (ActionFilter { tool: text(like.tool_label()), ..none() }, &|it| it.tool_label() == like.tool_label()),
            (ActionFilter { state: text(state), ..none() }, &|it| it.state.as_str() == state),
            (ActionFilter { verdict, ..none() }, &has),
            (ActionFilter { open_findings: true, ..none() }, &open),
            (ActionFilter { since: late, ..none() }, &|it| Some(it.end) >= late),
            (ActionFilter { until: late, ..none() }, &|it| Some(it.end) < late),
            (ActionFilter { text: like.call_id.as_ref().map(|id| id.to_uppercase().into()), ..none() }, &names),
        ];
        for (filter, matches) in filters {
            let want: Vec<_> = latest.iter().filter(|it| matches(it)).map(|it| (it.id, it.revision)).collect();
            prop_assert_eq!(pages(&store, &filter, limit), want, "{:?}", filter);
        }
    }
}

#[test]
fn findings_are_listed_in_their_latest_state() {
    let dir = folder();
    let mut store = open(&dir);
    let told = [
        (1, 1, FindingState::Open),
        (2, 1, FindingState::Open),
        (3, 1, FindingState::Open),
        (1, 5, FindingState::Retracted),
        (4, 5, FindingState::Open),
        (4, 5, FindingState::Superseded),
    ];
    for (position, (n, hour, state)) in (1..).zip(told) {
        let output = Output { findings: vec![finding(n, state)], ..Output::default() };
        Step::at(position, hour * HOUR, output).commit(&mut store).expect("committed");
    }
    let reader = store.reader().expect("a reader");
    let list = |filter: &FindingFilter| -> Vec<(u8, FindingState)> {
        let page = reader.findings(filter, 10, None).expect("a list");
        page.items.iter().map(|event| (event.finding.id.0[0], event.finding.state)).collect()
    };
    use FindingState::{Open, Retracted, Superseded};
    assert_eq!(list(&FindingFilter::default()), [(4, Superseded), (1, Retracted), (3, Open), (2, Open)]);
    assert_eq!(list(&FindingFilter { open: true, ..FindingFilter::default() }), [(3, Open), (2, Open)]);
}

#[test]
fn a_position_that_is_none_is_refused() {
    let dir = folder();
    let reader = open(&dir).reader().expect("a reader");
    for wrong in ["", "1", "a.b", "1.2.3", "18446744073709551615.1"] {
        let refused = reader.actions(&ActionFilter::default(), 1, Some(wrong)).expect_err("no cursor");
        assert!(matches!(refused, StoreError::Cursor { .. }), "{wrong}");
    }
    assert_eq!(reader.actions(&ActionFilter::default(), 1, Some("9.9")).expect("beyond the end").items, []);
}
