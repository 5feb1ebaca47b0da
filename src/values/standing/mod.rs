//! What a user says that binds the whole conversation: holds (`look, don't act until I say so`) and releases (`go
//! ahead`). A small grammar over words, the same for every language; no model.
//!
//! Precise rather than complete: a sentence that is not understood binds nobody. What is quoted, asked, told of the
//! past, or said under a condition of another kind is not a constraint; neither is how an answer should look.
//!
//! ```text
//! text ─► own words ─► sentences ─► clauses ─► patterns of a language (tables) ─► Stand
//! ```

mod english;
mod french;
mod german;
mod grammar;
mod parts;
mod scope;
mod spanish;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use crate::model::{Effect, Effects, Stand, StandKind};

use grammar::{Found, Language, Matcher, Pattern};
pub use scope::{Has, Scope, Word};
use text::{Sentence, Token};

/// How much of a text is read, in bytes. Who binds an agent does so in fewer words; what is longer was pasted.
const READ: usize = 16 * 1024;
/// How many constraints of one text are kept.
const MOST: usize = 16;

/// How texts begin that programs put in the user's place: summaries of a context that grew too long, what is handed to
/// another agent, reminders. Who writes them: Claude Code; Codex; Gemini CLI; LangChain; OpenAI Agents; Google ADK.
const NOT_THE_USERS: &[&str] = &[
    "this session is being continued from a previous conversation",
    "another language model started to solve this problem",
    "<state_snapshot>",
    "<compressed_chat_history>",
    "<summary>",
    "<conversation_summary>",
    "<conversation history>",
    "summary of the conversation",
    "here is a summary of the conversation",
    "here is a summary of our conversation",
    "conversation summary",
    "previous conversation summary",
    "for context, here is the conversation so far",
    "for context:",
    "<system-reminder>",
    "<environment_context>",
    "<user_instructions>",
];

/// How many words and commas a message has at most that says no more than yes.
const YES: usize = 8;

/// A language with its patterns, by the words they begin with.
struct Table {
    language: &'static Language,
    patterns: Vec<(StandKind, Pattern)>,
    by_word: BTreeMap<&'static str, Vec<usize>>,
    anywhere: Vec<usize>,
    /// Words of which a sentence has one when any pattern can match.
    anchors: BTreeSet<&'static str>,
}

static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
    [&english::LANGUAGE, &german::LANGUAGE, &french::LANGUAGE, &spanish::LANGUAGE].into_iter().map(Table::of).collect()
});

impl Table {
    fn of(language: &'static Language) -> Self {
        let of_kind = |kind, rules: &'static [&'static str]| rules.iter().map(move |rule| (kind, Pattern::read(rule)));
        let holds = of_kind(StandKind::Hold, language.holds);
        let patterns: Vec<_> = holds.chain(of_kind(StandKind::Release, language.releases)).collect();
        let mut by_word: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        let mut anywhere = Vec::new();
        for (index, (_, pattern)) in patterns.iter().enumerate() {
            match pattern.first_words() {
                Some(words) => words.into_iter().for_each(|word| by_word.entry(word).or_default().push(index)),
                None => anywhere.push(index),
            }
        }
        let anchors = patterns.iter().flat_map(|(_, pattern)| pattern.anchors()).collect();
        Self { language, patterns, by_word, anywhere, anchors }
    }
}

/// The standing constraints that a user's message states, in its order. Linear in the text, of which the first 16 KiB
/// are read.
pub fn stands(text: &str) -> Vec<Stand> {
    let text = super::head(text, READ);
    if NOT_THE_USERS.iter().any(|start| begins(text, start)) {
        return Vec::new();
    }
    let own = text::own_words(text);
    let mut found = Vec::new();
    let sentences = text::sentences(&own, text);
    for sentence in &sentences {
        for table in TABLES.iter() {
            let before = found.len();
            table.read(sentence, (text, &own), &mut found);
            if found.len() > before {
                break;
            }
        }
        if found.len() >= MOST || dictates(sentence) {
            break;
        }
    }
    // A bare yes is an answer to the question before it. In a longer message it is the answer to something else.
    let short = sentences.iter().map(|sentence| sentence.tokens.len()).sum::<usize>() <= YES;
    found.retain(|stand| short || stand.kind == StandKind::Hold || stand.only.as_deref() != Some(grammar::IT));
    found.truncate(MOST);
    found
}

/// Whether a text begins so, whatever the case and whatever marks stand before.
fn begins(text: &str, start: &str) -> bool {
    let bare = text.trim_start_matches(|letter: char| letter.is_whitespace() || matches!(letter, '#' | '*' | '['));
    bare.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// Whether what follows is a text to be written or passed on: the sentence ends with a colon and speaks of saying.
fn dictates(sentence: &Sentence<'_>) -> bool {
    let says = |token: &Token<'_>| match token {
        Token::Word(word) => TABLES.iter().any(|table| table.language.says.contains(word)),
        Token::Comma | Token::Colon => false,
    };
    sentence.tokens.last() == Some(&Token::Colon) && sentence.tokens.iter().any(says)
}

impl Table {
    /// Reads a sentence of a text, given as written and in small letters.
    fn read(&self, sentence: &Sentence<'_>, (text, own): (&str, &str), out: &mut Vec<Stand>) {
        let tokens = &sentence.tokens[..];
        let anchored = |token: &Token<'_>| matches!(token, Token::Word(word) if self.anchors.contains(word));
        if !tokens.iter().any(anchored) {
            return;
        }
        let matcher = Matcher { language: self.language, tokens, places: &sentence.places, text: own };
        if sentence.asks && !self.is_tagged(tokens) {
            return;
        }
        let mut at = 0;
        let mut conditional = false;
        let mut until = false;
        while at < tokens.len() {
            if !self.begins_clause(tokens, at) {
                conditional |= matches!(tokens[at], Token::Word(word) if self.language.ifs.contains(&word));
                at += 1;
                continue;
            }
            if self.is_said(&tokens[..at]) {
                return;
            }
            if let Some(end) = matcher.condition(at) {
                until = true;
                at = end.max(at + 1);
                continue;
            }
            match self.clause(&matcher, at, until) {
                // The `ok?` after what is held back lets nothing go.
                Some((end, StandKind::Release, _)) if sentence.asks => at = end.max(at + 1),
                Some((end, kind, found)) if !conditional || kind == StandKind::Release => {
                    let quote = super::head(text[sentence.from..sentence.to].trim(), Stand::QUOTE);
                    let found =
                        if conditional { Found { only: found.only.or(Some("if".to_owned())), ..found } } else { found };
                    out.push(stand(kind, found, quote));
                    at = end.max(at + 1);
                }
                _ => {
                    conditional |= matches!(tokens[at], Token::Word(word) if self.language.ifs.contains(&word));
                    at += 1;
                }
            }
        }
    }

    /// What a clause says, with or without the words that only lead to it.
    fn clause(&self, matcher: &Matcher<'_>, at: usize, until: bool) -> Option<(usize, StandKind, Found)> {
        let mut at = at;
        loop {
            let begins = Found { until, ..Found::default() };
            let word = match matcher.tokens.get(at) {
                Some(Token::Word(word)) => *word,
                _ => return None,
            };
            let named = self.by_word.get(word).into_iter().flatten();
            let mut tried = named.chain(&self.anywhere).copied().collect::<Vec<usize>>();
            tried.sort_unstable();
            let found = tried.into_iter().find_map(|index| {
                let (kind, pattern) = &self.patterns[index];
                let (end, found) = matcher.matches(pattern, at, begins.clone())?;
                Some((end, *kind, found))
            });
            if found.is_some() {
                return found;
            }
            let number = word.bytes().all(|byte| byte.is_ascii_digit());
            at += matcher.phrase(at, self.language.leads).or(number.then_some(1))?;
        }
    }

    fn begins_clause(&self, tokens: &[Token<'_>], at: usize) -> bool {
        let Some(before) = at.checked_sub(1).map(|before| tokens[before]) else { return true };
        match before {
            Token::Comma | Token::Colon => true,
            Token::Word(word) => self.language.joins.contains(&word),
        }
    }

    /// Whether what follows is what somebody is told to say.
    fn is_said(&self, before: &[Token<'_>]) -> bool {
        let says = |token: &Token<'_>| matches!(token, Token::Word(word) if self.language.says.contains(word));
        before.last() == Some(&Token::Colon) && before.iter().any(says)
    }

    /// `Don't delete anything, ok?` asks nothing.
    fn is_tagged(&self, tokens: &[Token<'_>]) -> bool {
        let Some(comma) = tokens.iter().rposition(|token| *token == Token::Comma) else { return false };
        let tag = |token: &Token<'_>| matches!(token, Token::Word(word) if self.language.tags.contains(word));
        comma > 0 && comma + 1 < tokens.len() && tokens[comma + 1..].iter().all(tag)
    }
}

fn stand(kind: StandKind, found: Found, quote: &str) -> Stand {
    let named = found.named.filter(|_| found.effects.is_empty());
    let effects = match found.all || named.is_some() || found.effects.is_empty() {
        true => Effects::All,
        false => Effects::Some(found.effects.into_iter().collect::<BTreeSet<Effect>>()),
    };
    let only = match (named, found.scope) {
        (Some(named), Some(scope)) => Some(format!("{named}: {scope}")),
        (None, Some(scope)) => Some(scope),
        (Some(named), None) => Some(named),
        (None, None) => found.only,
    };
    Stand { kind, effects, only: only.map(Arc::from), quote: quote.into() }
}

#[cfg(test)]
mod scope_tests;
#[cfg(test)]
mod tests;
