//! `why`: the lineage of one action.

use std::io::{self, Write};

use serde::Deserialize;

use crate::api;
use crate::explain;
use crate::model::Lineage;
use crate::store::Reader;

use super::client::{Answer, encoded, get};
use super::{Failed, Where};

/// Explain one action: any id that telemetry shows will do
///
/// ID is an action id or its first eight digits, as `actions` prints them, a trace id, `TRACE/SPAN`, a span id, a call
/// id, or a key as `why` prints it. Asks the running server; without one it reads the store and does not see open
/// actions.
#[derive(Debug, clap::Args)]
pub struct Explain {
    /// Any alias of the action
    #[arg(value_name = "ID")]
    id: String,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

#[derive(Deserialize)]
struct Lineages {
    lineages: Vec<Lineage>,
}

impl Explain {
    pub(super) fn run(self) -> Result<(), Failed> {
        let lineages = self.lineages()?;
        if lineages.is_empty() {
            return Err(Failed::new(format!("no action is known under `{}`", self.id)));
        }
        let mut out = io::BufWriter::new(io::stdout().lock());
        for (index, lineage) in lineages.iter().enumerate() {
            match (self.json, index) {
                (true, _) => writeln!(out, "{}", explain::json(lineage))?,
                (false, 0) => write!(out, "{}", explain::why(lineage))?,
                (false, _) => write!(out, "\n{}", explain::why(lineage))?,
            }
        }
        out.flush()?;
        Ok(())
    }

    fn lineages(&self) -> Result<Vec<Lineage>, Failed> {
        let path = format!("/api/v1/actions/{}", encoded(&self.id));
        match get(&self.place.server, self.place.token.as_deref(), &path)? {
            Answer::Body(body) => {
                let lineages: Lineages = serde_json::from_slice(&body)
                    .map_err(|error| Failed::from_error("cannot read the server's answer", &error))?;
                Ok(lineages.lineages)
            }
            Answer::NoServer => self.stored(&offline(&self.place)?),
        }
    }

    /// By an alias; by the beginning of an id, where no alias is so called.
    fn stored(&self, store: &Reader) -> Result<Vec<Lineage>, Failed> {
        let known_as = |alias: &str| api::lineages(store, None, alias).map_err(|error| Failed::of(&error));
        let found = known_as(&self.id)?;
        let Some(range) = api::beginning(&self.id).filter(|_| found.is_empty()) else {
            return Ok(found);
        };
        let (ids, all) = store.ids_in(None, &range, api::NAMESAKES + 1).map_err(|error| Failed::of(&error))?;
        match api::the_one(&self.id, &ids, all).map_err(|problem| Failed::usage(problem.detail()))? {
            Some(id) => known_as(&id.to_string()),
            None => Ok(found),
        }
    }
}

/// The store of a server that does not run.
pub(super) fn offline(place: &Where) -> Result<Reader, Failed> {
    let (server, folder) = (&place.server, place.data.join("store"));
    if !folder.join("state.db").exists() {
        return Err(Failed::new(format!(
            "no server at `{server}`, and no data in `{}`\nstart `wherefore serve`, or say where they are: `--server`, \
             `--data`",
            place.data.display()
        )));
    }
    let store =
        Reader::open(&folder).map_err(|error| Failed::from_error(&format!("no server at `{server}`"), &error))?;
    writeln!(
        io::stderr(),
        "wherefore: no server at `{server}`; reading `{}`: open actions are not shown",
        folder.display()
    )?;
    Ok(store)
}
