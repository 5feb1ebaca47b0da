//! What is learnt of an instrumentation, from which actions, and what is told when a new version fills less.

use super::*;

fn learning() -> Configuration {
    Configuration { learning: true, ..Configuration::default() }
}

/// A trace that arrives ten minutes after the one before: a tool that ran, and its agent. `change` changes both.
fn trace(life: &mut Life, number: u8, version: &str, change: impl Fn(&mut Evidence)) {
    let second = u64::from(number) * 600;
    let mut records = [tool(number, 2, second + 10), root(number, second + 20)];
    for record in &mut records {
        record.start = record.end - Span::seconds(1);
        record.instrumentation = format!("agents@{version}").into();
        change(record);
    }
    life.arrives(second + 21, records);
    life.passes(second + 590);
}

/// Tells no parameters.
fn mute(record: &mut Evidence) {
    for fact in &mut record.facts {
        if let What::Call(call) = &mut fact.what {
            call.arguments = Known::ABSENT;
        }
    }
}

fn whole(_: &mut Evidence) {}

/// Verdict and reason of the lineage of the last action.
fn complete(life: &Life) -> String {
    let last = life.live().into_iter().max_by_key(|action| action.end).expect("an action");
    let verdict = last.verdict(Sli::LineageComplete).expect("it applies");
    format!("{} {}", verdict.value, verdict.reason)
}

#[test]
fn after_thirty_turns_an_action_owes_what_the_others_had() {
    let mut life = Life::of(learning());
    for number in 1..=30 {
        trace(&mut life, number, "1.0", whole);
        assert_eq!(complete(&life), "unknown not_learnt", "{number}");
    }
    trace(&mut life, 31, "1.0", whole);
    assert_eq!(complete(&life), "good complete");
    trace(&mut life, 32, "1.0", mute);
    assert_eq!(complete(&life), "bad missing_parameters");
    trace(&mut life, 33, "1.1", mute);
    assert_eq!(complete(&life), "unknown not_learnt", "another version is another profile");

    // What was asked when it settled is asked in every revision.
    life.arrives(34 * 600, [evaluation(32, 34 * 600)]);
    life.passes(35 * 600);
    let revised = life.rows.values().find(|action| action.turn == action.turns[0] && action.revision > 1);
    let verdict = revised.and_then(|action| action.verdict(Sli::LineageComplete)).expect("a revision");
    assert_eq!((verdict.value, &*verdict.reason), (Value::Bad, "missing_parameters"));
}

#[test]
fn nothing_is_learnt_when_learning_is_off_nor_from_what_is_sampled_or_late() {
    let mut off = Life::of(Configuration::default());
    let mut life = Life::of(learning());
    for number in 1..=40 {
        trace(&mut off, number, "1.0", whole);
        trace(&mut life, number, "1.0", |record| record.sampled = true);
        trace(&mut life, number + 40, "1.0", |record| {
            (record.start, record.end) = (record.start - Span::minutes(20), record.end - Span::minutes(20));
        });
    }
    assert_eq!((off.engine.profiles().all().count(), life.engine.profiles().all().count()), (0, 0));
    assert_eq!(complete(&off), "unknown no_profile");
}

#[test]
fn a_field_that_a_new_version_lacks_is_told_once_with_the_action_that_tipped_the_scale() {
    let mut life = Life::of(learning());
    (1..=40).for_each(|number| trace(&mut life, number, "1.0", whole));
    (41..=80).for_each(|number| trace(&mut life, number, "1.1", mute));
    let [event] = &life.events[..] else { panic!("{:#?}", life.events) };
    assert_eq!(&*event.finding.rule, "telemetry_regression.parameters");
    assert_eq!((event.finding.severity, event.finding.class), (Severity::Ticket, Class::Reliability));
    assert_eq!(
        &*event.finding.message,
        "`agents` 1.1 fills parameters in 0 of 30 actions (0.0 %), 1.0 did in 40 of 40 actions (100.0 %)"
    );
    let with: Vec<&Action> = life.rows.values().filter(|action| !action.findings.is_empty()).collect();
    let [tipped] = with[..] else { panic!("{with:#?}") };
    assert_eq!((tipped.id, &tipped.findings[..]), (event.action, &[event.finding.clone()][..]));
    assert!(event.finding.evidence.iter().all(|id| tipped.pieces.iter().any(|piece| piece.evidence == *id)));
    assert_eq!((life.counted(Metric::TelemetryRegressions), life.counted(Metric::Findings)), (1, 1));
    assert_eq!(life.engine.incidents().count(), 0, "nobody is paged");
}

#[test]
fn what_is_withheld_counts_as_lacking_and_is_named() {
    let mut life = Life::of(learning());
    let withholds = |record: &mut Evidence| {
        for fact in &mut record.facts {
            if let What::Call(call) = &mut fact.what {
                call.arguments = Known::Missing(Missing::Withheld);
            }
        }
    };
    (1..=40).for_each(|number| trace(&mut life, number, "1.0", whole));
    (41..=80).for_each(|number| trace(&mut life, number, "1.1", withholds));
    let messages: Vec<&str> = life.events.iter().map(|event| &*event.finding.message).collect();
    let withheld = "in 30 of them it is withheld: content capture was switched off there";
    assert!(matches!(messages[..], [message] if message.ends_with(withheld)), "{messages:?}");
}

#[test]
fn scopes_that_no_dialect_reads_are_listed_with_their_share() {
    let mut life = Life::of(Configuration::default());
    let unread = |number: u32, scope: &str| Evidence {
        dialect: "unread",
        instrumentation: scope.into(),
        ..record(9, number, Some(1), Node::Other, (1, 2))
    };
    life.arrives(3, [root(9, 2), unread(2, "http@1.2"), unread(3, "pg"), unread(4, "http@1.2")]);
    let known = life.engine.instrumentations(None);
    let lines: Vec<_> = known.unread.iter().map(|it| (it.scope.to_string(), it.records, it.share)).collect();
    assert_eq!(lines, [("http@1.2".to_owned(), 2, 0.5), ("pg".to_owned(), 1, 0.25)]);
    let json = serde_json::to_value(&known.unread[0]).expect("plain data");
    assert_eq!(json.to_string(), r#"{"records":2,"scope":"http","share":0.5,"tenant":"default","version":"1.2"}"#);
    assert_eq!(life.engine.instrumentations(Some(&Tenant::new("other"))), Instrumentations::default());
}
