//! The layers of the crate: what each room may import. The table is the architecture; the tests hold the sources to
//! it. If it stops you, move the type down to the room that both know; widening a row is the last resort.
//!
//! A room is a folder or a file right below `src/`. Everything a room needs of the crate it names as `crate::ROOM::…`,
//! so the imports can be read off the text. Only code that tests alone see is exempt.

use super::support::sources::{Source, names, words};

/// A room, and the rooms it may import.
struct Room {
    name: &'static str,
    may: &'static [&'static str],
}

const fn room(name: &'static str, may: &'static [&'static str]) -> Room {
    Room { name, may }
}

/// In reading order: each room imports only rooms above it.
#[rustfmt::skip]
const ROOMS: &[Room] = &[
    room("proto",     &[]), // generated types
    room("model",     &[]),
    room("values",    &["model"]),
    room("catalogue", &["model"]),
    room("wire",      &["model"]),
    room("envelope",  &["model", "values"]),
    room("redact",    &["model", "values", "wire"]),
    room("dialect",   &["model", "values", "wire"]),
    room("lineage",   &["model", "values"]), // a message array's parts become texts, which have digests
    room("judge",     &["model", "values", "envelope"]),
    room("sli",       &["model", "catalogue"]),
    room("slo",       &["model", "sli"]),
    room("contain",   &["model"]),
    room("engine",    &["model", "values", "catalogue", "envelope", "lineage", "judge", "sli", "slo", "contain"]),
    // Down to here: pure and total. Below: the shell.
    room("telemetry", &[]),
    room("net",       &["model"]),
    room("journal",   &["proto", "model", "values"]),
    room("store",     &["proto", "model", "engine"]),
    room("otlp",      &["proto", "model", "wire", "redact", "net", "telemetry"]),
    room("explain",   &["model"]),
    room("export",    &["model", "catalogue", "engine"]),
    room("rules",     &["model", "catalogue", "slo"]),
    room("notify",    &["model", "slo"]),
    room("api",       &["model", "engine", "net", "store", "explain"]),
    room("ui",        &["model", "explain", "api"]),
];

/// Everything above may be wired together here, and nowhere else. `main.rs` and `lib.rs` are no rooms.
const WIRING: &[&str] = &["config", "pipeline", "cli"];

/// The pure rooms: the first and the last of them.
const PURE: [&str; 2] = ["model", "engine"];

/// What only a test of a room imports: oracles and samples.
const IN_TESTS: &[(&str, &str)] = &[
    ("wire", "proto"),    // the view agrees with prost's reading
    ("model", "values"),  // sample texts carry their real digest
    ("judge", "contain"), // stories of containment are told to the real clock
];

/// What a pure room does not name. A clock, a socket, a disk or a thread would make a fold depend on more than its
/// input; so would a hash map with random order.
const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::time",
    "Instant",
    "SystemTime",
    "hash_map::RandomState",
    "rusqlite",
    "rustix",
    "tokio",
    "tonic",
    "tracing",
    "eprint!",
    "eprintln!",
    "print!",
    "println!",
];

/// What a total room does not do with its input. `expect` may stay: it says why it cannot happen.
const PARTIAL: &[&str] = &[".unwrap()", "panic!", "unreachable!", "process::exit"];

fn allowed(room: &str) -> Option<Vec<&'static str>> {
    if WIRING.contains(&room) {
        return Some(ROOMS.iter().map(|room| room.name).chain(WIRING.iter().copied()).collect());
    }
    ROOMS.iter().find(|row| row.name == room).map(|row| row.may.to_vec())
}

fn is_pure(room: &str) -> bool {
    let row = |name: &str| ROOMS.iter().position(|row| row.name == name);
    let [first, last] = PURE.map(row);
    let row = row(room);
    row.is_some() && first <= row && row <= last
}

/// The room of a source below `src/`; `None` for `lib.rs` and `main.rs`.
fn room_of(source: &Source) -> Option<&str> {
    let inside = source.path.strip_prefix("src/")?;
    let room = inside.split('/').next()?.trim_end_matches(".rs");
    (room != "lib" && room != "main").then_some(room)
}

/// The rooms that a line of code imports: the names right after `crate::`, also in braces.
fn imports(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let behind = &code[at + "crate::".len()..];
        match behind.strip_prefix('{') {
            None => found.extend(words(behind).next()),
            Some(group) => found.extend(top_level(group)),
        }
    }
    found
}

/// The first word of each item of an import group: `a::b, c::{d, e}, f}` has `a`, `c` and `f`.
fn top_level(group: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let mut items = Vec::new();
    let mut start = 0;
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                items.extend(words(&group[start..at]).next());
                start = at + 1;
                if character == '}' {
                    return items;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    items.extend(words(&group[start..]).next());
    items
}

/// What a source breaks, one line each.
fn broken(source: &Source) -> Vec<String> {
    let Some(room) = room_of(source) else { return Vec::new() };
    let Some(may) = allowed(room) else { return vec![format!("{}: `{room}` has no row in the table", source.path)] };
    let mut broken = Vec::new();
    for part in source.parts() {
        for name in imports(&part.code) {
            let excused = part.in_tests && IN_TESTS.contains(&(room, name));
            let is_room = allowed(name).is_some();
            if is_room && name != room && !may.contains(&name) && !excused {
                broken.push(format!("{}:{}: `{room}` may not import `{name}`", source.path, part.line));
            }
        }
        if escapes(source, &part.code) {
            broken.push(format!("{}:{}: say `crate::` to leave a room", source.path, part.line));
        }
        if is_pure(room) && !part.in_tests {
            let impure = IMPURE.iter().filter(|word| names(&part.code, word));
            broken.extend(impure.map(|word| format!("{}:{}: `{word}` in a pure room", source.path, part.line)));
            let partial = PARTIAL.iter().filter(|word| part.code.contains(**word));
            broken.extend(partial.map(|word| format!("{}:{}: `{word}` in a total room", source.path, part.line)));
        }
    }
    broken
}

/// Whether an import at the top of a file climbs out of its room by `super::`, past the names that this test reads.
fn escapes(source: &Source, code: &str) -> bool {
    let path = code.trim_start_matches("pub ").strip_prefix("use ").unwrap_or_default();
    let climbed = path.matches("super::").count();
    let inside = source.path.trim_end_matches("/mod.rs").matches('/').count();
    climbed >= inside && climbed > 0
}

#[test]
fn every_room_keeps_to_its_row() {
    let broken: Vec<String> = Source::below("src").iter().flat_map(broken).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// The table itself: no cycle can hide in it.
#[test]
fn rows_name_only_rows_above() {
    for (index, row) in ROOMS.iter().enumerate() {
        for name in row.may {
            let above = ROOMS[..index].iter().any(|row| row.name == *name);
            assert!(above, "`{}` names `{name}`, which is not above it", row.name);
        }
        let pure = is_pure(row.name);
        assert!(!pure || row.may.iter().all(|name| is_pure(name)), "`{}` is pure and imports the shell", row.name);
    }
}

/// The map that a newcomer reads names the same rooms, in the same order.
#[test]
fn the_map_of_the_crate_is_the_table() {
    let lib = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs")).expect("lib.rs is there");
    let rows = lib.lines().filter_map(|line| line.strip_prefix("//! | [`"));
    let map: Vec<&str> = rows.flat_map(|row| row.split(" | ").next().unwrap_or(row).split("[`")).collect();
    let map: Vec<&str> = map.iter().filter_map(|name| words(name).next()).collect();
    let built = |name: &&str| lib.contains(&format!("pub mod {name};"));
    let table: Vec<&str> = ROOMS.iter().map(|row| row.name).chain(WIRING.iter().copied()).filter(built).collect();
    assert_eq!(map, table);
}

/// What would be caught, and what would not.
#[test]
fn breaches_are_seen() {
    #[rustfmt::skip]
    let cases = [
        ("src/model/a.rs",    "use crate::values::digest;",                           1),
        ("src/model/a.rs",    "fn f() -> crate::engine::Output {",                    1),
        ("src/model/a.rs",    "use crate::model::Nanos;",                             0),
        ("src/lineage/a.rs",  "use crate::{model::{Nanos, Span}, wire::{Span}};",     1),
        ("src/lineage/a.rs",  "use crate::{\n    model::Nanos,\n    wire::Record,\n};", 1),
        ("src/lineage/a.rs",  "/// See [`crate::wire`].",                             0),
        ("src/wire/a.rs",     "use crate::proto::x;",                                 1),
        ("src/wire/a.rs",     "#[cfg(test)]\nmod tests {\n    use crate::proto::x;\n}", 0),
        ("src/wire/a.rs",     "#[cfg(test)]\nmod tests {\n    use crate::engine::x;\n}", 1),
        ("src/wire/tests.rs", "use crate::proto::x;",                                 0),
        ("src/wire/mod.rs",   "use super::engine::Engine;",                           1),
        ("src/wire/a.rs",     "use super::super::engine::Engine;",                    1),
        ("src/wire/a.rs",     "use super::tags;",                                     0),
        ("src/wire/a/b.rs",   "use super::super::tags;",                              0),
        ("src/engine/a.rs",   "let now = std::time::SystemTime::now();",              2),
        ("src/engine/a.rs",   "use std::fs;",                                         1),
        ("src/engine/a.rs",   "let instantly = Instantly;",                           0),
        ("src/engine/a.rs",   "x.unwrap()",                                           1),
        ("src/net/a.rs",      "use std::net::SocketAddr;",                            0),
        ("src/attic/a.rs",    "",                                                     1),
        ("src/main.rs",       "use wherefore::engine::Engine;",                       0),
    ];
    for (path, text, expected) in cases {
        let found = broken(&Source { path: path.into(), text: text.into() });
        assert_eq!(found.len(), expected, "{path}: {text}: {found:?}");
    }
}
