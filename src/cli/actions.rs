//! `actions`: a list, newest first.

use std::io::{self, Write};

use clap::builder::PossibleValuesParser;

use crate::api::{Filter, MOST, Page, Recent, page};
use crate::explain;
use crate::model::{Action, Severity, State};
use crate::store::Reader;

use super::client::{Answer, encoded, get};
use super::why::offline;
use super::{Failed, Where};

/// How many pages are asked for at most: a search that has found too little by then says where it stands.
const PAGES: usize = 50;

/// List actions, newest first
///
/// The order is that of their ends, as sent; so are the times of `--since` and `--until`. Asks the running server;
/// without one it reads the store and does not see open actions.
#[derive(Debug, clap::Args)]
pub struct Actions {
    /// Only of this agent
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Only of this tool
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Only in this state
    #[arg(long, value_name = "STATE", value_parser = PossibleValuesParser::new(State::WORDS))]
    state: Option<String>,
    /// Only with this verdict, as SLI=VALUE: `intent_alignment=bad`
    #[arg(long, value_name = "SLI=VALUE")]
    verdict: Option<String>,
    /// Only with an open finding
    #[arg(long)]
    finding: bool,
    /// Only with an open finding of this rule
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// Only with an open finding at least this loud
    #[arg(long, value_name = "SEVERITY", value_parser = PossibleValuesParser::new(Severity::ALL.iter().map(|it| it.as_str())))]
    severity: Option<String>,
    /// Ended at or after, as RFC 3339 or Unix seconds
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Ended before
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Of this tenant
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// How many
    #[arg(long, short = 'n', default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Where to go on, as the end of a list says
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// One action a line as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

/// Pages in one.
#[derive(Debug)]
struct List {
    actions: Vec<Action>,
    /// What is not in it, in a sentence for a person.
    left_out: Option<String>,
}

impl Actions {
    pub(super) fn run(self) -> Result<(), Failed> {
        let list = self.list()?;
        let mut out = io::BufWriter::new(io::stdout().lock());
        if self.json {
            for action in &list.actions {
                let line = serde_json::to_string(action).expect("a record is plain data");
                writeln!(out, "{line}")?;
            }
        } else if !list.actions.is_empty() || list.left_out.is_none() {
            write!(out, "{}", explain::actions(&list.actions))?;
        }
        out.flush()?;
        if let Some(left_out) = list.left_out {
            writeln!(io::stderr(), "wherefore: {left_out}")?;
        }
        Ok(())
    }

    /// Page after page, until there are as many as were asked for.
    fn list(&self) -> Result<List, Failed> {
        let limit = self.limit as usize;
        let mut store = None;
        let mut list = List { actions: Vec::new(), left_out: None };
        let mut cursor = self.cursor.clone();
        for _ in 0..PAGES {
            let query = self.query(MOST.min(limit - list.actions.len()), &cursor)?;
            let page = self.page(&query, &mut store)?;
            list.actions.extend(page.actions);
            list.left_out = left_out(page.next.as_deref(), page.complete, list.actions.len() >= limit);
            cursor = page.next;
            if cursor.is_none() || list.actions.len() >= limit {
                break;
            }
        }
        Ok(list)
    }

    /// From the server; from the store once none answers.
    fn page(&self, query: &[(String, String)], store: &mut Option<Reader>) -> Result<Page, Failed> {
        let reader = match store {
            Some(reader) => reader,
            None => match self.served(query)? {
                Some(page) => return Ok(page),
                None => store.insert(offline(&self.place)?),
            },
        };
        let filter = Filter::parse(query).map_err(|problem| Failed::usage(problem.detail()))?;
        page(reader, &filter, Recent::default()).map_err(|error| Failed::of(&error))
    }

    /// What the server says; `None` when there is none.
    fn served(&self, query: &[(String, String)]) -> Result<Option<Page>, Failed> {
        let text: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let path = format!("/api/v1/actions?{}", text.join("&"));
        match get(&self.place.server, self.place.token.as_deref(), &path)? {
            Answer::Body(body) => serde_json::from_slice(&body)
                .map(Some)
                .map_err(|error| Failed::from_error("cannot read the server's answer", &error)),
            Answer::NoServer => Ok(None),
        }
    }

    fn query(&self, limit: usize, cursor: &Option<String>) -> Result<Vec<(String, String)>, Failed> {
        let mut query = vec![("limit".to_owned(), limit.to_string())];
        let mut put = |name: &str, value: &Option<String>| {
            query.extend(value.clone().map(|value| (name.to_owned(), value)));
        };
        put("agent", &self.agent);
        put("tool", &self.tool);
        put("state", &self.state);
        put("since", &self.since);
        put("until", &self.until);
        put("tenant", &self.tenant);
        put("rule", &self.rule);
        put("severity", &self.severity);
        put("cursor", cursor);
        if let Some(verdict) = &self.verdict {
            let (sli, value) = verdict.split_once('=').ok_or_else(|| {
                Failed::usage(format!("`{verdict}` is not `SLI=VALUE`, such as `intent_alignment=bad`"))
            })?;
            put("sli", &Some(sli.to_owned()));
            put("verdict", &Some(value.to_owned()));
        }
        if self.finding {
            put("finding", &Some("open".to_owned()));
        }
        Ok(query)
    }
}

/// What the end of a list says: where the rest is, and whether it was looked for.
fn left_out(next: Option<&str>, complete: bool, enough: bool) -> Option<String> {
    match next {
        Some(next) if enough => Some(format!("there may be more: a larger `--limit`, or `--cursor {next}`")),
        Some(next) => Some(format!(
            "the search stopped before the end of the list; go on with `--cursor {next}`,\nor narrow it with `--since`"
        )),
        None if complete => None,
        None => Some("more actions are open than one question looks at; narrow the list".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_list_says_what_is_not_in_it() {
        assert_eq!(left_out(None, true, false), None);
        for (next, complete, enough, words) in [
            (Some("7-a"), true, true, "--cursor 7-a"),
            (Some("7-a"), false, false, "stopped before the end"),
            (None, false, false, "more actions are open"),
        ] {
            let said = left_out(next, complete, enough).expect("a sentence");
            assert!(said.contains(words), "{said}");
            assert!(said.lines().count() <= 2);
        }
    }
}
