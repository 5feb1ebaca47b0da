//! Many patterns, asked about one name at once: exact names by hash, others by what they begin or end with.

use std::collections::HashMap;

use super::Glob;

type Map<T> = HashMap<Box<str>, Vec<T>, foldhash::fast::RandomState>;

/// Patterns, each with what it stands for. A pattern that stands several times is asked once.
#[derive(Debug, Clone)]
pub(super) struct Patterns<T> {
    exact: Map<T>,
    prefixes: Ends<T>,
    suffixes: Ends<T>,
    /// Neither begins nor ends with anything certain.
    loose: Vec<(Glob, Vec<T>)>,
    /// Describes every name.
    every: Vec<T>,
}

/// Patterns by one end of their names. A pattern that asks for more than that end is asked again.
type Ends<T> = Vec<(usize, Map<(Option<Glob>, Vec<T>)>)>;

impl<T> Default for Patterns<T> {
    fn default() -> Self {
        let (exact, loose, every) = (Map::default(), Vec::new(), Vec::new());
        Self { exact, prefixes: Vec::new(), suffixes: Vec::new(), loose, every }
    }
}

impl<T: Copy> Patterns<T> {
    /// Adds a pattern. Of two ends the longer one tells more.
    pub(super) fn add(&mut self, glob: &Glob, meaning: T) {
        let (prefix, suffix) = (glob.prefix(), glob.suffix());
        let more = (!glob.is_end()).then(|| glob.clone());
        if let Some(name) = glob.exact() {
            self.exact.entry(name.into()).or_default().push(meaning);
        } else if !prefix.is_empty() && prefix.len() >= suffix.len() {
            put(end(&mut self.prefixes, prefix), more, meaning);
        } else if !suffix.is_empty() {
            put(end(&mut self.suffixes, suffix), more, meaning);
        } else if more.is_none() {
            self.every.push(meaning);
        } else {
            put(&mut self.loose, glob.clone(), meaning);
        }
    }

    /// Tells what every pattern that matches a name stands for, in no certain order.
    pub(super) fn find(&self, name: &str, mut tell: impl FnMut(T)) {
        let mut all = |meanings: &[T]| meanings.iter().for_each(|meaning| tell(*meaning));
        self.exact.get(name).into_iter().for_each(|meanings| all(meanings));
        let mut among = |ended: Option<&Vec<(Option<Glob>, Vec<T>)>>| {
            for (more, meanings) in ended.into_iter().flatten() {
                if more.as_ref().is_none_or(|glob| glob.matches(name)) {
                    all(meanings);
                }
            }
        };
        for (length, ends) in &self.prefixes {
            among(name.get(..*length).and_then(|prefix| ends.get(prefix)));
        }
        for (length, ends) in &self.suffixes {
            let start = name.len().checked_sub(*length);
            among(start.and_then(|start| name.get(start..)).and_then(|suffix| ends.get(suffix)));
        }
        self.loose.iter().filter(|(glob, _)| glob.matches(name)).for_each(|(_, meanings)| all(meanings));
        all(&self.every);
    }

    /// Whether there is no pattern.
    pub(super) fn is_empty(&self) -> bool {
        let named = self.exact.is_empty() && self.prefixes.is_empty() && self.suffixes.is_empty();
        named && self.loose.is_empty() && self.every.is_empty()
    }
}

/// The patterns with this end.
fn end<'e, T>(ends: &'e mut Ends<T>, end: &str) -> &'e mut Vec<(Option<Glob>, Vec<T>)> {
    let at = ends.iter().position(|(length, _)| *length == end.len());
    let at = at.unwrap_or_else(|| {
        ends.push((end.len(), Map::default()));
        ends.len() - 1
    });
    ends[at].1.entry(end.into()).or_default()
}

/// Adds a meaning to its pattern.
fn put<P: PartialEq, T>(patterns: &mut Vec<(P, Vec<T>)>, pattern: P, meaning: T) {
    match patterns.iter_mut().find(|(other, _)| *other == pattern) {
        Some((_, meanings)) => meanings.push(meaning),
        None => patterns.push((pattern, vec![meaning])),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_found_is_what_matches(globs in proptest::collection::vec("[abü*?]{1,5}", 0..12), name in "[abü]{0,6}") {
            let globs: Vec<Glob> = globs.iter().map(|glob| Glob::new(glob).expect("only letters and wildcards")).collect();
            let mut patterns = Patterns::default();
            globs.iter().enumerate().for_each(|(at, glob)| patterns.add(glob, at));
            let mut found = Vec::new();
            patterns.find(&name, |at| found.push(at));
            found.sort_unstable();
            let want: Vec<usize> = (0..globs.len()).filter(|at| globs[*at].matches(&name)).collect();
            prop_assert_eq!(found, want);
            prop_assert_eq!(patterns.is_empty(), globs.is_empty());
        }
    }
}
