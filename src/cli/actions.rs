//! `actions`: a list, newest first.

use std::io::{self, Write};

use crate::api::{Filter, Page, Recent, page};
use crate::explain;

use super::client::{Answer, encoded, get};
use super::why::offline;
use super::{Failed, Where};

/// List actions, newest first
///
/// Asks the running server; without one it reads the store and does not see open actions.
#[derive(Debug, clap::Args)]
pub struct Actions {
    /// Only of this agent
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Only of this tool
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Only in this state: proposed, asked, executed, failed, unknown_result, refused, aborted, expired
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Only with this verdict, as SLI=VALUE: `intent_alignment=bad`
    #[arg(long, value_name = "SLI=VALUE")]
    verdict: Option<String>,
    /// Only with a finding
    #[arg(long)]
    finding: bool,
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
    #[arg(long, short = 'n', default_value_t = 50, value_name = "N")]
    limit: usize,
    /// One action a line as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Actions {
    pub(super) fn run(self) -> Result<(), Failed> {
        let page = self.page()?;
        let mut out = io::BufWriter::new(io::stdout().lock());
        if self.json {
            for action in &page.actions {
                let line = serde_json::to_string(action).expect("a record is plain data");
                writeln!(out, "{line}")?;
            }
        } else {
            write!(out, "{}", explain::actions(&page.actions))?;
            if page.next.is_some() {
                writeln!(out, "there are more; ask for them with `--limit`, or narrow the list")?;
            }
        }
        out.flush()?;
        Ok(())
    }

    fn page(&self) -> Result<Page, Failed> {
        let query = self.query()?;
        let text: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let path = format!("/api/v1/actions?{}", text.join("&"));
        match get(&self.place.server, self.place.token.as_deref(), &path)? {
            Answer::Body(body) => serde_json::from_slice(&body)
                .map_err(|error| Failed::from_error("cannot read the server's answer", &error)),
            Answer::NoServer => {
                let filter = Filter::parse(&query).map_err(|problem| Failed::usage(problem.detail()))?;
                let store = offline(&self.place)?;
                page(&store, &filter, Recent::default())
                    .map_err(|error| Failed::from_error("cannot read the store", &error))
            }
        }
    }

    fn query(&self) -> Result<Vec<(String, String)>, Failed> {
        let mut query = vec![("limit".to_owned(), self.limit.to_string())];
        let mut put = |name: &str, value: &Option<String>| {
            query.extend(value.clone().map(|value| (name.to_owned(), value)));
        };
        put("agent", &self.agent);
        put("tool", &self.tool);
        put("state", &self.state);
        put("since", &self.since);
        put("until", &self.until);
        put("tenant", &self.tenant);
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
