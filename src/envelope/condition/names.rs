//! What an expression speaks of: its variables, its functions, and the keys it asks for.

use cel::Program;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue};

use super::Moment;
use crate::values::document::suggestion;

/// How deep an expression may be nested: what bounds the stack of every later walk over it. A sum of as many parts is
/// as deep.
const DEEPEST: usize = 64;

/// The variables of a call.
pub(super) const VARIABLES: &[&str] = &[
    "tool",
    "agent",
    "service",
    "effect",
    "egress",
    "target",
    "environments",
    "surfaces",
    "data",
    "parameters",
    "output",
    "at",
];

/// The functions of CEL's standard library that need no clock, and its types, which are functions and values.
const FUNCTIONS: &[&str] =
    &["size", "contains", "startsWith", "endsWith", "matches", "has", "all", "exists", "exists_one", "map", "filter"];
const TYPES: &[&str] = &["int", "uint", "double", "string", "bool", "bytes", "type", "dyn", "list", "map", "null_type"];

/// A variable and the keys that an expression asks of it: `parameters.a.b` is `["parameters", "a", "b"]`.
pub(super) type Chain = Vec<Box<str>>;

/// What an expression speaks of.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The variables, each once.
    pub(super) variables: Vec<&'static str>,
    /// The longest chains of keys.
    pub(super) chains: Vec<Chain>,
    /// Whether it goes over a list.
    pub(super) has_macro: bool,
    /// What is wrong: byte offset and message.
    pub(super) mistakes: Vec<(usize, String)>,
}

/// One walk over an expression.
struct Walk<'p> {
    program: &'p Program,
    moment: Moment,
    /// Names that macros bind, innermost last.
    bound: Vec<&'p str>,
    /// How many macros are around.
    macros: usize,
    /// How many expressions are around.
    depth: usize,
    names: Names,
}

impl Names {
    /// Everything that a program speaks of.
    pub(super) fn of(program: &Program, moment: Moment) -> Self {
        let mut walk = Walk { program, moment, bound: Vec::new(), macros: 0, depth: 0, names: Self::default() };
        let top = program.expression();
        if is_no_condition(&top.expr) {
            walk.wrong(
                top,
                "the expression is a constant, neither true nor false: take its inner quotes away".to_owned(),
            );
        }
        walk.expression(top);
        walk.names.mistakes.sort();
        walk.names.mistakes.dedup();
        walk.names
    }
}

/// What is surely no truth value.
fn is_no_condition(top: &Expr) -> bool {
    match top {
        Expr::Literal(LiteralValue::Boolean(_)) => false,
        Expr::Literal(_) | Expr::List(_) => true,
        _ => false,
    }
}

impl<'p> Walk<'p> {
    fn wrong(&mut self, expression: &IdedExpr, message: String) {
        let offset = self.program.source_info().offset_for(expression.id).map_or(0, |(start, _)| start as usize);
        self.names.mistakes.push((offset, message));
    }

    fn expression(&mut self, expression: &'p IdedExpr) {
        self.deeper(expression, Self::expression_at);
    }

    fn deeper(&mut self, expression: &'p IdedExpr, walk: fn(&mut Self, &'p IdedExpr)) {
        if self.depth == DEEPEST {
            return self.wrong(expression, format!("the expression is nested deeper than {DEEPEST} levels"));
        }
        self.depth += 1;
        walk(self, expression);
        self.depth -= 1;
    }

    fn expression_at(&mut self, expression: &'p IdedExpr) {
        if let Some(chain) = self.chain(expression) {
            self.names.chains.push(chain.into_iter().map(Into::into).collect());
        }
        match &expression.expr {
            Expr::Ident(name) => self.name(expression, name),
            Expr::Select(select) => self.deeper(&select.operand, Self::expression_inside),
            Expr::Call(call) => self.call(expression, call),
            Expr::Comprehension(comprehension) => self.comprehension(expression, comprehension),
            Expr::List(list) => list.elements.iter().for_each(|element| self.expression(element)),
            Expr::Map(_) | Expr::Struct(_) => {
                self.wrong(expression, "no mapping can be written here: compare key by key".to_owned());
            }
            Expr::Literal(_) | Expr::Unspecified => {}
        }
    }

    /// A part of a chain that was noted as a whole.
    fn expression_inside(&mut self, operand: &'p IdedExpr) {
        match &operand.expr {
            Expr::Select(select) => self.deeper(&select.operand, Self::expression_inside),
            Expr::Ident(name) => self.name(operand, name),
            _ => self.expression(operand),
        }
    }

    fn name(&mut self, expression: &IdedExpr, name: &str) {
        if self.bound.contains(&name) || TYPES.contains(&name) {
            return;
        }
        let later = (self.moment == Moment::Later).then_some("later");
        let mut known = VARIABLES.iter().copied().chain(later);
        match known.find(|variable| *variable == name) {
            Some(variable) if self.names.variables.contains(&variable) => {}
            Some(variable) => self.names.variables.push(variable),
            None if name == "later" => {
                self.wrong(expression, "`later` is known only where an invariant says what to `read`".to_owned());
            }
            None => {
                let known: Vec<&str> = VARIABLES.iter().copied().chain(later).collect();
                let hint = suggestion(name, &known);
                let list = known.join(", ");
                self.wrong(expression, format!("`{name}` is none of {list}{hint}"));
            }
        }
    }

    fn call(&mut self, expression: &'p IdedExpr, call: &'p CallExpr) {
        // CEL's own names of operators, such as `_&&_` and `@in`, are no words that could be typed.
        let is_operator = call.func_name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let known = FUNCTIONS.iter().chain(TYPES).any(|name| *name == call.func_name);
        if !is_operator && !known {
            let hint = suggestion(&call.func_name, FUNCTIONS);
            self.wrong(expression, format!("`{}` is no function of CEL's standard library{hint}", call.func_name));
        }
        if call.func_name == "matches" {
            self.pattern(expression, call);
        }
        call.target.iter().for_each(|target| self.expression(target));
        call.args.iter().for_each(|argument| self.expression(argument));
    }

    /// A pattern is written by who writes the rule, never by an agent, and it is right before anything runs.
    fn pattern(&mut self, expression: &IdedExpr, call: &CallExpr) {
        match call.args.last().map(|argument| &argument.expr) {
            Some(Expr::Literal(LiteralValue::String(pattern))) => {
                let built = regex::RegexBuilder::new(pattern.inner()).size_limit(super::super::pattern::SIZE).build();
                if built.is_err() {
                    let message = format!("`{}` is no regular expression", pattern.inner());
                    self.wrong(expression, message);
                }
            }
            _ => self.wrong(expression, "`matches` needs its pattern as text in quotes".to_owned()),
        }
    }

    fn comprehension(&mut self, expression: &'p IdedExpr, comprehension: &'p ComprehensionExpr) {
        self.names.has_macro = true;
        if self.macros > 0 {
            self.wrong(expression, "a macro inside a macro could cost too much".to_owned());
        }
        self.expression(&comprehension.iter_range);
        self.expression(&comprehension.accu_init);
        let bound = self.bound.len();
        self.bound.extend([&*comprehension.iter_var, &*comprehension.accu_var]);
        self.bound.extend(comprehension.iter_var2.as_deref());
        self.macros += 1;
        for part in [&comprehension.loop_cond, &comprehension.loop_step, &comprehension.result] {
            self.expression(part);
        }
        self.macros -= 1;
        self.bound.truncate(bound);
    }

    /// The variable that an expression begins with, and the keys behind it.
    fn chain(&self, expression: &'p IdedExpr) -> Option<Vec<&'p str>> {
        match &expression.expr {
            Expr::Ident(name) if !self.bound.contains(&&**name) => Some(vec![name]),
            Expr::Select(select) => {
                let mut chain = self.chain(&select.operand)?;
                chain.push(&select.field);
                Some(chain)
            }
            _ => None,
        }
    }
}
