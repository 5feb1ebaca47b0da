//! Says where two maps differ, in as many words as a person reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// Two maps that have to be equal; says where they are not.
pub fn same<V: PartialEq + Debug>(want: &BTreeMap<String, V>, found: &BTreeMap<String, V>, what: &str) {
    assert!(!want.is_empty(), "{what}: nothing to compare");
    let differ = differences(want, found);
    let (count, of) = (differ.len(), want.len());
    if let Some((name, want, found)) = differ.first() {
        panic!("{what}: {count} differ of {of}, first `{name}`\nwant {want}\nfound {found}");
    }
}

/// Names whose values differ, with both values from a little before the place where they do.
pub fn differences<V: PartialEq + Debug>(
    want: &BTreeMap<String, V>,
    found: &BTreeMap<String, V>,
) -> Vec<(String, String, String)> {
    let names: BTreeSet<&String> = want.keys().chain(found.keys()).collect();
    let differ = names.into_iter().filter(|name| want.get(*name) != found.get(*name));
    let first = |name: &String| {
        let (want, found) = (format!("{:?}", want.get(name)), format!("{:?}", found.get(name)));
        let at = want.bytes().zip(found.bytes()).take_while(|(a, b)| a == b).count();
        let around = |text: &str| text.get(at.saturating_sub(200)..).unwrap_or(text).chars().take(600).collect();
        (name.clone(), around(&want), around(&found))
    };
    differ.map(first).collect()
}
