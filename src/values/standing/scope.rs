//! What a constraint is about when it is not about everything: a part of what there is.
//!
//! ```text
//! scope := noun place* | (anything | act)? place+    do not change [production data] · push [to main]
//! place := preposition noun                          do not touch [anything in prod] · no changes [to src/auth]
//! noun  := article* word* head                       head: a kind (table), a part (tests), a name (src/auth.rs, `users`)
//! ```
//!
//! Scopes may be joined by `or`. What has another head (`the title`, `the API's behaviour`) tells how to do something
//! and is no scope; nor is one with a word that no call can be compared with (`other files`). A scope is kept as it was
//! said; [`Scope`] reads it again when a call is compared with it.

use super::TABLES;
use super::grammar::{Found, Language, Matcher};

/// How many words a noun has at most, and how many places a scope.
const WORDS: usize = 5;
const PLACES: usize = 2;
/// What stands before a scope of one word: a constraint about one word without it names an act or a kind of thing.
const NAMED: &str = "named";
/// Marks inside a name.
const MARKS: &[char] = &['/', '.', '_', ':', '@'];

impl Matcher<'_> {
    /// A scope from a token on: where it ends, and what was found with it.
    pub(super) fn scope(&self, at: usize, found: &Found) -> Option<(usize, Found)> {
        if found.needs_until || self.language.kinds.is_empty() {
            return None;
        }
        let mut end = self.one_scope(at, found)?;
        let alternative = |end| self.is(end, self.language.ors).then(|| self.one_scope(end + 1, &Found::default()));
        while let Some(next) = alternative(end).flatten() {
            end = next;
        }
        let said = self.said(at, end).replace('`', "");
        let said = if said.contains(' ') { said } else { format!("{NAMED} {said}") };
        Some((end, Found { scope: Some(said), ..found.clone() }))
    }

    fn one_scope(&self, at: usize, found: &Found) -> Option<usize> {
        let anything = self.phrase(at, self.language.anything).map(|len| at + len);
        let lead = anything.or_else(|| self.act(at));
        let noun = lead.is_none().then(|| self.noun_of_scope(at, false)).flatten();
        let mut end = lead.or(noun).unwrap_or(at);
        let alone = noun.is_some() && !found.all;
        // After `anything` and `files` any word names a place.
        let bare = anything.is_some() || noun.is_some_and(|end| self.is(end - 1, self.language.kinds));
        for place in 0..PLACES {
            if !self.is(end, self.language.prepositions) {
                return (alone || place > 0).then_some(end);
            }
            end = self.noun_of_scope(end + 1, bare)?;
        }
        Some(end)
    }

    /// `any changes`: where it ends.
    fn act(&self, at: usize) -> Option<usize> {
        let noun = at + self.articles(at);
        self.is(noun, self.language.acts).then_some(noun + 1)
    }

    fn articles(&self, at: usize) -> usize {
        (at..at + 3).take_while(|at| self.is(*at, self.language.articles)).count()
    }

    /// A noun: where the last word ends that can be its head. With `bare`, its only word may be any.
    fn noun_of_scope(&self, at: usize, bare: bool) -> Option<usize> {
        let first = at + self.articles(at);
        let (mut next, mut head, mut kind) = (first, None, false);
        for _ in 0..WORDS {
            let Some(end) = self.unit(next) else { break };
            if self.is(next, self.language.vague) {
                return None;
            }
            let own = end - next == 1 && (self.is(next, self.language.kinds) || self.is(next, self.language.parts));
            if own || self.is_name(next, end) || kind && end - next > 1 {
                head = Some(end);
            }
            kind = self.is(next, self.language.kinds);
            next = end;
        }
        head.or_else(|| self.unit(at).filter(|_| bare))
    }

    /// A word with everything that is written without a blank after it, where it can belong to a noun.
    fn unit(&self, at: usize) -> Option<usize> {
        self.word(at)?;
        let mut end = at + 1;
        while self.word(end).is_some() && !self.is_apart(end) {
            end += 1;
        }
        let language = self.language;
        let words = [language.prepositions, language.ors, language.joins, language.ifs, language.stops];
        let phrases = [language.pronouns, language.yet, language.fillers, language.until];
        let stops = words.iter().any(|words| end - at == 1 && self.is(at, words))
            || phrases.iter().any(|phrases| self.phrase(at, phrases).is_some());
        (!stops).then_some(end)
    }

    /// Whether a blank stands before a word. Both words of a contraction have its place.
    fn is_apart(&self, at: usize) -> bool {
        let between = self.text.get(self.places[at - 1].1..self.places[at].0);
        between.is_some_and(|between| between.contains(char::is_whitespace))
    }

    /// Whether a unit is written as names are: `src/auth.rs`, `users_v2`, `.env`, anything in backticks.
    fn is_name(&self, at: usize, end: usize) -> bool {
        let (said, before) = (self.said(at, end), &self.text[..self.places[at].0]);
        let marked = end - at > 1 && said.contains(MARKS) || said.contains('_') || before.ends_with(['.', '`']);
        marked && said.contains(char::is_alphabetic)
    }

    fn said(&self, at: usize, end: usize) -> &str {
        &self.text[self.places[at].0..self.places[end - 1].1]
    }
}

/// A scope, read for comparing calls with it.
#[derive(Debug, PartialEq, Eq)]
pub struct Scope {
    /// The act that is meant, where it has a name of its own: `push`.
    pub act: Option<String>,
    /// Alternatives. In each all words have to fit; without a word nobody knows what fits.
    pub parts: Vec<Vec<Word>>,
    /// It is about a whole with everything in it, also with what is new there.
    pub whole: bool,
}

/// A word of a scope that a call is compared with.
#[derive(Debug, PartialEq, Eq)]
pub enum Word {
    /// An environment: all its names.
    Environment(&'static [&'static str]),
    /// The usual branch of a repository. Folders and files have such names, too.
    Branch(String),
    /// Anything else.
    Name(String),
}

/// How a text has a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Has {
    /// Not at all.
    Not,
    /// As a part of a longer name, or of something else of that name.
    InPart,
    /// As a name of its own: `tests` in `repo/tests/a.py`, `src/auth` in `file:///src/auth/b.py`.
    Whole,
}

/// Names of environments that mean the same.
const ENVIRONMENTS: &[&[&str]] =
    &[&["production", "prod", "prd", "live"], &["staging", "stage", "stg"], &["development", "dev"]];
/// Names that the usual branch has.
const BRANCHES: &[&str] = &["main", "master", "trunk"];

impl Scope {
    /// Reads what a constraint is about. `None`: it is a word for an act or a kind of thing.
    pub fn of(only: &str) -> Option<Self> {
        let (act, said) = match only.split_once(": ") {
            Some((act, said)) => (Some(act.to_owned()), said),
            None => (None, only),
        };
        if !said.contains(' ') {
            return None;
        }
        let languages = || TABLES.iter().map(|table| table.language).filter(|language| !language.kinds.is_empty());
        let said: Vec<&str> = said.split_whitespace().collect();
        let of_part = |words: &[&str]| {
            let general = |word: &str| word == NAMED || languages().any(|language| is_general(word, language));
            let telling: Vec<Word> = words.iter().filter(|word| !general(word)).map(|word| Word::of(word)).collect();
            // `the accounts table`: which table, another word for a kind of thing says.
            let is_kind = |word: &str| languages().any(|language| language.kinds.contains(&word));
            let first = words.windows(2).find(|two| two.iter().all(|word| is_kind(word)));
            let named = first.filter(|_| telling.is_empty()).map(|two| Word::of(two[0]));
            telling.into_iter().chain(named).collect::<Vec<_>>()
        };
        let parts: Vec<_> =
            said.split(|word| languages().any(|language| language.ors.contains(word))).map(of_part).collect();
        let placed = said.iter().any(|word| languages().any(|language| language.prepositions.contains(word)));
        let environment = parts.iter().flatten().any(|word| matches!(word, Word::Environment(_)));
        Some(Self { act, parts, whole: placed || environment })
    }

    /// Whether a text speaks of it: of every word of an alternative.
    pub fn is_spoken_of(&self, text: &str) -> bool {
        self.parts.iter().any(|part| part.iter().all(|word| word.in_text(text) > Has::Not))
    }
}

/// Whether a word of a scope tells nothing of what is meant.
fn is_general(word: &str, language: &Language) -> bool {
    let tables = [language.anything, language.acts, language.articles, language.kinds, language.prepositions];
    tables.iter().any(|words| words.contains(&word))
}

impl Word {
    fn of(word: &str) -> Self {
        match ENVIRONMENTS.iter().find(|names| names.contains(&word)) {
            Some(names) => Self::Environment(names),
            None if BRANCHES.contains(&word) => Self::Branch(word.to_owned()),
            None => Self::Name(word.to_owned()),
        }
    }

    /// How a text has it: a target, a tool's name, parameters, what somebody says.
    pub fn in_text(&self, text: &str) -> Has {
        match self {
            Self::Environment(names) => names.iter().map(|name| has(text, name)).max().unwrap_or(Has::Not),
            Self::Branch(name) if has(text, &format!("heads/{name}")) == Has::Whole => Has::Whole,
            Self::Branch(name) => has(text, name).min(Has::InPart),
            Self::Name(name) => has(text, name),
        }
    }
}

fn has(text: &str, name: &str) -> Has {
    let between_names = |letter: char| letter.is_whitespace() || "/:@#?&=\"'`,;()[]{}".contains(letter);
    let between_words = |letter: char| !letter.is_alphanumeric();
    if is_among(&split(name, between_names), &split(text, between_names)) {
        return Has::Whole;
    }
    match is_among(&split(name, between_words), &split(text, between_words)) {
        true => Has::InPart,
        false => Has::Not,
    }
}

fn is_among(name: &[String], text: &[String]) -> bool {
    !name.is_empty() && text.windows(name.len()).any(|found| found == name)
}

/// The pieces of a text, in small letters and without a plural's `s`.
fn split(text: &str, between: impl Fn(char) -> bool) -> Vec<String> {
    let pieces = text.split(between).filter(|piece| !piece.is_empty());
    pieces.map(|piece| singular(&piece.to_lowercase()).to_owned()).collect()
}

fn singular(word: &str) -> &str {
    word.strip_suffix('s').filter(|stem| stem.len() > 2 && !stem.ends_with('s')).unwrap_or(word)
}
