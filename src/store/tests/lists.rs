//! Lists, their filters and their pages.

use proptest::prelude::*;

use super::*;

/// A filter, and what it means.
type Case<'a> = (ActionFilter, &'a dyn Fn(&Action) -> bool);

/// Every page of a list, each action by id and revision; what no page shows is not asked for.
fn pages(reader: &Reader, filter: &ActionFilter, limit: usize) -> Vec<(ActionId, u32)> {
    let mut all = Vec::new();
    let mut from = None;
    loop {
        let page = reader.actions(filter, limit, from, &BTreeSet::new()).expect("a page");
        assert!(page.items.len() <= limit);
        assert!(page.items.len() == limit || page.next.is_none() || !page.complete, "a page is full or says why not");
        all.extend(page.items.iter().map(|action| (action.id, action.revision)));
        match page.next {
            Some(next) => {
                assert!(from.is_none_or(|from| next < from), "every page goes on");
                from = Some(next);
            }
            None => return all,
        }
    }
}

/// Ends as agents send them: of the hour, late, in advance, never, and from a clock that is nowhere.
fn end(n: u64, now: u64) -> Nanos {
    Nanos([now - 1_000 * n, now - 1_000 * n, HOUR / 3, now + 30 * HOUR, 0, u64::MAX - n % 2][n as usize % 6])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// However rows lie in partitions, and however little one question may do, a list is what a plain filter over the
    /// latest revisions gives, in order of the events' ends.
    #[test]
    fn a_list_is_the_latest_revisions_that_match_newest_first(
        published in proptest::collection::vec((0_u8..8, 0_u64..4, 0_u64..60), 1..24),
        limit in 1_usize..7,
        pick in 0_usize..40,
        effort in prop_oneof![Just(walk::EFFORT), 0_usize..200],
    ) {
        let dir = folder();
        let mut store = open(&dir);
        let mut latest: Vec<Action> = Vec::new();
        let (mut now, mut revisions) = (HOUR, BTreeMap::new());
        for (position, (n, wait, ended)) in (1..).zip(published) {
            let revision = revisions.entry(n).and_modify(|it| *it += 1).or_insert(1);
            now += wait * HOUR / 2;
            let mut action = Action { end: end(ended, now), ..action(n, *revision) };
            // The first rules are of one envelope, so that some actions share them.
            action.findings.iter_mut().take(1).for_each(|it| it.rule = format!("envelope.prod.{}", n % 2).into());
            Step::at(position, now, rows(vec![action.clone()])).commit(&mut store).expect("committed");
            latest.retain(|it| it.id != action.id);
            latest.push(action);
        }
        latest.sort_by_key(|it| std::cmp::Reverse(Cursor::of(it)));
        let mut reader = store.reader().expect("a reader");
        reader.effort = effort;
        let like = latest[pick % latest.len()].clone();
        let verdict = like.verdicts.first().map(|it| (it.sli, it.value));
        let open = |action: &Action| action.findings.iter().any(|it| it.state == FindingState::Open);
        let rule = like.findings.first().map(|it| it.rule.clone());
        let severity = like.findings.first().map(|it| it.severity);
        let loud = |action: &Action, rule: Option<&Arc<str>>, severity| {
            let mut open = action.findings.iter().filter(|it| it.state == FindingState::Open);
            open.any(|it| rule.is_none_or(|rule| it.rule == *rule) && Some(it.severity) >= severity)
        };
        let text = |text: &str| Some(Arc::from(text));
        let (state, late) = (like.state.as_str(), Some(Nanos(5 * HOUR)));
        let none = ActionFilter::default;
        let has = |it: &Action| verdict.is_none_or(|known| it.verdicts.iter().any(|it| (it.sli, it.value) == known));
        let names = |it: &Action| it.call_id == like.call_id;
        let filters: [Case<'_>; 14] = [
            (none(), &|_| true),
            (ActionFilter { tenant: Some(like.tenant.clone()), ..none() }, &|it| it.tenant == like.tenant),
            (ActionFilter { agent: text(like.agent_label()), ..none() }, &|it| it.agent_label() == like.agent_label()),
            (ActionFilter { tool: text(like.tool_label()), ..none() }, &|it| it.tool_label() == like.tool_label()),
            (ActionFilter { state: text(state), ..none() }, &|it| it.state.as_str() == state),
            (ActionFilter { verdict, ..none() }, &has),
            (ActionFilter { open_findings: true, ..none() }, &open),
            (ActionFilter { rule: rule.clone(), ..none() }, &|it| rule.is_none() || loud(it, rule.as_ref(), None)),
            (ActionFilter { severity, ..none() }, &|it| severity.is_none() || loud(it, None, severity)),
            (
                ActionFilter { rule: rule.clone(), severity, ..none() },
                &|it| severity.is_none() || loud(it, rule.as_ref(), severity),
            ),
            (ActionFilter { since: late, ..none() }, &|it| Some(it.end) >= late),
            (ActionFilter { until: late, ..none() }, &|it| Some(it.end) < late),
            (ActionFilter { since: late, until: Some(Nanos(u64::MAX)), ..none() }, &|it| {
                Some(it.end) >= late && it.end < Nanos(u64::MAX)
            }),
            (ActionFilter { text: like.call_id.as_ref().map(|id| id.to_uppercase().into()), ..none() }, &names),
        ];
        for (filter, matches) in filters {
            let want: Vec<_> = latest.iter().filter(|it| matches(it)).map(|it| (it.id, it.revision)).collect();
            prop_assert_eq!(pages(&reader, &filter, limit), want, "{:?}", filter);
        }
    }
}

/// An action with open findings.
fn found(n: u16, findings: &[(&str, Severity)]) -> Action {
    let id = ActionId([n.to_be_bytes(); 8].concat().try_into().expect("16 bytes"));
    let finding = |(rule, severity): &(&str, Severity)| Finding {
        id: FindingId(id.0),
        rule: (*rule).into(),
        severity: *severity,
        state: FindingState::Open,
        tags: Vec::new(),
        envelope: None,
        ..super::any("a finding")
    };
    let findings = findings.iter().map(finding).collect();
    Action { id, end: Nanos(u64::from(n) * 1_000), findings, merged_into: None, ..action(1, 1) }
}

#[test]
fn one_finding_is_found_among_thousands_of_others() {
    let dir = folder();
    let mut store = open(&dir);
    let quiet = [("envelope.e.quiet", Severity::Ticket), ("envelope.e.quiet.attempt", Severity::Info)];
    let loud = found(7, &[("envelope.e.loud", Severity::Page)]);
    let others = (1_000..4_000).map(|n| found(n, &quiet)).chain([loud.clone()]).collect();
    Step::at(1, HOUR, rows(others)).commit(&mut store).expect("committed");
    Step::at(2, 9 * HOUR, rows(vec![found(9_000, &quiet)])).commit(&mut store).expect("committed");
    let mut reader = store.reader().expect("a reader");
    // Not enough to look at each.
    reader.effort = 500;
    let (rule, severity) = (Some(Arc::from("envelope.e.loud")), Some(Severity::Page));
    for filter in [
        ActionFilter { rule: rule.clone(), open_findings: true, ..ActionFilter::default() },
        ActionFilter { severity, ..ActionFilter::default() },
        ActionFilter { rule, severity, tenant: Some(loud.tenant.clone()), ..ActionFilter::default() },
    ] {
        let page = reader.actions(&filter, 50, None, &BTreeSet::new()).expect("a page");
        assert_eq!(page.items.iter().map(|it| it.id).collect::<Vec<_>>(), [loud.id], "{filter:?}");
        assert_eq!((page.next, page.complete), (None, true), "{filter:?}");
    }
    // The rule of one finding and the loudness of another make no third.
    let mixed = ActionFilter { rule: Some("envelope.e.quiet.attempt".into()), severity, ..ActionFilter::default() };
    assert_eq!(reader.actions(&mixed, 50, None, &BTreeSet::new()).expect("a page").items, []);
}

/// Files below a folder that this process has open.
#[cfg(target_os = "linux")]
fn open_files(dir: &TempDir) -> usize {
    let open =
        std::fs::read_dir("/proc/self/fd").expect("listed").filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok());
    open.filter(|path| path.starts_with(partitions(dir.path()))).count()
}

#[cfg(target_os = "linux")]
#[test]
fn a_question_has_few_files_open_and_ends_however_many_there_are() {
    let dir = folder();
    let mut store = open(&dir);
    for n in 1..=40_u8 {
        let action = Action { end: Nanos(u64::from(n) * HOUR), ..action(n, 1) };
        Step::at(n.into(), u64::from(n) * HOUR, rows(vec![action])).commit(&mut store).expect("committed");
    }
    let before = open_files(&dir);
    let mut reader = store.reader().expect("a reader");
    let shelf = reader.shelf().expect("a shelf");
    let mut open = lookup::Open::new(&reader, &shelf);
    for index in 0..shelf.parts.len() {
        assert!(open.part(index).expect("opened").is_some());
    }
    // Eight, and of the one that is still written to its log and the index of that.
    assert!(open_files(&dir) <= before + 10, "{} files are open", open_files(&dir) - before);
    drop(open);

    // Ten files' worth of effort: a question that fits nothing stops, says so, and goes on where it stopped.
    reader.effort = 10 * 50;
    let nobody = ActionFilter { agent: Some("nobody".into()), ..ActionFilter::default() };
    let first = reader.actions(&nobody, 50, None, &BTreeSet::new()).expect("a page");
    assert!(first.items.is_empty() && first.next.is_some() && !first.complete, "{first:?}");
    assert_eq!(pages(&reader, &nobody, 50), []);
    let newest = reader.actions(&ActionFilter::default(), 3, None, &BTreeSet::new()).expect("a page");
    assert_eq!(newest.items.iter().map(|it| it.id.0[0]).collect::<Vec<_>>(), [40, 39, 38]);
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
        let event = finding(n, state);
        let event = FindingEvent { finding: Finding { at: Nanos(u64::from(n) * HOUR), ..event.finding }, ..event };
        let output = Output { findings: vec![event], ..Output::default() };
        Step::at(position, hour * HOUR, output).commit(&mut store).expect("committed");
    }
    let reader = store.reader().expect("a reader");
    let list = |filter: &FindingFilter| -> Vec<(u8, FindingState)> {
        let page = reader.findings(filter, 10, None).expect("a list");
        page.items.iter().map(|event| (event.finding.id.0[0], event.finding.state)).collect()
    };
    use FindingState::{Open, Retracted, Superseded};
    assert_eq!(list(&FindingFilter::default()), [(4, Superseded), (3, Open), (2, Open), (1, Retracted)]);
    assert_eq!(list(&FindingFilter { open: true, ..FindingFilter::default() }), [(3, Open), (2, Open)]);
}

#[test]
fn a_cursor_is_read_as_it_is_written_and_nothing_else_is() {
    let cursor = Cursor::of(&Action { end: Nanos(17), ..action(7, 1) });
    assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
    for wrong in [
        "",
        "1",
        "a-b",
        "17-07",
        "-3-07070707070707070707070707070707",
        "9223372036854775808-07070707070707070707070707070707",
    ] {
        assert_eq!(Cursor::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn the_beginning_of_an_id_finds_the_ids_that_have_it() {
    let dir = folder();
    let mut store = open(&dir);
    let named = |n: u8, last: u8, tenant: &str| {
        let mut id = [n; 16];
        id[15] = last;
        Action { id: ActionId(id), tenant: Tenant::new(tenant), ..action(n, 1) }
    };
    let all = vec![named(1, 1, "a"), named(1, 2, "b"), named(2, 1, "a")];
    Step::at(1, HOUR, rows(all)).commit(&mut store).expect("committed");
    Step::at(2, 9 * HOUR, rows(vec![named(1, 3, "a"), named(3, 1, "a")])).commit(&mut store).expect("committed");
    let reader = store.reader().expect("a reader");
    let ids = |n: u8, tenant: Option<&str>, most| -> Vec<u8> {
        let range = ActionId([[n; 8], [0; 8]].concat().try_into().unwrap())
            ..=ActionId([[n; 8], [0xff; 8]].concat().try_into().unwrap());
        let (ids, all) = reader.ids_in(tenant.map(Tenant::new).as_ref(), &range, most).expect("looked");
        assert!(all);
        ids.iter().map(|id| id.0[15]).collect()
    };
    assert_eq!(ids(1, None, 10), [1, 2, 3]);
    assert_eq!(ids(1, Some("a"), 10), [1, 3]);
    assert_eq!(ids(1, None, 2).len(), 2);
    assert_eq!((ids(3, None, 10), ids(4, None, 10)), (vec![1], vec![]));
}
