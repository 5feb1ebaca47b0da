//! Model ↔ protobuf: the one schema of everything that is kept (`proto/wherefore/v1/lineage.proto`).
//!
//! Every type has one flat table that names its fields once; both directions and the tests' generator follow from
//! it. Writing is total. Reading checks everything and never panics: a row that is not what it should be gives
//! [`Malformed`], which names the field. Unknown fields of a later version are passed over.

mod action;
mod boards;
mod books;
mod datum;
#[cfg(test)]
mod fixtures;
mod scalar;
mod state;
mod turn;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use prost::Message;

/// A stored record that cannot be read, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field `{path}` {what}")]
pub struct Malformed {
    path: Path,
    what: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Path(Vec<&'static str>);

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().rev().enumerate() {
            let dot = if index == 0 { "" } else { "." };
            write!(f, "{dot}{name}")?;
        }
        Ok(())
    }
}

impl Malformed {
    /// What is wrong, to be followed by the fields it is in, innermost first.
    fn new(what: &'static str) -> Self {
        Self { path: Path(Vec::new()), what }
    }

    /// A column of a table that holds none of its words.
    pub(super) fn of_column(name: &'static str) -> Self {
        Self::new("is not a word of its list").within(name)
    }

    fn within(mut self, name: &'static str) -> Self {
        self.path.0.push(name);
        self
    }
}

/// A value of the model and what stands for it in a message. `P` is a field's type as prost generates it, so one
/// model type may have several: itself, a list of it, one that may be absent.
pub(super) trait Wire<P>: Sized {
    /// As it is written.
    fn put(&self) -> P;
    /// Reads it back.
    fn take(stored: P) -> Result<Self, Malformed>;
}

/// Encodes a row.
pub(super) fn encode<P: Message>(value: &impl Wire<P>) -> Vec<u8> {
    value.put().encode_to_vec()
}

/// Decodes a row.
pub(super) fn decode<P: Message + Default, T: Wire<P>>(bytes: &[u8]) -> Result<T, Malformed> {
    let stored = P::decode(bytes).map_err(|_| Malformed::new("is not a record").within("row"))?;
    T::take(stored)
}

/// What is shared is written as what it is.
impl<P, T: Wire<P>> Wire<P> for Arc<T> {
    fn put(&self) -> P {
        (**self).put()
    }

    fn take(stored: P) -> Result<Self, Malformed> {
        T::take(stored).map(Self::new)
    }
}

/// One table per message: the field names, the same in the model and in the schema.
macro_rules! record {
    ($model:ident = $proto:ident { $($field:ident),+ $(,)? }) => {
        impl Wire<v1::$proto> for $model {
            fn put(&self) -> v1::$proto {
                v1::$proto { $($field: Wire::put(&self.$field)),+ }
            }

            fn take(stored: v1::$proto) -> Result<Self, Malformed> {
                Ok(Self {
                    $($field: Wire::take(stored.$field).map_err(|at| at.within(stringify!($field)))?),+
                })
            }
        }

        required!($model = $proto);

        #[cfg(test)]
        impl super::tests::Any for $model {
            fn any(source: &mut super::tests::Source) -> Self {
                Self { $($field: super::tests::Any::any(source)),+ }
            }
        }
    };
}
use record;

/// A message field that must be there.
macro_rules! required {
    ($model:ty = $proto:ident) => {
        impl Wire<Option<v1::$proto>> for $model {
            fn put(&self) -> Option<v1::$proto> {
                Some(Wire::<v1::$proto>::put(self))
            }

            fn take(stored: Option<v1::$proto>) -> Result<Self, Malformed> {
                stored.ok_or(Malformed::new("is missing")).and_then(Wire::<v1::$proto>::take)
            }
        }
    };
}
use required;

/// A tuple of the model whose parts have names in the schema.
macro_rules! tuple {
    (($($model:ty),+) = $proto:ident { $($index:tt: $field:ident),+ }) => {
        impl Wire<v1::$proto> for ($($model),+) {
            fn put(&self) -> v1::$proto {
                v1::$proto { $($field: Wire::put(&self.$index)),+ }
            }

            fn take(stored: v1::$proto) -> Result<Self, Malformed> {
                Ok(($(Wire::take(stored.$field).map_err(|at| at.within(stringify!($field)))?),+))
            }
        }

        required!(($($model),+) = $proto);
    };
}
use tuple;

/// A map of the model that is a list of messages with two fields.
macro_rules! entry {
    ($key:ty => $value:ty = $proto:ident { $k:ident, $v:ident }) => {
        impl Entry<$key, $value> for v1::$proto {
            fn of(key: &$key, value: &$value) -> Self {
                Self { $k: Wire::put(key), $v: Wire::put(value) }
            }

            fn parts(self) -> Result<($key, $value), Malformed> {
                Ok((
                    Wire::take(self.$k).map_err(|at| at.within(stringify!($k)))?,
                    Wire::take(self.$v).map_err(|at| at.within(stringify!($v)))?,
                ))
            }
        }
    };
}
use entry;

/// A message that is one entry of a map.
trait Entry<K, V>: Sized {
    fn of(key: &K, value: &V) -> Self;
    fn parts(self) -> Result<(K, V), Malformed>;
}

impl<T: Wire<P>, P> Wire<P> for Box<T> {
    fn put(&self) -> P {
        (**self).put()
    }

    fn take(stored: P) -> Result<Self, Malformed> {
        T::take(stored).map(Self::new)
    }
}

impl<T: Wire<P>, P> Wire<Option<P>> for Option<T> {
    fn put(&self) -> Option<P> {
        self.as_ref().map(T::put)
    }

    fn take(stored: Option<P>) -> Result<Self, Malformed> {
        stored.map(T::take).transpose()
    }
}

impl<T: Wire<P>, P> Wire<Vec<P>> for Vec<T> {
    fn put(&self) -> Vec<P> {
        self.iter().map(T::put).collect()
    }

    fn take(stored: Vec<P>) -> Result<Self, Malformed> {
        stored.into_iter().map(T::take).collect()
    }
}

impl<T: Wire<P> + Ord, P> Wire<Vec<P>> for BTreeSet<T> {
    fn put(&self) -> Vec<P> {
        self.iter().map(T::put).collect()
    }

    fn take(stored: Vec<P>) -> Result<Self, Malformed> {
        stored.into_iter().map(T::take).collect()
    }
}

impl<K: Ord, V, P: Entry<K, V>> Wire<Vec<P>> for BTreeMap<K, V> {
    fn put(&self) -> Vec<P> {
        self.iter().map(|(key, value)| P::of(key, value)).collect()
    }

    fn take(stored: Vec<P>) -> Result<Self, Malformed> {
        stored.into_iter().map(P::parts).collect()
    }
}

#[cfg(test)]
pub(super) mod tests;
