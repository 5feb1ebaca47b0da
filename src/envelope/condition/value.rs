//! JSON and times as values of CEL. Texts are borrowed, and mappings are gone over in the order of their keys, so that
//! an expression has one answer.

use std::collections::HashMap;

use cel::ExecutionError;
use cel::common::traits::{Container, Indexer, Iterable, Iterator as Cursor, Sizer};
use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt, Type};
use cel::common::value::{BuiltinRef, CowVal, Val};

use crate::model::Nanos;

/// A value of CEL that may borrow.
pub(super) type Boxed<'v> = Box<dyn Val + 'v>;

/// A JSON value. Whole numbers are `int` where they fit, else `uint`, else `double`; comparisons mix all three.
pub(super) fn of(json: &serde_json::Value) -> Boxed<'_> {
    use serde_json::Value as Json;
    match json {
        Json::Null => Box::new(CelNull),
        Json::Bool(truth) => Box::new(CelBool::from(*truth)),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Box::new(CelInt::from(number)),
            (None, Some(number)) => Box::new(CelUInt::from(number)),
            (None, None) => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Json::String(text) => self::text(text),
        Json::Array(items) => list(items.iter().map(of)),
        Json::Object(fields) => mapping(fields.iter().map(|(key, value)| (&**key, of(value)))),
    }
}

/// A text.
pub(super) fn text(text: &str) -> Boxed<'_> {
    Box::new(CelString::from(text))
}

/// A truth value.
pub(super) fn flag<'v>(truth: bool) -> Boxed<'v> {
    Box::new(CelBool::from(truth))
}

/// A list.
pub(super) fn list<'v>(items: impl Iterator<Item = Boxed<'v>>) -> Boxed<'v> {
    Box::new(CelList::from(items.collect::<Vec<_>>()))
}

/// A mapping.
pub(super) fn mapping<'v>(fields: impl Iterator<Item = (&'v str, Boxed<'v>)>) -> Boxed<'v> {
    let map: HashMap<CelMapKey<'v>, Boxed<'v>> = fields.map(|(key, value)| (CelMapKey::from(key), value)).collect();
    let mut keys: Vec<CelMapKey<'v>> = map.keys().cloned().collect();
    keys.sort();
    Box::new(Mapping { map: CelMap::from(map), keys })
}

/// A point in time as RFC 3339 in UTC to the second, so that text order is time order.
pub(super) fn point<'v>(at: Nanos) -> Boxed<'v> {
    let seconds = i64::try_from(at.0 / 1_000_000_000).unwrap_or(i64::MAX);
    let point = jiff::Timestamp::from_second(seconds).map(|point| point.to_string()).unwrap_or_default();
    Box::new(CelString::from(point))
}

/// Whether no list and no mapping in a value has more elements than this.
pub(super) fn is_small(json: &serde_json::Value, most: usize) -> bool {
    match json {
        serde_json::Value::Array(items) => items.len() <= most && items.iter().all(|item| is_small(item, most)),
        serde_json::Value::Object(fields) => fields.len() <= most && fields.values().all(|item| is_small(item, most)),
        _ => true,
    }
}

/// A mapping with its keys in order. In everything else it is the standard one, which has them in none.
#[derive(Debug, Clone)]
struct Mapping<'v> {
    map: CelMap<'v>,
    keys: Vec<CelMapKey<'v>>,
}

impl<'v> Val for Mapping<'v> {
    fn get_type(&self) -> &Type {
        <Self as Val>::cel_type()
    }

    fn cel_type() -> &'static Type {
        CelMap::cel_type()
    }

    fn as_container(&self) -> Option<&dyn Container> {
        self.map.as_container()
    }

    fn as_indexer<'b, 'w>(&'b self) -> Option<&'b (dyn Indexer + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_iterable<'b, 'w>(&'b self) -> Option<&'b (dyn Iterable + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        self.map.as_sizer()
    }

    fn equals(&self, other: &dyn Val) -> bool {
        self.map.equals(other)
    }

    fn clone_as_boxed<'w>(&self) -> Box<dyn Val + 'w>
    where
        Self: 'w,
    {
        Box::new(self.clone())
    }

    fn as_builtin<'b, 'w>(&'b self) -> BuiltinRef<'b, 'w>
    where
        Self: 'w,
    {
        self.map.as_builtin()
    }
}

impl Indexer for Mapping<'_> {
    fn get<'b, 'w>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.map.get(key)
    }

    fn steal<'w>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'w>, ExecutionError>
    where
        Self: 'w,
    {
        Box::new(self.map).steal(key)
    }
}

impl Iterable for Mapping<'_> {
    fn iter<'b, 'w>(&'b self) -> Box<dyn Cursor<'b, 'w> + 'b>
    where
        Self: 'w,
    {
        Box::new(Keys(self.keys.iter()))
    }
}

struct Keys<'b, 'v>(std::slice::Iter<'b, CelMapKey<'v>>);

impl<'b, 'v: 'w, 'w> Cursor<'b, 'w> for Keys<'b, 'v> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'w)> {
        self.0.next().map(|key| key.inner() as &(dyn Val + 'w))
    }
}
