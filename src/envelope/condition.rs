//! Conditions in CEL: `when`, `holds` and `where`.
//!
//! Compiled once, at load, where a name that nobody knows is a mistake. At run time a key that is not there, a type
//! that does not fit or a content that is hidden makes the answer unclear: never yes, and never broken.
//!
//! CEL ends by construction, and what it may cost is bounded: the expression's length, no macro inside a macro, and no
//! macro at all over contents with longer lists than [`MOST`].

mod names;
mod value;

use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::{Context, Env, Program, Value};
use serde::{Serialize, Serializer};

use super::answer::Answer;
use super::classes::{Classes, Kind};
use super::contents::has_mark;
use super::deed::Authority;
use super::selector::Facts;
use crate::values::document::{Node, Page};
use names::{Chain, Names};
use value::Boxed;

/// Longest expression, in bytes.
const LONGEST: usize = 1024;

/// The longest list or mapping in a content that a macro may go over.
const MOST: usize = 256;

/// The standard functions and macros, shared by all programs.
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// Which calls an expression may speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// The call alone.
    Call,
    /// The call, and a later one as `later`.
    Later,
}

/// A compiled condition.
#[derive(Clone)]
pub(super) struct Condition {
    source: Arc<str>,
    program: Arc<Program>,
    names: Arc<Names>,
}

impl Condition {
    /// Reads and compiles an expression.
    pub(super) fn read(page: &mut Page, node: &Node, moment: Moment) -> Option<Self> {
        let source = page.text(node)?;
        if source.len() > LONGEST {
            page.wrong(node.at, format!("the expression is longer than {LONGEST} bytes"));
            return None;
        }
        let program = match ENV.compile(&source) {
            Ok(program) => program,
            Err(errors) => {
                // What follows the first error is mostly its echo.
                let error = errors.errors.first();
                let (line, column) = error.map_or((1, 1), |error| error.pos);
                let narrow = |number: isize| u32::try_from(number).unwrap_or(1).max(1);
                let at = page.inside(node, narrow(line), narrow(column));
                let why = error.map_or("", |error| error.msg.as_str());
                page.wrong(at, format!("`{source}` is no CEL expression: {}{}", first_line(why), hint(why)));
                return None;
            }
        };
        let names = Names::of(&program, moment);
        for (offset, message) in &names.mistakes {
            let (line, column) = place(&source, *offset);
            page.wrong(page.inside(node, line, column), message);
        }
        names.mistakes.is_empty().then(|| Self { source, program: Arc::new(program), names: Arc::new(names) })
    }

    /// The expression as it was written.
    pub(super) fn source(&self) -> &Arc<str> {
        &self.source
    }

    /// Whether it speaks of a variable.
    pub(super) fn asks(&self, variable: &str) -> bool {
        self.names.variables.contains(&variable)
    }

    /// Whether it holds for a call, with a later one where the expression may speak of it.
    pub(super) fn answer(&self, facts: &Facts<'_>, classes: &Classes, later: Option<&Facts<'_>>) -> Answer {
        for chain in &self.names.chains {
            if let Some(hidden) = self.hides(chain, facts, later) {
                return Answer::Maybe(hidden);
            }
        }
        let mut context = Context::with_env(Arc::clone(&ENV));
        for name in &self.names.variables {
            let value = match *name {
                "later" => later.map(|later| whole(later, classes)),
                name => variable(name, facts, classes),
            };
            if let Some(value) = value {
                context.add_variable_as_val(*name, value);
            }
        }
        match self.program.execute(&context) {
            Ok(Value::Bool(holds)) => Answer::known(holds),
            _ => Answer::Maybe("when_unclear"),
        }
    }

    /// Why the content that a chain of keys leads to cannot be trusted to be what it seems.
    fn hides(&self, chain: &Chain, facts: &Facts<'_>, later: Option<&Facts<'_>>) -> Option<&'static str> {
        let steps: Vec<&str> = chain.iter().map(|step| &**step).collect();
        let (facts, steps) = match steps.as_slice() {
            ["later", steps @ ..] => (later?, steps),
            steps => (facts, steps),
        };
        let (content, path, redacted) = match steps {
            ["parameters", path @ ..] => (facts.contents.parameters().ok()?, path, "parameters_redacted"),
            ["output", path @ ..] => (facts.contents.output_json()?, path, "output_redacted"),
            _ => return None,
        };
        let at = path.iter().try_fold(content, |value, step| value.get(step)).unwrap_or(&serde_json::Value::Null);
        if has_mark(at) {
            return Some(redacted);
        }
        (self.names.has_macro && !value::is_small(at, MOST)).then_some("when_too_large")
    }
}

/// A variable of a call, when it is known for certain.
fn variable<'v>(name: &str, facts: &Facts<'v>, classes: &'v Classes) -> Option<Boxed<'v>> {
    let (action, doing) = (facts.action, facts.doing);
    let sure = |authority: &Authority| *authority > Authority::Inferred;
    match name {
        "tool" => action.tool.value().map(|tool| value::text(tool)),
        "agent" => Some(value::text(action.agent_label())),
        "service" => Some(value::text(&action.service.name)),
        "effect" => doing.effect.filter(|(_, by)| sure(by)).map(|(effect, _)| value::text(effect.as_str())),
        "egress" => doing.egress.filter(|(_, by)| sure(by)).map(|(egress, _)| value::flag(egress)),
        "target" => doing.target.as_ref().filter(|(_, by)| sure(by)).map(|(target, _)| value::text(target)),
        "environments" => named(Kind::Environment, facts, classes),
        "surfaces" => named(Kind::Surface, facts, classes),
        "data" => named(Kind::Data, facts, classes),
        "parameters" => facts.contents.parameters().ok().map(value::of),
        "output" => match facts.contents.output_json() {
            Some(json) => Some(value::of(json)),
            None => facts.contents.output().ok().map(|_| value::text(facts.contents.plain_output())),
        },
        "at" => Some(value::point(action.end)),
        _ => None,
    }
}

/// The names that fit; nothing when one of them is unclear.
fn named<'v>(kind: Kind, facts: &Facts<'v>, classes: &'v Classes) -> Option<Boxed<'v>> {
    let mut fitting = Vec::new();
    for name in classes.names(kind) {
        match classes.answer(kind, std::slice::from_ref(name), facts) {
            Answer::Yes => fitting.push(value::text(name)),
            Answer::No => {}
            Answer::Hardly(_) | Answer::Maybe(_) => return None,
        }
    }
    Some(value::list(fitting.into_iter()))
}

/// A later call as one value.
fn whole<'v>(later: &Facts<'v>, classes: &'v Classes) -> Boxed<'v> {
    let known = names::VARIABLES.iter().filter_map(|name| Some((*name, variable(name, later, classes)?)));
    value::mapping(known)
}

/// Line and column of a byte offset, both from 1.
fn place(source: &str, offset: usize) -> (u32, u32) {
    let before = &source[..source.floor_char_boundary(offset)];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line as u32, column as u32)
}

/// What is mostly meant where CEL's grammar stumbles.
fn hint(why: &str) -> &'static str {
    match why.contains("'=") {
        true => "; did you mean `==`?",
        false => "",
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end_matches('.')
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition({})", self.source)
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}
