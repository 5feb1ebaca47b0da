//! What an objective is about: an SLI that this program computes, or queries that only a Prometheus can answer.

use std::sync::Arc;

use crate::model::{Glob, Sli};

/// What is measured, and by whom.
#[derive(Debug, Clone, PartialEq)]
pub enum Indicator {
    /// Judged in process.
    Wherefore {
        /// What is judged.
        sli: Sli,
        /// Of which actions.
        filter: Filter,
    },
    /// Of a Prometheus. Rules are generated from it; nothing of it is known in process.
    Prometheus(Queries),
}

/// Which actions count. Of one list any pattern is enough, lists hold together, and an empty list asks for nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    /// Names of agents.
    pub agents: Vec<Glob>,
    /// Names of tools.
    pub tools: Vec<Glob>,
    /// Names that envelopes give the targets of calls.
    pub environments: Vec<Glob>,
}

impl Filter {
    /// Every action.
    pub const ALL: Self = Self { agents: Vec::new(), tools: Vec::new(), environments: Vec::new() };

    /// Whether every action passes, whatever is known about it.
    pub fn is_all(&self) -> bool {
        [&self.agents, &self.tools, &self.environments].into_iter().all(|globs| is_any(globs))
    }

    /// Whether an action counts. `None`: what decides is not known, and what is not known matches nothing for certain.
    pub fn takes(&self, agent: &str, tool: Option<&str>, environments: Option<&[Arc<str>]>) -> Option<bool> {
        let one = |globs: &[Glob], name: Option<&str>| match name {
            _ if is_any(globs) => Some(true),
            name => name.map(|name| globs.iter().any(|glob| glob.matches(name))),
        };
        let some = |globs: &[Glob], names: Option<&[Arc<str>]>| match names {
            _ if is_any(globs) => Some(true),
            names => names.map(|names| names.iter().any(|name| globs.iter().any(|glob| glob.matches(name)))),
        };
        let answers = [one(&self.agents, Some(agent)), one(&self.tools, tool), some(&self.environments, environments)];
        if answers.contains(&Some(false)) {
            return Some(false);
        }
        if answers.contains(&None) { None } else { Some(true) }
    }
}

fn is_any(globs: &[Glob]) -> bool {
    globs.is_empty() || globs.iter().any(Glob::is_any)
}

/// PromQL. [`Queries::WINDOW`] stands where the range of a window goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Queries {
    /// Bad and all.
    Bad {
        /// What was bad.
        bad: Arc<str>,
        /// Everything.
        total: Arc<str>,
    },
    /// Good and all.
    Good {
        /// What was good.
        good: Arc<str>,
        /// Everything.
        total: Arc<str>,
    },
    /// A ratio that somebody else has computed.
    Ratio {
        /// The query.
        query: Arc<str>,
        /// It is the share of bad, not of good.
        is_bad: bool,
    },
    /// A value that is good on one side of a limit.
    Threshold {
        /// The query.
        query: Arc<str>,
        /// Good is `value op limit`.
        op: Op,
        /// The limit.
        limit: f64,
    },
}

impl Queries {
    /// Where a window's range goes.
    pub const WINDOW: &'static str = "{{.window}}";
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `<=`
    Lte,
    /// `<`
    Lt,
    /// `>=`
    Gte,
    /// `>`
    Gt,
}

impl Op {
    /// The words of OpenSLO.
    pub const WORDS: &'static [&'static str] = &["lte", "lt", "gte", "gt"];

    /// Reads a word of OpenSLO.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "lte" => Self::Lte,
            "lt" => Self::Lt,
            "gte" => Self::Gte,
            "gt" => Self::Gt,
            _ => return None,
        })
    }

    /// As PromQL writes it.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Lte => "<=",
            Self::Lt => "<",
            Self::Gte => ">=",
            Self::Gt => ">",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(agents: &[&str], tools: &[&str], environments: &[&str]) -> Filter {
        let globs = |all: &[&str]| all.iter().map(|glob| Glob::new(glob).expect("a pattern")).collect();
        Filter { agents: globs(agents), tools: globs(tools), environments: globs(environments) }
    }

    #[test]
    fn what_is_not_known_neither_counts_nor_is_left_out() {
        let prod: &[Arc<str>] = &["prod".into(), "eu".into()];
        for (filter, agent, tool, environments, want) in [
            (Filter::ALL, "a", None, None, Some(true)),
            (filter(&["*"], &["x", "*"], &[]), "a", None, None, Some(true)),
            (filter(&["ops-*"], &[], &[]), "ops-1", None, None, Some(true)),
            (filter(&["ops-*"], &[], &[]), "dev-1", Some("rm"), Some(prod), Some(false)),
            (filter(&[], &["delete_*", "rm"], &[]), "a", Some("rm"), None, Some(true)),
            (filter(&[], &["rm"], &[]), "a", None, Some(prod), None),
            (filter(&["ops-*"], &["rm"], &[]), "dev-1", None, None, Some(false)),
            (filter(&[], &[], &["pro?"]), "a", None, Some(prod), Some(true)),
            (filter(&[], &[], &["pro?"]), "a", None, Some(&[]), Some(false)),
            (filter(&[], &["rm"], &["prod"]), "a", Some("rm"), None, None),
        ] {
            assert_eq!(filter.takes(agent, tool, environments), want, "{filter:?} {agent} {tool:?} {environments:?}");
        }
    }
}
