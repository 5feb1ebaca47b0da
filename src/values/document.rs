//! YAML files that people write: parsed strictly, every mistake with its place.
//!
//! The parser gives a tree of [`Node`]s that know their line and column. A reader walks the tree once, takes typed
//! values through [`Page`], and notes what is wrong; it goes on after a mistake, so that one run shows them all. Only
//! text that is no YAML stops at its first mistake, because nothing after it has a meaning.
//!
//! ```text
//! Page::read(file, text) -> (Page, Option<Node>)          one document
//! Page::read_all(file, text) -> (Page, Vec<Node>)         documents with `---` between them
//!   page.table(node, keys)      unknown keys are mistakes
//!     page.must / page.maybe    one key, with a reader such as `Page::text` or `Page::length`
//! page.into_mistakes()          empty: what was typed can be trusted
//! page.warn, page.take_warnings what is not wrong, and probably not meant
//! ```

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{MergeKeyPolicy, MessageFormatter, Spanned, UserMessageFormatter};

use crate::model::{Nanos, Span};

/// A place in a text. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

/// One thing that is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// The file's name, as it was given.
    pub file: Arc<str>,
    /// Where; `None` when it is about the file as a whole.
    pub place: Option<Place>,
    /// What is wrong: lower-case, without a final period, the user's words in backticks.
    pub message: String,
    /// The line it is in, for showing.
    line: Option<String>,
}

impl Mistake {
    /// A mistake about a file as a whole.
    pub fn of_file(file: &str, message: impl fmt::Display) -> Self {
        Self { file: file.into(), place: None, message: message.to_string(), line: None }
    }
}

impl fmt::Display for Mistake {
    /// `file:line:column: message`, then the line with a caret under the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(place) = self.place else {
            return write!(f, "{}: {}", self.file, self.message);
        };
        write!(f, "{}:{}:{}: {}", self.file, place.line, place.column, self.message)?;
        let Some(line) = &self.line else {
            return Ok(());
        };
        let caret = place.column as usize;
        write!(f, "\n{:5} | {line}\n      | {:>caret$}", place.line, "^")
    }
}

/// A value of a YAML document and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub at: Place,
    /// What it is.
    pub kind: Kind,
}

/// What a YAML value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Nothing after the colon, or `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// A number with a fraction.
    Real(f64),
    /// Text.
    Text(Arc<str>),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order written; the parser has refused keys that stand twice.
    Table(Vec<(Key, Node)>),
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Flag(_) => "a flag",
            Self::Whole(_) | Self::Real(_) => "a number",
            Self::Text(_) => "text",
            Self::List(items) if items.is_empty() => "an empty list",
            Self::List(_) => "a list",
            Self::Table(_) => "a mapping",
        }
    }
}

/// A key of a mapping and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Where it begins.
    pub at: Place,
    /// The key.
    pub name: Arc<str>,
}

/// A mapping whose keys were checked.
#[derive(Debug, Clone, Copy)]
pub struct Table<'n> {
    /// Where it begins.
    pub at: Place,
    entries: &'n [(Key, Node)],
}

impl<'n> Table<'n> {
    /// Whether a key stands in it.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The value of a key.
    pub fn get(&self, name: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(key, _)| &*key.name == name).map(|(_, node)| node)
    }
}

/// One file while it is read: its text and the mistakes so far.
#[derive(Debug)]
pub struct Page {
    file: Arc<str>,
    text: Arc<str>,
    mistakes: Vec<Mistake>,
    warnings: Vec<Mistake>,
}

impl Page {
    /// Parses one YAML document. Without a node, the mistakes say why.
    pub fn read(file: &str, text: &str) -> (Self, Option<Node>) {
        let mut page = Self::new(file, text);
        match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options()) {
            Ok(raw) => {
                let node = Node::from(raw);
                if node.kind == Kind::Null {
                    page.mistakes.push(Mistake::of_file(file, EMPTY));
                    return (page, None);
                }
                (page, Some(node))
            }
            Err(error) => {
                page.refuse(&error);
                (page, None)
            }
        }
    }

    /// Parses every YAML document of a file, without empty ones. Without any, the mistakes say why.
    pub fn read_all(file: &str, text: &str) -> (Self, Vec<Node>) {
        let mut page = Self::new(file, text);
        match serde_saphyr::from_multiple_with_options::<Spanned<Raw>>(text, options()) {
            Ok(documents) if documents.is_empty() => {
                page.mistakes.push(Mistake::of_file(file, EMPTY));
                (page, Vec::new())
            }
            Ok(documents) => (page, documents.into_iter().map(Node::from).collect()),
            Err(error) => {
                page.refuse(&error);
                (page, Vec::new())
            }
        }
    }

    fn new(file: &str, text: &str) -> Self {
        Self { file: file.into(), text: text.into(), mistakes: Vec::new(), warnings: Vec::new() }
    }

    /// The file's name, as it was given.
    pub fn file(&self) -> &Arc<str> {
        &self.file
    }

    fn refuse(&mut self, error: &serde_saphyr::Error) {
        let message = UserMessageFormatter.format_message(error.without_snippet()).into_owned();
        match error.location().map(place) {
            Some(at) if at.line > 0 => self.wrong(at, message),
            _ => self.mistakes.push(Mistake::of_file(&self.file, message)),
        }
    }

    /// Notes a mistake.
    pub fn wrong(&mut self, at: Place, message: impl fmt::Display) {
        let mistake = self.at(at, &message);
        self.mistakes.push(mistake);
    }

    /// Notes what may stand, but is probably not meant.
    pub fn warn(&mut self, at: Place, message: impl fmt::Display) {
        let warning = self.at(at, &message);
        self.warnings.push(warning);
    }

    fn at(&self, at: Place, message: &dyn fmt::Display) -> Mistake {
        let line = self.text.lines().nth(at.line.saturating_sub(1) as usize).map(shown);
        Mistake {
            file: Arc::clone(&self.file),
            place: Some(at),
            message: printable(&message.to_string(), MESSAGE),
            line,
        }
    }

    /// What was noted and is no mistake, in the order of the text.
    pub fn take_warnings(&mut self) -> Vec<Mistake> {
        self.warnings.sort_by_key(|warning| warning.place);
        std::mem::take(&mut self.warnings)
    }

    /// The mistakes, in the order of the text.
    pub fn into_mistakes(mut self) -> Vec<Mistake> {
        self.mistakes.sort_by_key(|mistake| mistake.place);
        self.mistakes
    }

    /// A mapping with these keys and no others. `what` names it in messages, such as `an envelope`.
    pub fn table<'n>(&mut self, node: &'n Node, what: &str, keys: &[&str]) -> Option<Table<'n>> {
        let Kind::Table(entries) = &node.kind else {
            return self.expected(node, &format!("{what}, a mapping"));
        };
        for (key, _) in entries.iter().filter(|(key, _)| !keys.contains(&&*key.name)) {
            self.wrong(key.at, format!("unknown key `{}` of {what}{}", key.name, suggestion(&key.name, keys)));
        }
        Some(Table { at: node.at, entries })
    }

    /// A mapping with keys of the writer's choice.
    pub fn entries<'n>(&mut self, node: &'n Node) -> Option<&'n [(Key, Node)]> {
        match &node.kind {
            Kind::Table(entries) => Some(entries),
            _ => self.expected(node, "a mapping"),
        }
    }

    /// The value of a key that may be left out.
    pub fn maybe<T>(
        &mut self,
        table: Table<'_>,
        key: &str,
        read: impl FnOnce(&mut Self, &Node) -> Option<T>,
    ) -> Option<T> {
        read(self, table.get(key)?)
    }

    /// The value of a key that must be there.
    pub fn must<T>(
        &mut self,
        table: Table<'_>,
        key: &str,
        read: impl FnOnce(&mut Self, &Node) -> Option<T>,
    ) -> Option<T> {
        let Some(node) = table.get(key) else {
            self.wrong(table.at, format!("`{key}` is missing"));
            return None;
        };
        read(self, node)
    }

    /// Text.
    pub fn text(&mut self, node: &Node) -> Option<Arc<str>> {
        match &node.kind {
            Kind::Text(text) if text.is_empty() => self.expected(node, "text that is not empty"),
            Kind::Text(text) => Some(Arc::clone(text)),
            Kind::Whole(_) | Kind::Real(_) | Kind::Flag(_) => self.expected(node, "text in quotes"),
            _ => self.expected(node, "text"),
        }
    }

    /// `true` or `false`.
    pub fn flag(&mut self, node: &Node) -> Option<bool> {
        match node.kind {
            Kind::Flag(flag) => Some(flag),
            _ => self.expected(node, "`true` or `false`"),
        }
    }

    /// A whole number, not negative.
    pub fn whole(&mut self, node: &Node) -> Option<u64> {
        match node.kind {
            Kind::Whole(number) if number >= 0 => Some(number.unsigned_abs()),
            _ => self.expected(node, "a whole number"),
        }
    }

    /// A whole number of at least 1.
    pub fn count(&mut self, node: &Node) -> Option<u64> {
        match node.kind {
            Kind::Whole(number) if number >= 1 => Some(number.unsigned_abs()),
            _ => self.expected(node, "a whole number of at least 1"),
        }
    }

    /// A finite number, with or without a fraction.
    pub fn number(&mut self, node: &Node) -> Option<f64> {
        match node.kind {
            Kind::Whole(number) => Some(number as f64),
            Kind::Real(number) if number.is_finite() => Some(number),
            _ => self.expected(node, "a number"),
        }
    }

    /// Any value, as JSON. YAML's numbers that JSON has no word for are mistakes.
    pub fn json(&mut self, node: &Node) -> Option<serde_json::Value> {
        use serde_json::Value;
        Some(match &node.kind {
            Kind::Null => Value::Null,
            Kind::Flag(flag) => Value::Bool(*flag),
            Kind::Whole(number) => Value::from(*number),
            Kind::Real(number) if !number.is_finite() => return self.expected(node, "a number that JSON has"),
            Kind::Real(number) => Value::from(*number),
            Kind::Text(text) => Value::from(&**text),
            Kind::List(items) => {
                let items: Vec<_> = items.iter().map(|item| self.json(item)).collect();
                Value::Array(items.into_iter().collect::<Option<_>>()?)
            }
            Kind::Table(entries) => {
                let read = |(key, value): &(Key, Node)| Some((key.name.to_string(), self.json(value)?));
                let fields: Vec<_> = entries.iter().map(read).collect();
                Value::Object(fields.into_iter().collect::<Option<_>>()?)
            }
        })
    }

    /// The place of a character inside a text value, counted from 1 as lines and columns of the text. Where the value
    /// is written in a way that moves characters (folded, with escapes), the value's own place.
    pub fn inside(&self, node: &Node, line: u32, column: u32) -> Place {
        let Kind::Text(text) = &node.kind else { return node.at };
        let Some(wanted) = text.lines().nth(line.saturating_sub(1) as usize) else { return node.at };
        let written = |number: u32| self.text.lines().nth(number.saturating_sub(1) as usize);
        let first = node.at.column.saturating_sub(1) as usize;
        let at = |number: u32, skip: usize| {
            let behind: String = written(number)?.chars().skip(skip).collect();
            let indent = behind.chars().take_while(|c| matches!(c, '"' | '\'' | ' ')).count();
            let begins = behind.chars().skip(indent).collect::<String>().starts_with(wanted.trim_start());
            let lead = wanted.chars().take_while(|c| *c == ' ').count();
            let start = (skip + indent) as u32;
            begins.then(|| Place { line: number, column: (start + column).saturating_sub(lead as u32) })
        };
        let below = line.saturating_sub(1);
        at(node.at.line.saturating_add(below), if below == 0 { first } else { 0 }).unwrap_or(node.at)
    }

    /// A list, or one value for a list of one.
    pub fn list<T>(&mut self, node: &Node, mut read: impl FnMut(&mut Self, &Node) -> Option<T>) -> Option<Vec<T>> {
        match &node.kind {
            Kind::List(items) if items.is_empty() => self.expected(node, "a list that is not empty"),
            Kind::List(items) => {
                // Every item is read, so that every mistake is seen; one mistake spoils the list.
                let read: Vec<_> = items.iter().map(|item| read(self, item)).collect();
                read.into_iter().collect()
            }
            _ => read(self, node).map(|item| vec![item]),
        }
    }

    /// A list whose items are read one by one; what is wrong in one spoils only that one.
    pub fn items<'n>(&mut self, node: &'n Node) -> Option<&'n [Node]> {
        match &node.kind {
            Kind::List(items) if items.is_empty() => self.expected(node, "a list that is not empty"),
            Kind::List(items) => Some(items),
            _ => self.expected(node, "a list"),
        }
    }

    /// One of a few words.
    pub fn word<T>(&mut self, node: &Node, words: &[&str], from_word: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(node)?;
        let value = from_word(&text);
        if value.is_none() {
            let hint = suggestion(&text, words);
            self.wrong(node.at, format!("`{text}` is none of {}{hint}", words.join(", ")));
        }
        value
    }

    /// A length of time with its unit: `30s`, `10m`, `24h`, `7d`. Zero is none.
    pub fn length(&mut self, node: &Node) -> Option<Span> {
        let length = match &node.kind {
            Kind::Text(text) => with_unit(text, LENGTHS),
            _ => None,
        };
        length.map(Span).or_else(|| self.expected(node, "a length of time with its unit, such as `30s`, `10m`, `24h`"))
    }

    /// A number of bytes with its unit: `512KiB`, `4MiB`, `10GiB`. Zero is none.
    pub fn size(&mut self, node: &Node) -> Option<u64> {
        let size = match &node.kind {
            Kind::Text(text) => with_unit(text, SIZES),
            _ => None,
        };
        size.or_else(|| self.expected(node, "a size with its unit, such as `512KiB`, `4MiB`, `10GiB`"))
    }

    /// A point in time, RFC 3339 with an offset.
    pub fn point(&mut self, node: &Node) -> Option<Nanos> {
        let point = match &node.kind {
            Kind::Text(text) => text.parse::<jiff::Timestamp>().ok(),
            _ => None,
        };
        let nanos = point.and_then(|point| u64::try_from(point.as_nanosecond()).ok());
        nanos.map(Nanos).or_else(|| self.expected(node, "a time with its offset, such as `2026-11-01T00:00:00Z`"))
    }

    /// Notes that something else stands here, and gives nothing.
    pub fn expected<T>(&mut self, node: &Node, what: &str) -> Option<T> {
        let found = match &node.kind {
            Kind::Text(text) => format!("`{text}`"),
            Kind::Whole(number) => format!("`{number}`"),
            Kind::Real(number) => format!("`{number}`"),
            Kind::Flag(flag) => format!("`{flag}`"),
            other => other.name().to_owned(),
        };
        self.wrong(node.at, format!("expected {what}, found {found}"));
        None
    }
}

const EMPTY: &str = "the file is empty";

/// YAML 1.2 as people expect it: `no` is text, and nothing is merged behind their back.
fn options() -> serde_saphyr::Options {
    let mut options = serde_saphyr::Options::default();
    options.strict_booleans = true;
    options.merge_keys = MergeKeyPolicy::Error;
    options.with_snippet = false;
    options
}

const LENGTHS: &[(&str, u64)] = &[
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
    ("d", 86_400 * 1_000_000_000),
];

const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// A whole positive number and a unit, with or without a space between them.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor).filter(|value| *value > 0)
}

/// `; did you mean ...` when a word is near enough to be a slip: a third of its letters, at least one.
pub fn suggestion(typed: &str, words: &[&str]) -> String {
    let near = |word: &&&str| distance(typed, word) <= (word.chars().count() / 3).max(1);
    match words.iter().filter(near).min_by_key(|word| distance(typed, word)) {
        Some(word) => format!("; did you mean `{word}`?"),
        None => String::new(),
    }
}

/// Letters to insert, drop, replace, or swap with their neighbour (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let best = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                if swapped { best.min(rows[i - 2][j - 2] + 1) } else { best }
            };
        }
    }
    rows[a.len()][b.len()]
}

/// Most of a message, in characters: a list of words and a suggestion behind it fit.
const MESSAGE: usize = 400;

/// A line as it may be printed: control characters become spaces, so that the caret stays under its place.
fn shown(line: &str) -> String {
    printable(line, 160)
}

fn printable(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn place(location: serde_saphyr::Location) -> Place {
    let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Place { line: narrow(location.line()), column: narrow(location.column()) }
}

impl From<Spanned<Raw>> for Node {
    fn from(raw: Spanned<Raw>) -> Self {
        let at = place(raw.referenced);
        let kind = match raw.value {
            Raw::Leaf(kind) => kind,
            Raw::List(items) => Kind::List(items.into_iter().map(Self::from).collect()),
            Raw::Table(entries) => Kind::Table(entries.into_iter().map(entry).collect()),
        };
        Self { at, kind }
    }
}

fn entry((key, value): (Spanned<String>, Spanned<Raw>)) -> (Key, Node) {
    (Key { at: place(key.referenced), name: key.value.into() }, value.into())
}

/// What the parser hands over, before places are taken from it.
enum Raw {
    Leaf(Kind),
    List(Vec<Spanned<Raw>>),
    Table(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Leaf(Kind::Null))
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Leaf(Kind::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Raw, E> {
        Ok(Raw::Leaf(Kind::Flag(flag)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Leaf(Kind::Whole(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Leaf(i64::try_from(number).map_or(Kind::Real(number as f64), Kind::Whole)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Raw, E> {
        Ok(Raw::Leaf(Kind::Real(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Leaf(Kind::Text(text.into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Table(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str, read: impl Fn(&mut Page, Table<'_>)) -> Vec<String> {
        let (mut page, node) = Page::read("f.yaml", text);
        if let Some(table) = node.as_ref().and_then(|node| page.table(node, "a file", &["when", "size", "names", "at"]))
        {
            read(&mut page, table);
        }
        page.into_mistakes().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn places_are_those_of_the_text() {
        let (mut page, node) = Page::read("f.yaml", "a: 1\nb:\n  - true\n  - {c: 2.5, d: }\n");
        let node = node.expect("is YAML");
        let entries = page.entries(&node).expect("is a mapping");
        assert_eq!((entries[1].0.at, &*entries[1].0.name), (Place { line: 2, column: 1 }, "b"));
        let Kind::List(items) = &entries[1].1.kind else { panic!("b is a list") };
        assert_eq!((items[0].at, &items[0].kind), (Place { line: 3, column: 5 }, &Kind::Flag(true)));
        let Kind::Table(inner) = &items[1].kind else { panic!("a mapping") };
        assert_eq!((inner[0].1.at, &inner[0].1.kind), (Place { line: 4, column: 9 }, &Kind::Real(2.5)));
        assert_eq!(inner[1].1.kind, Kind::Null);
    }

    #[test]
    fn every_mistake_is_shown_with_its_line() {
        let all = mistakes("whne: 30s\nsize: 4 parsecs\nnames: [a, 7]\n", |page, table| {
            page.must(table, "when", Page::length);
            page.maybe(table, "size", Page::size);
            page.maybe(table, "names", |page: &mut Page, node: &Node| page.list(node, Page::text));
        });
        assert_eq!(
            all,
            [
                "f.yaml:1:1: unknown key `whne` of a file; did you mean `when`?\n    1 | whne: 30s\n      | ^",
                "f.yaml:1:1: `when` is missing\n    1 | whne: 30s\n      | ^",
                "f.yaml:2:7: expected a size with its unit, such as `512KiB`, `4MiB`, `10GiB`, found `4 parsecs`\n    \
                 2 | size: 4 parsecs\n      |       ^",
                "f.yaml:3:12: expected text in quotes, found `7`\n    3 | names: [a, 7]\n      |            ^",
            ]
        );
    }

    #[test]
    fn what_is_no_document_is_said_once() {
        for (text, want) in [
            ("", "f.yaml: the file is empty"),
            ("# only a comment\n", "f.yaml: the file is empty"),
            ("a: [1\n", "f.yaml:"),
            ("a: 1\na: 2\n", "f.yaml:2:1:"),
            ("a: 1\n---\nb: 2\n", "f.yaml:"),
            ("[when]", "f.yaml:1:1: expected a file, a mapping, found a list"),
        ] {
            let all = mistakes(text, |_, _| {});
            assert_eq!(all.len(), 1, "{text:?}: {all:?}");
            assert!(all[0].starts_with(want), "{text:?}: {all:?}");
        }
    }

    #[test]
    fn a_character_inside_a_text_has_its_own_place() {
        let text = "when: abc\nsize: \"  abc\"\nnames: |\n  one\n  abc\nat: >-\n  folded\n  abc\n";
        let (mut page, node) = Page::read("f.yaml", text);
        let node = node.expect("is YAML");
        let entries = page.entries(&node).expect("a mapping").to_vec();
        let place = |line, column| Place { line, column };
        for (key, (line, column), want) in [
            (0, (1, 2), place(1, 8)),
            (1, (1, 4), place(2, 11)),
            (2, (2, 3), place(5, 5)),
            (3, (1, 9), entries[3].1.at),
        ] {
            assert_eq!(page.inside(&entries[key].1, line, column), want, "{key}");
        }
    }

    #[test]
    fn any_value_is_json() {
        let (mut page, node) = Page::read("f.yaml", "{a: [1, 2.5, x, true, null], b: {c: -7}}");
        let json = page.json(&node.expect("is YAML"));
        assert_eq!(json, Some(serde_json::json!({"a": [1, 2.5, "x", true, null], "b": {"c": -7}})));
        let (mut page, _) = Page::read("f.yaml", "1");
        let infinite = Node { at: Place { line: 1, column: 1 }, kind: Kind::Real(f64::INFINITY) };
        assert_eq!((page.json(&infinite), page.into_mistakes().len()), (None, 1));
    }

    #[test]
    fn units_are_needed_and_known() {
        for (text, want) in [("30s", Some(30)), ("10m", Some(600)), ("7d", Some(604_800)), ("30", None), ("s", None)] {
            assert_eq!(with_unit(text, LENGTHS), want.map(|s: u64| s * 1_000_000_000), "{text}");
        }
        for (text, want) in [("4MiB", Some(4 << 20)), ("4 GiB", Some(4 << 30)), ("0B", None), ("99999999TiB", None)] {
            assert_eq!(with_unit(text, SIZES), want, "{text}");
        }
    }

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        for (typed, want) in [("tol", "; did you mean `tool`?"), ("taregt", "; did you mean `target`?"), ("colour", "")]
        {
            assert_eq!(suggestion(typed, &["tool", "target", "mode"]), want);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_no_shown_line_can_move_a_terminal(text in ".{0,200}") {
            for mistake in mistakes(&text, |page, table| {
                page.maybe(table, "when", Page::length);
                page.maybe(table, "at", Page::point);
            }) {
                proptest::prop_assert!(!mistake.replace('\n', " ").contains(char::is_control), "{mistake:?}");
            }
        }
    }
}
