//! Every type, there and back, and damaged on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use proptest::prelude::*;

use crate::engine::parts::{
    About, ActionState, Attached, EndedBy, Histogram, Incident, Metric, Ranked, Series, Spoken, TurnState,
};
use crate::engine::{Account, Checkpoint, Ended, FindingEvent, Raised, TurnAccount};
use crate::model::*;
use crate::proto::records as v1;

use super::{Malformed, Wire, decode, encode};

/// Bytes that decide what a value looks like; when they are used up, everything is zero and empty. proptest draws
/// and shrinks them.
pub(crate) struct Source(Vec<u8>, usize);

impl Source {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes, 0)
    }

    fn byte(&mut self) -> u8 {
        self.1 += 1;
        self.0.get(self.1 - 1).copied().unwrap_or(0)
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[usize::from(self.byte()) % of.len()].clone()
    }
}

/// Values for tests, from a [`Source`].
pub(crate) trait Any: Sized {
    fn any(source: &mut Source) -> Self;
}

impl<T: Any> Any for Arc<T> {
    fn any(source: &mut Source) -> Self {
        Self::new(Any::any(source))
    }
}

macro_rules! any {
    ($($kind:ty: $source:ident => $value:expr;)+) => {$(
        impl Any for $kind {
            fn any($source: &mut Source) -> Self {
                $value
            }
        }
    )+};
}
any! {
    bool: source => source.byte() % 2 == 1;
    u16: source => u16::from_le_bytes(source.bytes());
    u32: source => u32::from_le_bytes(source.bytes());
    u64: source => u64::from_le_bytes(source.bytes());
    usize: source => usize::from(u16::any(source));
    u128: source => u128::from_le_bytes(source.bytes());
    (): _source => ();
    Arc<str>: source => source.pick(&["", "a", "order_id", "ü→\0", "refund", "{\"a\":1}"]).into();
    Tenant: source => Tenant::new(&Arc::<str>::any(source));
    Nanos: source => Nanos(Any::any(source));
    Span: source => Span(Any::any(source));
    Cost: source => Cost(Any::any(source));
    ActionId: source => Self(source.bytes());
    ConversationId: source => Self(source.bytes());
    EvidenceId: source => Self(source.bytes());
    FindingId: source => Self(source.bytes());
    Hash: source => Self([source.byte(); 32]);
    IncidentId: source => Self(source.bytes());
    SpanId: source => Self(source.bytes());
    TraceId: source => Self(source.bytes());
    TurnId: source => Self(source.bytes());
    Digest: source => Self { algorithm: Any::any(source), key: Any::any(source), bytes: Any::any(source) };
    Status: source => match source.byte() % 2 { 0 => Self::Fine, _ => Self::Error(Any::any(source)) };
    Key: source => match source.byte() % 5 {
        0 => Self::Span(Any::any(source), Any::any(source)),
        1 => Self::Call(Any::any(source), Any::any(source)),
        2 => Self::Mcp(Any::any(source), Any::any(source)),
        3 => Self::Kth(Any::any(source), Any::any(source), Any::any(source), Any::any(source)),
        _ => Self::Part(Any::any(source), Any::any(source)),
    };
    Says: source => match source.byte() % 3 {
        0 => Self::Call(Any::any(source)),
        1 => Self::Decision(Any::any(source)),
        _ => Self::Check(Any::any(source)),
    };
    Moment: source => match source.byte() % 7 {
        0 => Self::Proposed,
        1 => Self::Carried,
        2 => Self::History,
        3 => Self::Asked,
        4 => Self::Ran { status: Any::any(source), proof: Any::any(source) },
        5 => Self::Answered { error: Any::any(source), history: Any::any(source) },
        _ => Self::Refused { by: Any::any(source) },
    };
    Effects: source => match BTreeSet::any(source) {
        none if none.is_empty() => Self::All,
        some => Self::Some(some),
    };
    Spoken: source => Self { stand: Any::any(source), said: Any::any(source) };
    Tie: source => match source.byte() % 7 {
        0 => Self::Response(Any::any(source)),
        1 => Self::Task(Any::any(source)),
        2 => Self::Conversation(Any::any(source)),
        3 => Self::Stands(Any::any(source)),
        4 => Self::Checks(Any::any(source)),
        5 => Self::Modes(Any::any(source)),
        _ => Self::Answer(Any::any(source)),
    };
    Pseudo: source => match source.byte() % 3 {
        0 => Self::Delegation { to: Any::any(source) },
        1 => Self::Behind { agent: Any::any(source) },
        _ => Self::Control,
    };
    State: source => match source.byte() % 6 {
        0 => Self::Proposed,
        1 => Self::Asked,
        2 => Self::Executed(Any::any(source)),
        3 => Self::Refused(Any::any(source)),
        4 => Self::Aborted,
        _ => Self::Expired,
    };
    Execution: source => match source.byte() % 3 {
        0 => Self::Ok,
        1 => Self::Failed(Any::any(source)),
        _ => Self::UnknownResult,
    };
    About: source => match source.byte() % 5 {
        0 => Self::Span(Any::any(source)),
        1 => Self::Response(Any::any(source)),
        2 => Self::Tool(Any::any(source), Any::any(source)),
        3 => Self::Latest(Any::any(source), Any::any(source)),
        _ => Self::Turn,
    };
    Raised: source => Self {
        finding: Any::any(source),
        pages: Any::any(source),
        class: Any::any(source),
        turn: Any::any(source),
    };
    Ended: source => Self {
        by: source.pick(&[EndedBy::Proposal, EndedBy::Answer, EndedBy::Run]),
        end: Any::any(source),
        arrived: Any::any(source),
    };
    Attached: source => match source.byte() % 4 {
        0 => Self::Decision(Any::any(source)),
        1 => Self::Target(Any::any(source)),
        2 => Self::Did(Any::any(source)),
        _ => Self::Check(Any::any(source)),
    };
}

impl<T: Any> Any for Box<T> {
    fn any(source: &mut Source) -> Self {
        Self::new(T::any(source))
    }
}

impl<T: Any> Any for Option<T> {
    fn any(source: &mut Source) -> Self {
        bool::any(source).then(|| T::any(source))
    }
}

impl<T: Any> Any for Vec<T> {
    fn any(source: &mut Source) -> Self {
        (0..source.byte() % 4).map(|_| T::any(source)).collect()
    }
}

impl<T: Any + Ord> Any for BTreeSet<T> {
    fn any(source: &mut Source) -> Self {
        Vec::any(source).into_iter().collect()
    }
}

impl<K: Any + Ord, V: Any> Any for BTreeMap<K, V> {
    fn any(source: &mut Source) -> Self {
        Vec::any(source).into_iter().collect()
    }
}

impl<A: Any, B: Any> Any for (A, B) {
    fn any(source: &mut Source) -> Self {
        (A::any(source), B::any(source))
    }
}

impl<A: Any, B: Any, C: Any> Any for (A, B, C) {
    fn any(source: &mut Source) -> Self {
        (A::any(source), B::any(source), C::any(source))
    }
}

impl<T: Any> Any for Known<T> {
    fn any(source: &mut Source) -> Self {
        if bool::any(source) { Self::Value(T::any(source)) } else { Self::Missing(Any::any(source)) }
    }
}

impl<T: Any> Any for Shared<T> {
    fn any(source: &mut Source) -> Self {
        Self { value: T::any(source), provenance: Any::any(source), evidence: Any::any(source), at: Any::any(source) }
    }
}

impl<T: Any> Any for Ranked<T> {
    fn any(source: &mut Source) -> Self {
        Self {
            value: T::any(source),
            provenance: Any::any(source),
            start: Any::any(source),
            read_at: Any::any(source),
            evidence: Any::any(source),
        }
    }
}

impl Any for Checkpoint {
    fn any(source: &mut Source) -> Self {
        let mut lag = Histogram::new_with_bounds(1, 864_000_000, 2).expect("constant bounds");
        for _ in 0..source.byte() % 4 {
            lag.saturating_record(u64::from(u32::any(source)));
        }
        let counters = (0..source.byte() % 5).map(|_| {
            let metric: Metric = source.pick(Metric::ALL);
            let labels = metric.def().labels.iter().map(|_| Any::any(source));
            let labels = labels.collect();
            let (value, exemplar) = Any::any(source);
            (metric, labels, Series { value, exemplar })
        });
        Self {
            counters: counters.collect(),
            now: Any::any(source),
            held: Any::any(source),
            last_handle: Any::any(source),
            settle_lag: Some(lag),
            last_evidence: Any::any(source),
            configurations: Any::any(source),
            ledger_from: Any::any(source),
            profiles: Any::any(source),
            steps: Any::any(source),
            facets: Any::any(source),
        }
    }
}

fn source() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..64), proptest::collection::vec(any::<u8>(), 0..3000),]
}

/// What was written is read again, and what was damaged is refused or read, never more.
fn there_and_back<P, T>(bytes: &[u8], damage: usize)
where
    P: prost::Message + Default,
    T: Any + Wire<P> + PartialEq + Debug,
{
    let value = T::any(&mut Source::new(bytes.to_vec()));
    let mut stored = encode::<P>(&value);
    assert_eq!(decode::<P, T>(&stored).as_ref(), Ok(&value));
    let _ = decode::<P, T>(bytes);
    if let Some(at) = damage.checked_rem(stored.len()) {
        stored[at] ^= 1 << (damage % 8);
        let _ = decode::<P, T>(&stored);
        let _ = decode::<P, T>(&stored[..at]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_row_is_read_as_it_was_written(bytes in source(), damage in any::<usize>()) {
        there_and_back::<v1::Action, Action>(&bytes, damage);
        there_and_back::<v1::Turn, Turn>(&bytes, damage);
        there_and_back::<v1::FindingEvent, FindingEvent>(&bytes, damage);
        there_and_back::<v1::Incident, Incident>(&bytes, damage);
        there_and_back::<v1::TurnRecord, (Arc<TurnState>, TurnAccount)>(&bytes, damage);
        there_and_back::<v1::ActionRecord, (Arc<ActionState>, Account)>(&bytes, damage);
    }

    #[test]
    fn the_checkpoint_is_read_as_it_was_written(bytes in source()) {
        let mut value = Checkpoint::any(&mut Source::new(bytes.clone()));
        let mut read: Checkpoint = decode::<v1::Checkpoint, _>(&encode(&value)).expect("readable");
        prop_assert_eq!(read.settle_lag.take(), value.settle_lag.take());
        prop_assert_eq!(format!("{read:?}"), format!("{value:?}"));
        let _ = decode::<v1::Checkpoint, Checkpoint>(&bytes);
    }
}

#[test]
fn an_error_names_the_field_that_it_is_about() {
    let mut stored: v1::Action = Action::any(&mut Source::new(vec![255; 4000])).put();
    let piece = stored.pieces.first_mut().expect("the source makes some");
    piece.provenance = 77;
    let refused = Action::take(stored.clone()).expect_err("no such word");
    assert_eq!(refused.to_string(), "field `pieces.provenance` is not a word of its list");
    stored.pieces.clear();
    stored.id = vec![1, 2].into();
    let refused = Action::take(stored).expect_err("too short");
    assert_eq!(refused.to_string(), "field `id` has the wrong length");
    let refused: Result<Action, Malformed> = decode::<v1::Action, _>(&[255]);
    assert_eq!(refused.expect_err("no message").to_string(), "field `row` is not a record");
}

#[test]
fn a_counter_that_is_no_longer_in_the_catalogue_is_not_restored() {
    let mut stored: v1::Checkpoint = Checkpoint::default().put();
    let series = |metric: &str, labels: &[&str]| v1::CounterSeries {
        metric: metric.into(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        value: 7,
        exemplar: None,
    };
    stored.counters = vec![
        series("wherefore_gone", &[]),
        series("wherefore_late_records", &["default", "a label too many"]),
        series("wherefore_late_records", &["default"]),
    ];
    let read = Checkpoint::take(stored).expect("readable");
    let kept: Vec<_> = read.counters.iter().map(|it| (it.0, it.2.value)).collect();
    assert_eq!(kept, [(Metric::LateRecords, 7)]);
}
