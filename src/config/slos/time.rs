//! Durations of OpenSLO, and `timeWindow`.

use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::model::Span;
use crate::slo::{Calendar, Piece, Window};
use crate::values::document::{Kind as Yaml, Node, Page, Table, suggestion};

/// A whole number of one unit. Letters matter: `m` is a minute, `M` a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shorthand {
    count: u64,
    unit: char,
}

/// Units that are always equally long, in minutes.
const FIXED: [(char, u64); 4] = [('m', 1), ('h', 60), ('d', 24 * 60), ('w', 7 * 24 * 60)];

impl Shorthand {
    fn read(page: &mut Page, node: &Node) -> Option<Self> {
        const WHAT: &str = "a duration: a whole number and one of m, h, d, w, M, Q, Y (`m` is a minute, `M` a month)";
        let parsed = match &node.kind {
            Yaml::Text(text) => Self::parse(text),
            _ => None,
        };
        parsed.or_else(|| page.expected(node, WHAT))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut chars = text.chars();
        let unit = chars.next_back().filter(|unit| "mhdwMQY".contains(*unit))?;
        let digits = chars.as_str();
        let count = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
        (count > 0).then_some(Self { count, unit })
    }

    /// As a length, where the unit has one.
    fn span(self) -> Option<Span> {
        let (_, minutes) = FIXED.into_iter().find(|(unit, _)| *unit == self.unit)?;
        self.count.checked_mul(minutes)?.checked_mul(Span::minutes(1).0).map(Span)
    }
}

/// A duration that is always equally long.
pub(super) fn length(page: &mut Page, node: &Node) -> Option<Span> {
    let typed = Shorthand::read(page, node)?;
    let span = typed.span();
    if span.is_none() {
        page.wrong(node.at, "months, quarters and years are not always equally long: use m, h, d or w");
    }
    span
}

/// A slice: a duration, or a number of minutes.
pub(super) fn slice(page: &mut Page, node: &Node) -> Option<Span> {
    match node.kind {
        Yaml::Whole(_) => page.count(node)?.checked_mul(Span::minutes(1).0).map(Span),
        Yaml::Real(_) => page.expected(node, "a whole number of minutes, or a duration such as `5m`"),
        _ => length(page, node),
    }
}

/// `timeWindow`: a list of exactly one.
pub(super) fn window(page: &mut Page, node: &Node) -> Option<Window> {
    let items = page.items(node)?;
    let windows: Vec<Option<Window>> = items.iter().map(|item| one(page, item)).collect();
    if items.len() > 1 {
        page.wrong(node.at, format!("timeWindow has {} items, exactly 1 allowed", items.len()));
        return None;
    }
    windows.into_iter().next()?
}

fn one(page: &mut Page, node: &Node) -> Option<Window> {
    let table = page.table(node, "a time window", &["duration", "isRolling", "calendar"])?;
    let is_rolling = page.maybe(table, "isRolling", Page::flag);
    match (is_rolling.unwrap_or(false), table.get("calendar")) {
        (true, Some(calendar)) => {
            page.wrong(calendar.at, "a window with `isRolling: true` follows no `calendar`: exactly one of the two");
            None
        }
        (true, None) => page.must(table, "duration", rolling).map(Window::Rolling),
        (false, Some(node)) => calendar(page, table, node),
        (false, None) => {
            page.wrong(node.at, "a window is rolling, `isRolling: true`, or follows a `calendar`");
            None
        }
    }
}

fn rolling(page: &mut Page, node: &Node) -> Option<Span> {
    let typed = Shorthand::read(page, node)?;
    if !"hdw".contains(typed.unit) {
        page.wrong(node.at, "a rolling window is counted in h, d or w; M, Q and Y need a `calendar`");
        return None;
    }
    typed.span().or_else(|| page.expected(node, "a duration that this program can count"))
}

fn calendar(page: &mut Page, table: Table<'_>, node: &Node) -> Option<Window> {
    let piece = page.must(table, "duration", piece);
    let table = page.table(node, "`calendar`", &["startTime", "timeZone"])?;
    let start = page.must(table, "startTime", start);
    let zone = page.must(table, "timeZone", zone);
    Some(Window::Calendar(Calendar { piece: piece?, start: start?, zone: zone? }))
}

fn piece(page: &mut Page, node: &Node) -> Option<Piece> {
    let typed = Shorthand::read(page, node)?;
    let piece = Piece::ALL.into_iter().find(|(_, letter)| typed == Shorthand { count: 1, unit: *letter });
    if piece.is_none() {
        page.wrong(node.at, "a window of a calendar is one of 1d, 1w, 1M, 1Q, 1Y");
    }
    piece.map(|(piece, _)| piece)
}

fn start(page: &mut Page, node: &Node) -> Option<DateTime> {
    let parsed = match &node.kind {
        Yaml::Text(text) => DateTime::strptime("%Y-%m-%d %H:%M:%S", &**text).ok(),
        _ => None,
    };
    parsed.or_else(|| page.expected(node, "a local time, such as `2026-01-01 00:00:00`"))
}

/// A zone by the very name that the IANA database gives it. The names come with the program, so that one file means
/// the same on every machine.
fn zone(page: &mut Page, node: &Node) -> Option<TimeZone> {
    let name = page.text(node)?;
    let zones = TimeZoneDatabase::bundled();
    let zone = zones.get(&name).ok().filter(|zone| zone.iana_name() == Some(&*name));
    if zone.is_none() {
        let names: Vec<String> = zones.available().map(|name| name.as_str().to_owned()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let hint = suggestion(&name, &names);
        page.wrong(node.at, format!("`{name}` is no name of the IANA time zone database{hint}"));
    }
    zone
}
