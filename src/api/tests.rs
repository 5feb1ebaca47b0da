//! Questions as they come over HTTP, answered from a real store.

use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::*;
use crate::engine::{Changes, Output};
use crate::model::{Action, ActionId, Finding, FindingId, FindingState, Known, Nanos, Severity, sample};
use crate::store::{Published, Reader, Store};

/// A listener that answers from a store alone.
fn listener(reader: Reader) -> Router {
    let reader = Arc::new(reader);
    let of_lists = reader.clone();
    let answers = Answers {
        exposition: Arc::new(|_, _| None),
        readiness: Arc::new(|| Readiness {
            ingest: true,
            judging: true,
            lag_frames: 0,
            lag_seconds: 0.0,
            reason: None,
        }),
        lineages: Arc::new(move |(tenant, alias)| {
            let found = lineages(&reader, tenant.as_ref(), &alias).map_err(|_| Problem::internal());
            Box::pin(async move { found })
        }),
        actions: Arc::new(move |filter| {
            let page = page(&of_lists, &filter, Recent::default()).map_err(|_| Problem::internal());
            Box::pin(async move { page })
        }),
        incidents: Arc::new(|_| Box::pin(async { Ok(Vec::new()) })),
        instrumentations: Arc::new(|_| Box::pin(async { Ok(crate::engine::Instrumentations::default()) })),
    };
    super::router(answers, Tokens::not_required())
}

/// Status, content type and body.
async fn ask(listener: &Router, method: &str, path: &str) -> (u16, String, Value) {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a request");
    let response = listener.clone().oneshot(request).await.expect("an answer");
    let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or("none");
    let (status, content_type) = (response.status().as_u16(), content_type.to_owned());
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, content_type, serde_json::from_slice(&body).unwrap_or_default())
}

fn store(dir: &std::path::Path, actions: Vec<Action>) -> Store {
    let mut store = Store::open(dir).expect("the store opens").store;
    let output = Output { actions, ..Output::default() };
    store.commit(1, &Changes::default(), &[Published { position: 1, output }], &[]).expect("committed");
    store
}

fn found(n: u16, rule: &str, severity: Severity) -> Action {
    let id: [u8; 16] = [n.to_be_bytes(); 8].concat().try_into().expect("16 bytes");
    let finding = Finding {
        id: FindingId(id),
        rule: rule.into(),
        severity,
        class: crate::model::Class::Ambiguous,
        state: FindingState::Open,
        tags: Vec::new(),
        envelope: None,
        message: "it is wrong".into(),
        evidence: Vec::new(),
        at: Nanos(0),
    };
    let agent = Known::Value(("ops & co".into(), None));
    let end = Nanos(1_795_156_393_000_000_000 + u64::from(n));
    Action { id: ActionId(id), agent, end, findings: vec![finding], ..sample::action() }
}

/// What a page says leads to the call it is about, however many other findings came after it.
#[tokio::test]
async fn the_link_of_a_page_leads_to_its_call() {
    let dir = tempfile::tempdir().expect("a folder");
    let loud = found(1, "envelope.e.loud", Severity::Page);
    let others = (2..3_002).map(|n| found(n, "envelope.e.quiet", Severity::Ticket));
    let store = store(dir.path(), others.chain([loud.clone()]).collect());
    let listener = listener(store.reader().expect("a reader"));
    let tenant = loud.tenant.as_str();
    for link in [
        format!("/api/v1/actions?finding=open&rule=envelope.e.loud&tenant={tenant}&agent=ops+%26+co"),
        "/api/v1/actions?finding=open&severity=page&limit=1".to_owned(),
    ] {
        let (status, _, body) = ask(&listener, "GET", &link).await;
        let found: Page = serde_json::from_value(body).expect("a page");
        assert_eq!((status, &found.actions[..]), (200, std::slice::from_ref(&loud)), "{link}");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_answered_with_a_problem() {
    let dir = tempfile::tempdir().expect("a folder");
    let listener = listener(store(dir.path(), Vec::new()).reader().expect("a reader"));
    for (method, path, status) in [
        ("GET", "/api/v1/actions/%ff", 400),
        ("GET", "/lineage/%ff", 400),
        ("GET", "/api/v1/actions?agent=%ff", 400),
        ("GET", "/api/v1/actions?agnt=a", 400),
        ("GET", "/api/v1/actions?state=exceuted", 400),
        ("GET", "/api/v1/actions/nobody", 404),
        ("GET", "/nowhere", 404),
        ("POST", "/metrics", 405),
        ("DELETE", "/api/v1/actions/nobody", 405),
        ("POST", "/readyz", 405),
        ("GET", "/metrics", 503),
    ] {
        let (found, content_type, problem) = ask(&listener, method, path).await;
        assert_eq!((found, content_type.as_str()), (status, "application/problem+json"), "{method} {path}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{method} {path}: {problem}");
    }
    let (status, ..) = ask(&listener, "GET", "/api/v1/actions?agent=ops+%26+co&tool=%C3%BC&").await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn instrumentations_are_a_list_of_what_is_unread_and_one_of_what_is_filled() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let listener = listener(store(dir.path(), Vec::new()).reader().expect("a reader"));
    let (status, _, body) = ask(&listener, "GET", "/api/v1/instrumentations").await;
    assert_eq!((status, body), (200, serde_json::json!({ "unread": [], "profiles": [] })));
}
