//! Values that can be missing, shared or ranked: one message, `Datum`, for all kinds.

use std::sync::Arc;

use crate::engine::parts::Ranked;
use crate::model::{ConversationId, Digest, Effect, Known, Missing, PlanText, Provenance, Service, Shared, Text};
use crate::proto::records::{self as v1, datum::Datum};

use super::{Malformed, Wire, record, required, tuple};

/// A kind of value that can stand in a `Datum`.
pub(super) trait Kind: Sized {
    fn pack(&self) -> Datum;
    fn unpack(datum: Datum) -> Result<Self, Malformed>;
}

/// Kinds with a case of their own.
macro_rules! kinds {
    ($($case:ident = $kind:ty;)+) => {$(
        impl Kind for $kind {
            fn pack(&self) -> Datum {
                Datum::$case(Wire::put(self))
            }

            fn unpack(datum: Datum) -> Result<Self, Malformed> {
                match datum {
                    Datum::$case(stored) => Wire::take(stored),
                    _ => Err(Malformed::new("is of another kind")),
                }
            }
        }
    )+};
}
kinds! {
    Word = Arc<str>;
    Words = Vec<Arc<str>>;
    Text = Text;
    Agent = (Arc<str>, Option<Arc<str>>);
    Target = (Arc<str>, Provenance);
    Effect = (Effect, Provenance);
    Conversation = (ConversationId, Arc<str>);
    Plan = PlanText;
    Service = Service;
    There = ();
    Digest = Digest;
    Deed = Effect;
    Truth = bool;
}

/// How many. Older rows have the words themselves.
impl Kind for u32 {
    fn pack(&self) -> Datum {
        Datum::Count(*self)
    }

    fn unpack(datum: Datum) -> Result<Self, Malformed> {
        match datum {
            Datum::Count(count) => Ok(count),
            Datum::Words(words) => u32::try_from(words.words.len()).map_err(|_| Malformed::new("is too large")),
            _ => Err(Malformed::new("is of another kind")),
        }
    }
}

impl<T: Kind> Kind for Shared<T> {
    fn pack(&self) -> Datum {
        Datum::Shared(Box::new(self.put()))
    }

    fn unpack(datum: Datum) -> Result<Self, Malformed> {
        match datum {
            Datum::Shared(stored) => Wire::take(*stored),
            _ => Err(Malformed::new("is of another kind")),
        }
    }
}

impl<T: Kind> Kind for Known<T> {
    fn pack(&self) -> Datum {
        match self {
            Self::Value(value) => value.pack(),
            Self::Missing(why) => Datum::Missing(why.put()),
        }
    }

    fn unpack(datum: Datum) -> Result<Self, Malformed> {
        match datum {
            Datum::Missing(why) => Missing::take(why).map(Self::Missing),
            value => T::unpack(value).map(Self::Value),
        }
    }
}

fn pack(kind: &impl Kind) -> Option<v1::Datum> {
    Some(v1::Datum { datum: Some(kind.pack()) })
}

fn unpack<T: Kind>(stored: Option<v1::Datum>) -> Result<T, Malformed> {
    stored.and_then(|stored| stored.datum).ok_or(Malformed::new("is missing")).and_then(T::unpack)
}

impl<T: Kind> Wire<Option<v1::Datum>> for Known<T> {
    fn put(&self) -> Option<v1::Datum> {
        pack(self)
    }

    fn take(stored: Option<v1::Datum>) -> Result<Self, Malformed> {
        unpack(stored)
    }
}

/// Whether a call reaches out. Rows of former versions do not say.
impl Wire<Option<v1::EgressSaid>> for Known<(bool, Provenance)> {
    fn put(&self) -> Option<v1::EgressSaid> {
        use v1::egress_said::Said;
        let said = match self {
            Self::Value((true, provenance)) => Said::Out(provenance.put()),
            Self::Value((false, provenance)) => Said::In(provenance.put()),
            Self::Missing(why) => Said::Missing(why.put()),
        };
        Some(v1::EgressSaid { said: Some(said) })
    }

    fn take(stored: Option<v1::EgressSaid>) -> Result<Self, Malformed> {
        use v1::egress_said::Said;
        Ok(match stored.and_then(|stored| stored.said) {
            None => Self::ABSENT,
            Some(Said::Out(provenance)) => Self::Value((true, Wire::take(provenance)?)),
            Some(Said::In(provenance)) => Self::Value((false, Wire::take(provenance)?)),
            Some(Said::Missing(why)) => Self::Missing(Wire::take(why)?),
        })
    }
}

impl<T: Kind> Wire<Option<v1::Shared>> for Shared<T> {
    fn put(&self) -> Option<v1::Shared> {
        Some(Wire::<v1::Shared>::put(self))
    }

    fn take(stored: Option<v1::Shared>) -> Result<Self, Malformed> {
        stored.ok_or(Malformed::new("is missing")).and_then(Wire::<v1::Shared>::take)
    }
}

impl<T: Kind> Wire<v1::Shared> for Shared<T> {
    fn put(&self) -> v1::Shared {
        v1::Shared {
            value: pack(&self.value).map(Box::new),
            provenance: self.provenance.put(),
            evidence: self.evidence.put(),
            at: self.at.put(),
        }
    }

    fn take(stored: v1::Shared) -> Result<Self, Malformed> {
        Ok(Self {
            value: unpack(stored.value.map(|value| *value)).map_err(|at| at.within("value"))?,
            provenance: Wire::take(stored.provenance).map_err(|at| at.within("provenance"))?,
            evidence: Wire::take(stored.evidence).map_err(|at| at.within("evidence"))?,
            at: Wire::take(stored.at).map_err(|at| at.within("at"))?,
        })
    }
}

impl<T: Kind> Wire<v1::Ranked> for Ranked<T> {
    fn put(&self) -> v1::Ranked {
        v1::Ranked {
            value: pack(&self.value),
            provenance: self.provenance.put(),
            start: self.start.put(),
            read_at: self.read_at,
            evidence: self.evidence.put(),
        }
    }

    fn take(stored: v1::Ranked) -> Result<Self, Malformed> {
        Ok(Self {
            value: unpack(stored.value).map_err(|at| at.within("value"))?,
            provenance: Wire::take(stored.provenance).map_err(|at| at.within("provenance"))?,
            start: Wire::take(stored.start).map_err(|at| at.within("start"))?,
            read_at: stored.read_at,
            evidence: Wire::take(stored.evidence).map_err(|at| at.within("evidence"))?,
        })
    }
}

impl<T: Kind> Wire<Option<v1::Ranked>> for Ranked<T> {
    fn put(&self) -> Option<v1::Ranked> {
        Some(Wire::<v1::Ranked>::put(self))
    }

    fn take(stored: Option<v1::Ranked>) -> Result<Self, Malformed> {
        stored.ok_or(Malformed::new("is missing")).and_then(Wire::<v1::Ranked>::take)
    }
}

impl Wire<v1::Nothing> for () {
    fn put(&self) -> v1::Nothing {
        v1::Nothing {}
    }

    fn take(_: v1::Nothing) -> Result<Self, Malformed> {
        Ok(())
    }
}

impl Wire<v1::Words> for Vec<Arc<str>> {
    fn put(&self) -> v1::Words {
        v1::Words { words: Wire::put(self) }
    }

    fn take(stored: v1::Words) -> Result<Self, Malformed> {
        Wire::take(stored.words)
    }
}

impl Wire<v1::Digest> for Digest {
    fn put(&self) -> v1::Digest {
        v1::Digest { algorithm: self.algorithm.put(), key: self.key, hash: self.bytes.put() }
    }

    fn take(stored: v1::Digest) -> Result<Self, Malformed> {
        Ok(Self {
            algorithm: Wire::take(stored.algorithm).map_err(|at| at.within("algorithm"))?,
            key: stored.key,
            bytes: Wire::take(stored.hash).map_err(|at| at.within("hash"))?,
        })
    }
}
required!(Digest = Digest);

record! { Text = Text { digest, len, head } }
record! { Service = Service { namespace, name } }
record! { PlanText = PlanText { id, text } }
tuple! { (Arc<str>, Option<Arc<str>>) = Agent { 0: name, 1: version } }
tuple! { (Arc<str>, Provenance) = Target { 0: target, 1: provenance } }
tuple! { (Effect, Provenance) = EffectSaid { 0: effect, 1: provenance } }
tuple! { (ConversationId, Arc<str>) = Conversation { 0: id, 1: as_sent } }
