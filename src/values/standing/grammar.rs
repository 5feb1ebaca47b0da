//! Patterns over words: how the tables of the languages are written, and how they are matched.
//!
//! ```text
//! do not|never V O E        words, `|` between words that are as good, `?` after one that may be missing, `,` a comma
//! V G P   verbs of the table: bare, `-ing`, participle; several may be joined by commas and `or`
//! O       what it is about: anything, any noun of the table, a pronoun, a part of what there is, or nothing said
//! S       a part of what there is: `production data`, `anything in prod`, `to the main branch` (see `scope`)
//! N       a noun of the table
//! M       the user's approval: `my go ahead`, `permission`
//! W       up to five words of any kind
//! E       the clause ends here: fillers, perhaps a condition of the user's, and then a comma, `and`, or the end
//! U       as E, and there is a condition of the user's: `until I say so`
//! A       as U, with what lets an act go: `when I tell you`
//! Y       what was asked or proposed is meant, and nothing else
//! R       whatever follows, up to the end of the clause; kept as what a release is about
//! ```

use std::collections::BTreeSet;

use crate::model::Effect;

use super::text::Token;

/// What a verb does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Does {
    /// To anything at all: act.
    All,
    /// Go on with what is at hand: only with a condition is that something to keep to.
    GoesOn,
    /// These effects.
    Some(&'static [Effect]),
    /// An act of its own name, whatever its effect: deploy, refund.
    Named,
}

/// A verb in its bare forms, its `-ing` forms, its participles: words separated by blanks.
pub(super) type Verb = (Does, &'static str, &'static str, &'static str);

/// A pattern, and what it means when nothing in it says more.
pub(super) type Rule = &'static str;

/// One language.
pub(super) struct Language {
    /// Patterns that hold something back.
    pub holds: &'static [Rule],
    /// Patterns that let it go.
    pub releases: &'static [Rule],
    /// Verbs.
    pub verbs: &'static [Verb],
    /// Words for anything.
    pub anything: &'static [&'static str],
    /// Nouns that mean any act.
    pub acts: &'static [&'static str],
    /// Nouns that narrow an act to one kind of thing.
    pub things: &'static [&'static str],
    /// Nouns for a kind of place or thing, which say nothing without a name: `table`, `branch`.
    pub kinds: &'static [&'static str],
    /// Nouns that name a part of what there is by themselves: `tests`, `migrations`.
    pub parts: &'static [&'static str],
    /// Prepositions before a place.
    pub prepositions: &'static [&'static str],
    /// Words with which a noun means nothing that a call could be compared with: `other`, `wrong`.
    pub vague: &'static [&'static str],
    /// Words that join, after a scope, how something is to be done.
    pub manners: &'static [&'static str],
    /// Words that no noun goes across, such as verbs.
    pub stops: &'static [&'static str],
    /// Words that make an exception after a word for anything: `anything but`.
    pub exceptions: &'static [&'static str],
    /// Pronouns: one thing that was spoken of.
    pub pronouns: &'static [&'static str],
    /// Words before a noun.
    pub articles: &'static [&'static str],
    /// Words for the user's approval.
    pub approvals: &'static [&'static str],
    /// What begins a condition.
    pub until: &'static [&'static str],
    /// What begins a condition under which an act may be done.
    pub given: &'static [&'static str],
    /// Words that make a condition the user's.
    pub user: &'static [&'static str],
    /// Words that mean: not for now.
    pub yet: &'static [&'static str],
    /// Words that may stand at the end of a clause.
    pub fillers: &'static [&'static str],
    /// Words that begin a clause without meaning, longest first.
    pub leads: &'static [&'static str],
    /// Words that join clauses.
    pub joins: &'static [&'static str],
    /// Words that join verbs and nouns.
    pub ors: &'static [&'static str],
    /// Words that begin a condition which is not the user's word.
    pub ifs: &'static [&'static str],
    /// Words for saying something: what follows a colon is said, not meant.
    pub says: &'static [&'static str],
    /// Words that may stand alone before a question mark without making a question.
    pub tags: &'static [&'static str],
}

/// What a match found.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// Effects of its verbs.
    pub effects: BTreeSet<Effect>,
    /// A verb or a noun means every act.
    pub all: bool,
    /// The act or the thing it is about, where not any.
    pub only: Option<String>,
    /// Verbs with a name of their own.
    pub named: Option<String>,
    /// The part of what there is that it is about.
    pub scope: Option<String>,
    /// It holds only with a condition of the user's.
    pub needs_until: bool,
    /// There is such a condition.
    pub until: bool,
}

impl Found {
    fn is_meant(&self) -> bool {
        self.until || !self.needs_until
    }
}

/// One element of a pattern.
#[derive(Debug)]
enum Element {
    Words(Vec<&'static str>),
    Comma,
    Class(u8),
}

/// A pattern that was read.
#[derive(Debug)]
pub(super) struct Pattern(Vec<(Element, bool)>);

impl Pattern {
    pub(super) fn read(rule: Rule) -> Self {
        let element = |word: &'static str| {
            let (word, may_lack) = word.strip_suffix('?').map_or((word, false), |word| (word, true));
            let element = match word.as_bytes() {
                [b','] => Element::Comma,
                [class] if class.is_ascii_uppercase() => Element::Class(*class),
                _ => Element::Words(word.split('|').collect()),
            };
            (element, may_lack)
        };
        Self(rule.split(' ').map(element).collect())
    }

    /// The words that it can begin with: most clauses begin with none of any pattern. `None` when any may.
    pub(super) fn first_words(&self) -> Option<Vec<&'static str>> {
        let mut words = Vec::new();
        for (element, may_lack) in &self.0 {
            match element {
                Element::Words(known) => words.extend(known.iter().copied()),
                _ => return None,
            }
            if !may_lack {
                return Some(words);
            }
        }
        None
    }
}

impl Pattern {
    /// Words of which a sentence must have one: those of its first element that has to be there and is no class; of the
    /// last, which is rarer, in a pattern that may begin with any word.
    pub(super) fn anchors(&self) -> Vec<&'static str> {
        let mut needed = self.0.iter().filter_map(|(element, may_lack)| match element {
            Element::Words(words) if !may_lack => Some(words.clone()),
            _ => None,
        });
        let found = if self.first_words().is_some() { needed.next() } else { needed.next_back() };
        found.unwrap_or_default()
    }
}

/// Tokens being matched.
#[derive(Clone, Copy)]
pub(super) struct Matcher<'a> {
    pub language: &'a Language,
    pub tokens: &'a [Token<'a>],
    /// Where the words of the tokens stand in the text.
    pub places: &'a [(usize, usize)],
    /// The text, in small letters.
    pub text: &'a str,
}

impl<'a> Matcher<'a> {
    pub(super) fn word(&self, at: usize) -> Option<&'a str> {
        match self.tokens.get(at)? {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    pub(super) fn is(&self, at: usize, words: &[&str]) -> bool {
        self.word(at).is_some_and(|word| words.contains(&word))
    }

    /// How many tokens one of these phrases takes here, the longest.
    pub(super) fn phrase(&self, at: usize, phrases: &[&str]) -> Option<usize> {
        let fits =
            |phrase: &&&str| phrase.split(' ').enumerate().all(|(index, word)| self.word(at + index) == Some(word));
        phrases.iter().filter(fits).map(|phrase| phrase.split(' ').count()).max()
    }

    /// Matches a pattern from a token on: where it ends, and what it found.
    pub(super) fn matches(&self, pattern: &Pattern, at: usize, found: Found) -> Option<(usize, Found)> {
        self.rest(&pattern.0, at, found).filter(|(_, found)| found.is_meant())
    }

    fn rest(&self, elements: &[(Element, bool)], at: usize, found: Found) -> Option<(usize, Found)> {
        let Some(((element, may_lack), rest)) = elements.split_first() else { return Some((at, found)) };
        let tried = match element {
            Element::Words(words) => self.is(at, words).then(|| self.rest(rest, at + 1, found.clone())).flatten(),
            Element::Comma => match self.tokens.get(at) {
                Some(Token::Comma) => self.rest(rest, at + 1, found.clone()),
                _ => None,
            },
            Element::Class(class) => self.class(*class, rest, at, &found),
        };
        tried.or_else(|| may_lack.then(|| self.rest(rest, at, found)).flatten())
    }

    fn class(&self, class: u8, rest: &[(Element, bool)], at: usize, found: &Found) -> Option<(usize, Found)> {
        let go_on = |(at, found)| self.rest(rest, at, found);
        match class {
            b'V' => self.verbs(at, 0, found).and_then(go_on),
            b'G' => self.verbs(at, 1, found).and_then(go_on),
            b'P' => self.verbs(at, 2, found).and_then(go_on),
            b'O' => {
                let part = || self.scope(at, found).and_then(go_on);
                let object = self.object(at, found).and_then(go_on).or_else(part);
                object.or_else(|| self.rest(rest, at, nothing_said(found)))
            }
            b'S' => self.scope(at, found).and_then(go_on),
            b'N' => self.noun(at, found).and_then(go_on),
            b'M' => self.approval(at).and_then(|at| self.rest(rest, at, found.clone())),
            b'W' => (0..=5)
                .take_while(|skip| *skip == 0 || self.word(at + skip - 1).is_some())
                .find_map(|skip| self.rest(rest, at + skip, found.clone())),
            b'E' => self.end(at, found.clone()).and_then(go_on),
            b'U' => self.end(at, found.clone()).filter(|(_, found)| found.until).and_then(go_on),
            b'A' => {
                let len = self.phrase(at, self.language.given)?;
                let user =
                    (at + len..at + len + 4).any(|at| self.is(at, self.language.user) || self.approval(at).is_some());
                let end = (at..self.tokens.len()).find(|at| self.word(*at).is_none()).unwrap_or(self.tokens.len());
                user.then(|| self.rest(rest, end, Found { until: true, ..found.clone() })).flatten()
            }
            b'Y' => self.rest(rest, at, Found { only: Some(IT.to_owned()), ..found.clone() }),
            b'R' => self.remainder(at, found).and_then(go_on),
            _ => None,
        }
    }

    /// Verbs of one form, joined.
    fn verbs(&self, at: usize, form: usize, found: &Found) -> Option<(usize, Found)> {
        let mut found = found.clone();
        let mut next = self.verb(at, form, &mut found)?;
        loop {
            let mut then = next;
            if self.tokens.get(then) == Some(&Token::Comma) {
                then += 1;
            }
            if self.is(then, self.language.ors) {
                then += 1;
            }
            if then == next {
                return Some((next, found));
            }
            match self.verb(then, form, &mut found) {
                Some(after) => next = after,
                None => return Some((next, found)),
            }
        }
    }

    fn verb(&self, at: usize, form: usize, found: &mut Found) -> Option<usize> {
        let forms = |verb: &'a Verb| [verb.1, verb.2, verb.3][form];
        let word = self.word(at)?;
        let two = self.word(at + 1);
        let known = self.language.verbs.iter().find_map(|verb| {
            let mut written = forms(verb).split(' ');
            written.find_map(|form| match form.split_once('_') {
                Some((first, second)) => (first == word && two == Some(second)).then_some((verb, at + 2)),
                None => (form == word).then_some((verb, at + 1)),
            })
        });
        let (verb, next) = known?;
        match verb.0 {
            Does::All => found.all = true,
            Does::GoesOn => (found.all, found.needs_until) = (true, true),
            Does::Some(effects) => found.effects.extend(effects.iter().copied()),
            Does::Named => found.named = found.named.take().or_else(|| verb.1.split(' ').next().map(str::to_owned)),
        }
        Some(next)
    }

    fn object(&self, at: usize, found: &Found) -> Option<(usize, Found)> {
        if let Some(len) = self.phrase(at, self.language.anything) {
            return Some((at + len, found.clone()));
        }
        if self.is(at, self.language.pronouns) {
            let only = found.only.clone().or_else(|| self.word(at).map(str::to_owned));
            let found = Found { only, needs_until: true, ..found.clone() };
            return Some((at + 1, found));
        }
        let articles = (at..at + 3).take_while(|at| self.is(*at, self.language.articles)).count();
        self.noun(at + articles, found)
    }

    fn noun(&self, at: usize, found: &Found) -> Option<(usize, Found)> {
        let mut found = found.clone();
        let mut next = self.one_noun(at, &mut found)?;
        while self.is(next, self.language.ors) {
            match self.one_noun(next + 1, &mut found) {
                Some(after) => next = after,
                None => break,
            }
        }
        Some((next, found))
    }

    fn one_noun(&self, at: usize, found: &mut Found) -> Option<usize> {
        if self.is(at, self.language.acts) {
            found.all |= found.effects.is_empty() && found.named.is_none();
            return Some(at + 1);
        }
        self.is(at, self.language.things).then(|| {
            found.only = found.only.take().or_else(|| self.word(at).map(str::to_owned));
            at + 1
        })
    }

    fn approval(&self, at: usize) -> Option<usize> {
        let from = at;
        let owned =
            (from..from + 4).take_while(|at| self.is(*at, self.language.user) || self.is(*at, ADJECTIVES)).count();
        let len = self.phrase(from + owned, self.language.approvals)?;
        Some(from + owned + len)
    }

    /// Whether the clause ends here.
    fn end(&self, at: usize, mut found: Found) -> Option<(usize, Found)> {
        let mut next = at;
        loop {
            if let Some(after) = self.condition(next) {
                found.until = true;
                return Some((after, found));
            }
            if let Some(len) = self.phrase(next, self.language.yet) {
                (next, found.until) = (next + len, true);
            } else if let Some(len) = self.phrase(next, self.language.fillers) {
                next += len;
            } else {
                break;
            }
        }
        match self.tokens.get(next) {
            None | Some(Token::Colon) => Some((next, found)),
            Some(Token::Comma) => {
                let after = self.condition(next + 1);
                // A condition that is not the user's narrows what is meant.
                let narrows =
                    after.is_none() && (self.is(next + 1, self.language.ifs) || self.is(next + 1, self.language.until));
                found.until |= after.is_some();
                (!narrows).then_some((after.unwrap_or(next), found))
            }
            Some(Token::Word(word)) => {
                let manner = found.scope.is_some() && self.language.manners.contains(word);
                let anything = next.checked_sub(1).is_some_and(|before| self.is(before, self.language.anything));
                let excepted = anything && self.language.exceptions.contains(word);
                (self.language.joins.contains(word) && !manner && !excepted).then_some((next, found))
            }
        }
    }

    /// A condition of the user's: `until I say so`. Where it ends.
    pub(super) fn condition(&self, at: usize) -> Option<usize> {
        let len = self.phrase(at, self.language.until)?;
        let near = |at: &usize| self.word(*at).is_some();
        let of_user = (at + len..at + len + 5).take_while(near).any(|at| self.is(at, self.language.user));
        let approved = || (at + len..at + len + 3).any(|at| self.approval(at).is_some());
        let end = (at + len..self.tokens.len()).find(|at| self.word(*at).is_none()).unwrap_or(self.tokens.len());
        (of_user || approved()).then_some(end)
    }

    fn remainder(&self, at: usize, found: &Found) -> Option<(usize, Found)> {
        if let Some((end, found)) = self.end(at, found.clone()) {
            return Some((end, found));
        }
        let words: Vec<&str> = (at..self.tokens.len()).map_while(|at| self.word(at)).take(8).collect();
        let mut found = found.clone();
        found.only.get_or_insert_with(|| words.join(" "));
        Some((at + words.len(), found))
    }
}

/// Nothing is said of what it is about: a verb that needs no object says enough; of others one thing is meant.
fn nothing_said(found: &Found) -> Found {
    if found.all || found.named.is_some() && found.effects.is_empty() {
        return found.clone();
    }
    let only = found.only.clone().or_else(|| Some(IT.to_owned()));
    Found { only, needs_until: true, ..found.clone() }
}

/// What a constraint is about that names one thing and not which.
pub(super) const IT: &str = "it";
/// Words that make an approval a clear one.
const ADJECTIVES: &[&str] = &["explicit", "express", "written", "prior", "the", "final", "clear", "direct"];
