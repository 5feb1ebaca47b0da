//! Every metric once: name, type, unit, help, labels. Exposition, rules, dashboards and documentation read this
//! table; nothing else in the program spells a metric's name.

use std::sync::Arc;

use crate::model::{Nanos, SpanId, TraceId};

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows. Exposed with `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in buckets.
    Histogram,
    /// Constant 1 with labels that tell.
    Info,
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Def {
    /// Without `_total`.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// Base unit, which is also the end of the name: `seconds`, `bytes`, `ratio`, or empty.
    pub unit: &'static str,
    /// One sentence, ends without a period.
    pub help: &'static str,
    /// Label names, in order.
    pub labels: &'static [&'static str],
}

macro_rules! catalogue {
    ($(
        $(#[$doc:meta])* $id:ident = $kind:ident $name:literal [$unit:literal] ($($label:literal),*) $help:literal;
    )+) => {
        /// Every metric of the program.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "each has its help text in the table")]
        pub enum Metric { $($(#[$doc])* $id),+ }

        impl Metric {
            /// Every metric, in the order of the table.
            pub const ALL: &'static [Metric] = &[$(Metric::$id),+];

            /// Its row.
            pub fn def(self) -> &'static Def {
                match self {
                    $(Metric::$id => &Def {
                        name: $name, kind: Kind::$kind, unit: $unit, help: $help, labels: &[$($label),*],
                    }),+
                }
            }
        }
    };
}

catalogue! {
    // What the judge counts: live, once per action, never back.
    SliEvents = Counter "wherefore_sli_events" [""] ("tenant", "sli", "agent", "verdict")
        "Actions judged, by SLI and verdict, at the verdict's deadline";
    SliCorrections = Counter "wherefore_sli_corrections" [""] ("tenant", "sli", "from", "to")
        "Verdicts that later evidence changed after they were counted";
    SliLate = Counter "wherefore_sli_late_events" [""] ("tenant", "sli")
        "Actions that arrived too late to be counted live; the ledger has those inside its horizon";
    Actions = Counter "wherefore_actions" [""] ("tenant", "agent", "tool", "state")
        "Actions settled, by the state they settled in";
    DeniedRetries = Counter "wherefore_denied_retries" [""] ("tenant", "agent")
        "Denied attempts of something that was denied in the same turn before";
    InvariantViolations = Counter "wherefore_invariant_violations" [""] ("tenant", "agent", "rule")
        "Forbidden calls with evidence of execution, at once";
    Findings = Counter "wherefore_findings" [""] ("tenant", "severity", "class")
        "Findings opened";
    FindingsRetracted = Counter "wherefore_findings_retracted" [""] ("tenant", "severity", "class")
        "Findings that later evidence took back";
    TelemetryRegressions = Counter "wherefore_telemetry_regressions" [""] ("tenant", "scope", "field")
        "Fields that a new version of an instrumentation fills less than the one before, once for each, by the new one";
    ActionsMerged = Counter "wherefore_actions_merged" [""] ("tenant")
        "Settled actions that turned out to be one with another";
    IncidentsDropped = Counter "wherefore_incidents_dropped" [""] ("tenant", "reason")
        "Incidents given up: not contained for 30 days, or older than the 2,000 that a tenant has room for";
    NotesDropped = Counter "wherefore_notes_dropped" [""] ("tenant")
        "Calls that limits, approvers' load and later reads no longer see, for want of room";
    FieldsMissing = Counter "wherefore_lineage_fields_missing" [""] ("tenant", "agent", "field", "reason")
        "Lineage fields missing on settled actions, by why";
    LineageFields = Counter "wherefore_lineage_fields" [""] ("tenant", "dialect", "state")
        "Lineage fields of settled actions by the dialect that told of the call: present, or why missing. Observed is \
         present of all, observable present of those that are not withheld";
    CardinalityOverflow = Counter "wherefore_cardinality_overflow" [""] ("label")
        "Additions under the overflow slot, by what is used up: a label, a metric (series), a learnt profile";
    SettleLag = Histogram "wherefore_settle_lag_seconds" ["seconds"] ()
        "Time from an action's end as sent to its settling";

    // The ledger: event time, corrected by late evidence.
    LedgerEvents = Gauge "wherefore_ledger_events" [""] ("tenant", "sli", "agent", "verdict")
        "Actions in the event-time ledger over its window, with later corrections";
    CoverageRatio = Gauge "wherefore_sli_coverage_ratio" ["ratio"] ("tenant", "sli", "agent")
        "Share of judged actions in the ledger that are good or bad, not unknown";
    ObjectiveRatio = Gauge "wherefore_slo_objective_ratio" ["ratio"] ("sli")
        "The objective in force";
    LastEvidence = Gauge "wherefore_last_evidence_timestamp_seconds" ["seconds"] ("tenant")
        "When the last evidence was folded";

    // What is received.
    ReceivedRequests = Counter "wherefore_received_requests" [""] ("signal", "transport")
        "Export requests answered, by signal and transport";
    ReceivedRecords = Counter "wherefore_received_records" [""] ("signal")
        "Records accepted: spans and log records synced to the journal, metric points counted";
    ReceivedBytes = Counter "wherefore_received_bytes" ["bytes"] ("signal")
        "Bytes of request bodies, decompressed";
    RejectedRecords = Counter "wherefore_rejected_records" [""] ("signal", "reason")
        "Records rejected alone, their neighbours kept";
    RefusedRequests = Counter "wherefore_refused_requests" [""] ("reason")
        "Requests refused as a whole";
    DuplicateRecords = Counter "wherefore_duplicate_records" [""] ("tenant")
        "Records that were there already, byte for byte";
    LateRecords = Counter "wherefore_late_records" [""] ("tenant")
        "Records that arrived more than the live lateness after their end";
    UnreadRecords = Counter "wherefore_unread_records" [""] ("tenant", "scope")
        "Records that no dialect read, by instrumentation scope and version";
    ReadRecords = Counter "wherefore_read_records" [""] ("tenant", "dialect")
        "Records read, by dialect";
    ClockSkew = Gauge "wherefore_source_clock_skew_seconds" ["seconds"] ("tenant", "service")
        "Largest lead of a source's clock over the journal's in the last hour";
    AckSeconds = Histogram "wherefore_ack_seconds" ["seconds"] ()
        "Time from a request's first byte to its acknowledgement, synced";

    // The journal, the fold, the store.
    JournalFrames = Counter "wherefore_journal_frames" [""] ()
        "Frames synced since the journal began";
    JournalBytes = Gauge "wherefore_journal_bytes" ["bytes"] ()
        "Bytes of journal on disk";
    JournalSyncSeconds = Histogram "wherefore_journal_sync_seconds" ["seconds"] ()
        "Time of one sync";
    JournalQueueBytes = Gauge "wherefore_journal_queue_bytes" ["bytes"] ()
        "Bytes waiting for the next sync";
    JournalOldest = Gauge "wherefore_journal_oldest_frame_timestamp_seconds" ["seconds"] ()
        "Time of the oldest frame kept";
    DiskFreeBytes = Gauge "wherefore_disk_free_bytes" ["bytes"] ()
        "Bytes left for the journal and the store";
    DiskFullSeconds = Gauge "wherefore_disk_full_seconds" ["seconds"] ()
        "Seconds until the disk is full at the rate of the last ten minutes";
    JournalClockAhead = Gauge "wherefore_journal_clock_ahead_seconds" ["seconds"] ()
        "How far the journal's clock, which never goes back, is ahead of the wall clock";
    FoldLagFrames = Gauge "wherefore_fold_lag_frames" [""] ()
        "Synced frames that the engine has not folded yet";
    FoldLagSeconds = Gauge "wherefore_fold_lag_seconds" ["seconds"] ()
        "Age of the oldest frame that the engine has not folded yet";
    AppliedFrame = Gauge "wherefore_applied_frame" [""] ()
        "Sequence of the last frame in the last checkpoint";
    OpenActions = Gauge "wherefore_open_actions" [""] ()
        "Actions not settled";
    OpenTurns = Gauge "wherefore_open_turns" [""] ()
        "Turns not closed";
    OpenIncidents = Gauge "wherefore_open_incidents" [""] ("tenant")
        "Incidents that are not contained";
    Poisoned = Gauge "wherefore_journal_poisoned" [""] ()
        "1 when the journal refuses to write after a failed write";

    ConfigReloads = Counter "wherefore_config_reloads" [""] ("result")
        "Times the files were read again since the start: ok, or refused for a mistake in them or by the journal";
    ConfigReloadSuccessful = Gauge "wherefore_config_last_reload_successful" [""] ()
        "1 when what was read last is in force; 0 when it was refused and what was there before stays";
    ConfigReloadTime = Gauge "wherefore_config_last_reload_success_timestamp_seconds" ["seconds"] ()
        "When the files were last read and accepted, at the start or since";

    PartitionsRetired = Counter "wherefore_partitions_retired" [""] ()
        "Partitions of the store unlinked since the start, for age or for room";
    Connections = Gauge "wherefore_connections" [""] ("listener")
        "Connections open";
    ConnectionsAccepted = Counter "wherefore_connections_accepted" [""] ("listener")
        "Connections accepted since the start";
    ConnectionsRefused = Counter "wherefore_connections_refused" [""] ("listener")
        "Connections closed at once because as many as may be were open, since the start";
    ConnectionsTimedOut = Counter "wherefore_connections_timed_out" [""] ("listener")
        "Connections closed because their peer neither asked nor read, since the start";
    ConnectionsLimit = Gauge "wherefore_connections_limit" [""] ("listener")
        "Connections that may be open";
    BuildInfo = Info "wherefore_build" [""] ("version")
        "The binary";
    StartTime = Gauge "wherefore_start_timestamp_seconds" ["seconds"] ()
        "When the process started";
}

impl Metric {
    /// The name its series carry in PromQL: counters end in `_total`, an info metric in `_info`. A histogram's
    /// series add `_bucket`, `_sum` or `_count` to it.
    pub fn series(self) -> String {
        let def = self.def();
        format!("{}{}", def.name, def.kind.suffix())
    }
}

impl Metric {
    /// Whether it counts what this process saw since it started. Nothing on the disk remembers it, so it begins at 0
    /// with the process; every other counter goes on where it was.
    pub fn begins_with_process(self) -> bool {
        use Metric::*;
        let received = matches!(self, ReceivedRequests | ReceivedRecords | ReceivedBytes | RejectedRecords);
        received
            || matches!(self, RefusedRequests | AckSeconds | JournalSyncSeconds | PartitionsRetired)
            || matches!(self, ConnectionsAccepted | ConnectionsRefused | ConnectionsTimedOut | ConfigReloads)
    }
}

impl Kind {
    /// What exposition adds to the name of the metric.
    pub fn suffix(self) -> &'static str {
        match self {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        }
    }
}

/// One series of one metric at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Which metric.
    pub metric: Metric,
    /// Label values, in the order of [`Def::labels`].
    pub labels: Vec<Arc<str>>,
    /// Its value.
    pub value: SampleValue,
}

impl Sample {
    /// A sample, its labels in the order of [`Def::labels`].
    pub fn new<L: Into<Arc<str>>>(metric: Metric, labels: impl IntoIterator<Item = L>, value: SampleValue) -> Self {
        Self { metric, labels: labels.into_iter().map(Into::into).collect(), value }
    }
}

/// The value of a series.
#[derive(Debug, Clone, PartialEq)]
pub enum SampleValue {
    /// A counter, with the last exemplar.
    Counter(u64, Option<Exemplar>),
    /// A gauge.
    Gauge(f64),
    /// A histogram: upper bounds with cumulative counts (the last bound is infinite), sum, count.
    Histogram {
        /// Upper bound and cumulative count.
        buckets: Vec<(f64, u64)>,
        /// Sum of the observations.
        sum: f64,
    },
}

/// A trace that shows what a counter counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exemplar {
    /// Its trace.
    pub trace: TraceId,
    /// Its span.
    pub span: SpanId,
    /// Processing time: exemplar timestamps never go back (`slo.md` §8.3).
    pub at: Nanos,
}

/// The label value that shares what its budget has no room for. Only unbounded labels are replaced, so totals
/// stay exact (`slo.md` §8.5).
pub const OVERFLOW: &str = "_overflow";

/// The agent label of everything that is about a whole fleet. Recording rules sum into it, so no agent may be
/// exposed under this name.
pub const ALL_AGENTS: &str = "_all";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_prometheus_conventions() {
        let mut seen = std::collections::BTreeSet::new();
        for metric in Metric::ALL {
            let def = metric.def();
            assert!(def.name.starts_with("wherefore_"), "{}", def.name);
            assert!(!def.name.ends_with("_total"), "{}: exposition adds `_total`", def.name);
            assert!(def.name.ends_with(def.unit), "{} ends with its unit", def.name);
            assert!(!def.help.ends_with('.') && !def.help.is_empty(), "{}", def.name);
            assert!(seen.insert(def.name), "{} stands twice", def.name);
        }
    }
}
