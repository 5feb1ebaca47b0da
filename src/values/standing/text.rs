//! Words and sentences of what a user wrote, without what the user only quotes.

/// One token of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A word in small letters; a contraction is two.
    Word(&'a str),
    /// A comma, a dash or a bracket: a clause ends.
    Comma,
    /// A colon: what follows may be what somebody is told to say.
    Colon,
}

/// A sentence: its tokens and the places of the words they are of, where it stands in the text, and whether it asks.
#[derive(Debug, Default)]
pub(super) struct Sentence<'a> {
    pub(super) tokens: Vec<Token<'a>>,
    pub(super) places: Vec<(usize, usize)>,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) asks: bool,
}

/// Contractions, by their ends, and the words they stand for. Apostrophes are `'` here.
const ENDS: &[(&str, &str)] =
    &[("n't", "not"), ("'ve", "have"), ("'m", "am"), ("'re", "are"), ("'ll", "will"), ("'d", "would"), ("'s", "is")];
/// Contractions as they are written without an apostrophe, or that have another stem.
const WHOLE: &[(&str, [&str; 2])] = &[
    ("dont", ["do", "not"]),
    ("won't", ["will", "not"]),
    ("can't", ["can", "not"]),
    ("cannot", ["can", "not"]),
    ("let's", ["let", "us"]),
];
/// French words that lose their vowel before another.
const ELIDED: &[(&str, &str)] = &[
    ("n", "ne"),
    ("d", "de"),
    ("l", "le"),
    ("j", "je"),
    ("m", "me"),
    ("t", "te"),
    ("s", "se"),
    ("qu", "que"),
    ("jusqu", "jusque"),
    ("lorsqu", "lorsque"),
];
/// Quotation marks that open, and what closes them.
const QUOTES: &[(char, &[char])] = &[
    ('"', &['"']),
    ('“', &['”', '“']),
    ('„', &['“', '”']),
    ('«', &['»']),
    ('»', &['«']),
    ('‘', &['’']),
    ('`', &['`']),
];
/// Lines after which everything is somebody else's mail.
const FORWARDED: &[&str] = &["-----original message", "---------- forwarded", "begin forwarded", "from: ", "von: "];

/// The text in small letters, byte for byte as long, with blanks in the place of what is quoted.
pub(super) fn own_words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut forwarded = false;
    let mut fenced = false;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start().to_lowercase();
        forwarded |= FORWARDED.iter().any(|start| bare.starts_with(start));
        let fence = bare.starts_with("```") || bare.starts_with("~~~");
        fenced ^= fence;
        match forwarded || fenced || fence || bare.starts_with('>') || bare.starts_with('|') {
            true => out.extend(line.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' })),
            false => line.chars().for_each(|letter| out.push(small(letter))),
        }
    }
    blank_quotes(&mut out);
    out
}

/// A letter in its small form, where that takes as many bytes.
fn small(letter: char) -> char {
    let mut lower = letter.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) if one.len_utf8() == letter.len_utf8() => one,
        _ => letter,
    }
}

/// Puts blanks in the place of quoted passages, unless all is one quotation. A single word in backticks is the name of
/// something and stays.
fn blank_quotes(text: &mut String) {
    let mut blanks: Vec<(usize, usize)> = Vec::new();
    let mut open: Option<(usize, &[char])> = None;
    let mut before = ' ';
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let next = letters.peek().map_or(' ', |(_, next)| *next);
        match open {
            // An apostrophe inside a word closes nothing.
            Some((from, close)) if close.contains(&letter) && !(close == ['\''] && next.is_alphanumeric()) => {
                let is_name = letter == '`' && !text[from..at].contains(char::is_whitespace);
                blanks.extend((!is_name).then_some((from, at + letter.len_utf8())));
                open = None;
            }
            Some(_) => {}
            None => {
                let starts = !before.is_alphanumeric() && next.is_alphanumeric();
                let known = QUOTES.iter().find(|(start, _)| *start == letter).map(|(_, close)| *close);
                let single = (letter == '\'' && starts).then_some(&['\''][..]);
                open = known.or(single).map(|close| (at, close));
            }
        }
        before = letter;
    }
    let all = text.trim();
    let start = text.len() - text.trim_start().len();
    if blanks == [(start, start + all.len())] {
        return;
    }
    for (from, to) in blanks.into_iter().rev() {
        text.replace_range(from..to, &" ".repeat(to - from));
    }
}

/// The sentences of a text in small letters, which was written like `written`.
pub(super) fn sentences<'a>(text: &'a str, written: &str) -> Vec<Sentence<'a>> {
    let mut out = Vec::new();
    let mut current = Sentence::default();
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let end = at + letter.len_utf8();
        if is_of_word(letter) {
            let mut to = end;
            while let Some((at, letter)) = letters.next_if(|(_, letter)| is_of_word(*letter)) {
                to = at + letter.len_utf8();
            }
            word(&text[at..to], &mut current.tokens);
            current.places.resize(current.tokens.len(), (at, to));
            if current.to == 0 {
                current.from = at;
            }
            current.to = to;
            continue;
        }
        let next = letters.peek().map(|(_, next)| *next);
        let apart = next.is_none_or(char::is_whitespace);
        let ends = match letter {
            '.' => apart || next.is_some_and(|next| matches!(next, '.' | ')' | '"')),
            '!' | '?' | ';' | '…' => true,
            '\n' => !goes_on(&written[end..]),
            _ => false,
        };
        match letter {
            _ if ends => {
                current.asks = letter == '?';
                if letter != '\n' && current.to > 0 {
                    current.to = end;
                }
                finish(&mut current, &mut out);
            }
            ',' | '(' | ')' | '[' | ']' | '—' | '–' => current.tokens.push(Token::Comma),
            '-' if apart => current.tokens.push(Token::Comma),
            ':' if apart => current.tokens.push(Token::Colon),
            '/' => current.tokens.push(Token::Word("or")),
            '&' => current.tokens.push(Token::Word("and")),
            _ => {}
        }
        current.places.resize(current.tokens.len(), (at, end));
    }
    finish(&mut current, &mut out);
    out
}

/// Whether the next line only continues the sentence: a line that was wrapped.
fn goes_on(rest: &str) -> bool {
    rest.trim_start_matches([' ', '\t']).chars().next().is_some_and(char::is_lowercase)
}

fn finish<'a>(current: &mut Sentence<'a>, out: &mut Vec<Sentence<'a>>) {
    let done = std::mem::take(current);
    if done.tokens.iter().any(|token| matches!(token, Token::Word(_))) {
        out.push(done);
    }
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '\'' | '’' | '_')
}

/// A word as one token or two: contractions are what they stand for.
fn word<'a>(word: &'a str, out: &mut Vec<Token<'a>>) {
    let Some(mark) = word.find(['\'', '’']) else {
        match WHOLE.iter().find(|(whole, _)| *whole == word) {
            Some((_, [one, two])) => out.extend([Token::Word(one), Token::Word(two)]),
            None => out.push(Token::Word(word)),
        }
        return;
    };
    let plain = word.replace('’', "'");
    if let Some((_, [one, two])) = WHOLE.iter().find(|(whole, _)| *whole == plain) {
        return out.extend([Token::Word(one), Token::Word(two)]);
    }
    if let Some((end, stands)) = ENDS.iter().find(|(end, _)| plain.ends_with(end)) {
        // Of `n't` the letter before the mark belongs to it.
        let stem = if end.starts_with('n') { mark.saturating_sub(1) } else { mark };
        return out.extend([Token::Word(&word[..stem]), Token::Word(stands)]);
    }
    let (first, rest) = word.split_at(mark);
    let rest = rest.trim_start_matches(['\'', '’']);
    let first = ELIDED.iter().find(|(short, _)| *short == first).map_or(first, |(_, whole)| whole);
    out.extend([first, rest].into_iter().filter(|part| !part.is_empty()).map(Token::Word));
}
