//! The query listener: `/metrics`, `/healthz`, `/readyz`, and questions about actions.
//!
//! | path | answer |
//! |---|---|
//! | `/metrics` | exposition; 503 until the fold has caught up, so that no scrape sees a counter go back |
//! | `/healthz` | 200 while the process works |
//! | `/readyz` | ingest and judging, named separately; 503 when either is not ready |
//! | `/api/v1/actions` | a page of actions, newest first by the time they ended; filters as query parameters |
//! | `/api/v1/actions/ID` | the lineages an alias, or the beginning of an id, resolves to; open ones too |
//! | `/api/v1/incidents` | incidents that are open or were lately |
//! | `/api/v1/instrumentations` | scopes that no dialect reads with their share, and what the others fill |
//! | `/lineage/ID` | the same lineages as text: where links in alerts lead |
//!
//! This module knows how to ask and how to answer; [`Answers`] is who knows.

mod filter;
mod problem;
mod stored;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Request, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use crate::engine::Instrumentations;
use crate::explain;
use crate::model::{Lineage, Tenant};
use crate::net::Tokens;

pub use filter::{Filter, MOST, Page};
pub use problem::Problem;
pub use stored::{
    LINEAGES, NAMESAKES, NEIGHBOURS, Recent, beginning, lineages, neighbour, page, page_of_open, the_one,
};

type Pending<T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send>>;
type Expose = Arc<dyn Fn(Option<&str>, Option<&Tenant>) -> Option<(&'static str, String)> + Send + Sync>;
type Ask<Q, T> = Arc<dyn Fn(Q) -> Pending<T> + Send + Sync>;

/// Who answers. The pipeline connects it to the engine and the store.
#[derive(Clone)]
pub struct Answers {
    /// The exposition for an `Accept` header and a tenant, with its content type; `None` until the fold has caught up.
    pub exposition: Expose,
    /// Whether ingest and judging work.
    pub readiness: Arc<dyn Fn() -> Readiness + Send + Sync>,
    /// The lineages of an alias.
    pub lineages: Ask<(Option<Tenant>, String), Vec<Lineage>>,
    /// A page of actions.
    pub actions: Ask<Filter, Page>,
    /// Incidents as JSON values.
    pub incidents: Ask<Option<Tenant>, Vec<serde_json::Value>>,
    /// What is known of the senders' instrumentations.
    pub instrumentations: Ask<Option<Tenant>, Instrumentations>,
}

/// What works.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Readiness {
    /// Requests are accepted and synced.
    pub ingest: bool,
    /// The fold keeps up.
    pub judging: bool,
    /// Frames not folded yet.
    pub lag_frames: u64,
    /// How long the oldest of them has waited.
    pub lag_seconds: f64,
    /// Why something is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Clone)]
struct App {
    answers: Answers,
    tokens: Arc<Tokens>,
}

/// The routes of the query listener.
pub fn router(answers: Answers, tokens: Tokens) -> Router {
    let app = App { answers, tokens: Arc::new(tokens) };
    let open = Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready));
    Router::new()
        .route("/", get(index))
        .route("/metrics", get(metrics))
        .route("/api/v1/actions", get(actions))
        .route("/api/v1/actions/{*alias}", get(action))
        .route("/api/v1/incidents", get(incidents))
        .route("/api/v1/instrumentations", get(instrumentations))
        .route("/lineage/{*alias}", get(lineage))
        .route_layer(middleware::from_fn_with_state(app.clone(), admit))
        .merge(open)
        .fallback(|| async { Problem::not_found("there is no such path; see `/`") })
        .method_not_allowed_fallback(|| async { Problem::wrong_method() })
        .with_state(app)
}

/// The tenant a token may see; `None`: no tokens are required, everything is seen.
#[derive(Clone)]
struct Seen(Option<Tenant>);

async fn admit(State(app): State<App>, mut request: Request<Body>, next: Next) -> Response {
    let seen = match app.tokens.admit(request.headers()) {
        Ok(principal) if app.tokens.are_required() => Seen(Some(principal.tenant)),
        Ok(_) => Seen(None),
        Err(_) => return Problem::unauthorized().into_response(),
    };
    request.extensions_mut().insert(seen);
    next.run(request).await
}

async fn index() -> &'static str {
    "wherefore\n\n\
     /metrics              exposition for Prometheus\n\
     /api/v1/actions       actions, newest first: ?tenant= agent= tool= state= sli= verdict= finding=open rule=\n\
     \x20                     severity= settled= since= until= limit= cursor=\n\
     /api/v1/actions/ID    the lineage of an action, by any alias or the first eight digits of its id\n\
     /api/v1/incidents     incidents\n\
     /api/v1/instrumentations\n\
     \x20                     scopes that no dialect reads, with their share; what the others fill of each field\n\
     /lineage/ID           the same as text\n\
     /healthz /readyz      probes\n"
}

async fn ready(State(app): State<App>) -> Response {
    let readiness = (app.answers.readiness)();
    let status = if readiness.ingest && readiness.judging { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(readiness)).into_response()
}

async fn metrics(State(app): State<App>, seen: axum::Extension<Seen>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    match (app.answers.exposition)(accept, seen.0.0.as_ref()) {
        Some((content_type, text)) => ([(header::CONTENT_TYPE, content_type)], text).into_response(),
        None => Problem::unavailable("counters are still being replayed from the journal").into_response(),
    }
}

async fn actions(State(app): State<App>, seen: axum::Extension<Seen>, uri: Uri) -> Result<Response, Problem> {
    let mut filter = Filter::parse(&parameters(&uri)?)?;
    if let Some(tenant) = &seen.0.0 {
        filter.which.tenant = Some(tenant.clone());
    }
    let page = (app.answers.actions)(filter).await?;
    Ok(axum::Json(page).into_response())
}

/// The parameters of a query, as forms write them. What is not UTF-8 names nothing, and nothing takes its place.
fn parameters(uri: &Uri) -> Result<Vec<(String, String)>, Problem> {
    let text = |encoded: &str| {
        let spaced = encoded.replace('+', " ");
        let text = percent_decode_str(&spaced).decode_utf8().map(|text| text.into_owned());
        text.map_err(|_| Problem::bad_request(&format!("`{encoded}` is not UTF-8")))
    };
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| Ok((text(name)?, text(value)?))).collect()
}

#[derive(Serialize)]
struct Lineages {
    lineages: Vec<Lineage>,
}

/// An alias as it stands in the path.
type Alias = Result<Path<String>, PathRejection>;

async fn found(app: &App, seen: &Seen, alias: Alias) -> Result<Vec<Lineage>, Problem> {
    let Path(alias) = alias.map_err(|_| Problem::bad_request("the path is not UTF-8"))?;
    let lineages = (app.answers.lineages)((seen.0.clone(), alias.clone())).await?;
    if lineages.is_empty() {
        return Err(Problem::not_found(&format!("no action is known under `{alias}`")));
    }
    Ok(lineages)
}

async fn action(State(app): State<App>, seen: axum::Extension<Seen>, alias: Alias) -> Result<Response, Problem> {
    let lineages = found(&app, &seen, alias).await?;
    Ok(axum::Json(Lineages { lineages }).into_response())
}

async fn lineage(State(app): State<App>, seen: axum::Extension<Seen>, alias: Alias) -> Result<Response, Problem> {
    let texts: Vec<String> = found(&app, &seen, alias).await?.iter().map(explain::why).collect();
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], texts.join("\n")).into_response())
}

#[derive(Serialize)]
struct Incidents {
    incidents: Vec<serde_json::Value>,
}

async fn incidents(State(app): State<App>, seen: axum::Extension<Seen>) -> Result<Response, Problem> {
    let incidents = (app.answers.incidents)(seen.0.0.clone()).await?;
    Ok(axum::Json(Incidents { incidents }).into_response())
}

async fn instrumentations(State(app): State<App>, seen: axum::Extension<Seen>) -> Result<Response, Problem> {
    let known = (app.answers.instrumentations)(seen.0.0.clone()).await?;
    Ok(axum::Json(known).into_response())
}
