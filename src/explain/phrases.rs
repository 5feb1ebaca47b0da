//! The model's words as phrases for a person.

use crate::model::{Decision, EvidenceId, Execution, Missing, Nanos, Role, Service, Span, State, Witness};

/// What the word for a missing value means.
pub(super) fn missing(why: Missing) -> &'static str {
    match why {
        Missing::Absent => "all that could carry it has arrived, and nothing does",
        Missing::Withheld => "content capture is off, or it was redacted",
        Missing::Lost => "it was cut off, sampled out, or never arrived",
        Missing::Pending => "it may still arrive",
    }
}

/// When it began, and how long it took. Zero is no time: nobody sent one.
pub(super) fn when(start: Nanos, end: Nanos) -> String {
    match (is_known(start), is_known(end)) {
        (true, true) => format!("{start}, took {}", length(end.since(start))),
        (true, false) => format!("{start}, its end was not sent"),
        (false, true) => format!("ended {end}, its start was not sent"),
        (false, false) => "unknown: its times were not sent".to_owned(),
    }
}

/// Whether somebody sent a time: what OTLP leaves out reads as zero.
pub(super) fn is_known(at: Nanos) -> bool {
    at != Nanos(0)
}

/// Where an action stands.
pub(super) fn state(state: &State) -> String {
    match state {
        State::Proposed => "proposed: a model asked for it, nothing else is known".to_owned(),
        State::Asked => "asked: it waits for a decision".to_owned(),
        State::Executed(Execution::Ok) => "executed".to_owned(),
        State::Executed(Execution::Failed(error)) => format!("executed, and failed: {error}"),
        State::Executed(Execution::UnknownResult) => {
            "unknown result: its span ended, and nothing proves that the tool ran".to_owned()
        }
        State::Refused(by) => format!("refused by {by}"),
        State::Aborted => "aborted: the run was stopped before it ran".to_owned(),
        State::Expired => "expired: no outcome inside its window".to_owned(),
    }
}

/// A decision in a line: what, by whom, and what limits it.
pub(super) fn decision(decision: &Decision) -> String {
    let mut phrase = format!("{} by {}", decision.outcome, decision.by);
    if let Some(principal) = &decision.principal {
        phrase += &format!(" {principal}");
    }
    if decision.standing {
        phrase += ", an earlier grant";
    }
    if !decision.enforced {
        phrase += ", only watching";
    }
    if !decision.raw.is_empty() && *decision.raw != *decision.outcome.as_str() {
        phrase += &format!(": `{}`", decision.raw);
    }
    phrase
}

/// Who says so, and in which record.
pub(super) fn witness(witness: Option<&Witness>) -> String {
    let Some(witness) = witness else { return "by nobody named".to_owned() };
    let role = match witness.role {
        Role::Unspecified => String::new(),
        role => format!(", {}", role.as_str()),
    };
    let (service, how) = (service(&witness.service), witness.provenance.as_str());
    format!("says {service}{role} ({how}, {})", short(&witness.evidence))
}

/// `namespace/name` of a service.
pub(super) fn service(service: &Service) -> String {
    match (&*service.namespace, &*service.name) {
        ("", "") => "a service without a name".to_owned(),
        ("", name) => name.to_owned(),
        (namespace, name) => format!("{namespace}/{name}"),
    }
}

/// The beginning of a record's id: enough to find it in the JSON.
pub(super) fn short(id: &EvidenceId) -> String {
    id.to_string()[..8].to_owned()
}

/// The beginnings of ids of records, at most four.
pub(super) fn records<'a>(ids: impl IntoIterator<Item = &'a EvidenceId>) -> String {
    let ids: Vec<String> = ids.into_iter().map(short).collect();
    match ids.get(..4) {
        Some(first) if ids.len() > 4 => format!("{} and {} more", first.join(" "), ids.len() - 4),
        _ => ids.join(" "),
    }
}

/// A length of time in its two largest units.
pub(super) fn length(span: Span) -> String {
    let millis = span.0 / 1_000_000;
    let seconds = millis / 1000;
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{}.{} s", seconds, millis % 1000 / 100),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// The time of day in UTC, with the date when it is another day than `day`.
pub(super) fn clock(at: Nanos, day: Nanos) -> String {
    const A_DAY: Span = Span::days(1);
    if !is_known(at) {
        return "unknown".to_owned();
    }
    // RFC 3339 up to the year 9999; nanoseconds in 64 bits end in 2554.
    let text = at.to_string();
    if at.slice(A_DAY) == day.slice(A_DAY) { text[11..23].to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{at, record};

    #[test]
    fn lengths_have_two_units() {
        for (span, want) in [
            (Span::millis(0), "0 ms"),
            (Span::millis(999), "999 ms"),
            (Span::millis(1_250), "1.2 s"),
            (Span::seconds(200), "3 min 20 s"),
            (Span::minutes(125), "2 h 5 min"),
            (Span::hours(76), "3 d 4 h"),
        ] {
            assert_eq!(length(span), want);
        }
    }

    #[test]
    fn another_day_shows_its_date() {
        assert_eq!(clock(at(1), at(0)), "06:30:01.000");
        assert_eq!(clock(at(0) - Span::days(1), at(0)), "2026-11-19T06:30:00.000Z");
        assert!(!clock(Nanos(u64::MAX), Nanos(0)).is_empty());
    }

    #[test]
    fn a_time_that_nobody_sent_is_no_time() {
        let (at, none) = (at(1), Nanos(0));
        assert_eq!(when(at, at + Span::seconds(2)), "2026-11-20T06:30:01.000Z, took 2.0 s");
        assert_eq!(when(none, none), "unknown: its times were not sent");
        for shown in [when(none, at), when(at, none), clock(none, at)] {
            assert!(!shown.contains("1970") && !shown.contains("took"), "{shown}");
        }
    }

    #[test]
    fn many_records_are_counted() {
        let ids: Vec<EvidenceId> = (1..=6).map(record).collect();
        assert_eq!(records(&ids), "01010101 02020202 03030303 04040404 and 2 more");
        assert_eq!(records(&ids[..1]), "01010101");
    }
}
