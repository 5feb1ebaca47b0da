//! Errors of the API as `application/problem+json` (RFC 9457). What a client may read; the log has the cause.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    detail: String,
}

impl Problem {
    /// The question itself is wrong.
    pub fn bad_request(detail: &str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, detail: detail.to_owned() }
    }

    /// Nothing is known by that name.
    pub fn not_found(detail: &str) -> Self {
        Self { status: StatusCode::NOT_FOUND, detail: detail.to_owned() }
    }

    /// The path is there, and is only read.
    pub fn wrong_method() -> Self {
        Self { status: StatusCode::METHOD_NOT_ALLOWED, detail: "questions are asked with GET".to_owned() }
    }

    /// A token is missing or wrong.
    pub fn unauthorized() -> Self {
        Self { status: StatusCode::UNAUTHORIZED, detail: "a valid bearer token is required".to_owned() }
    }

    /// Try again.
    pub fn unavailable(detail: &str) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, detail: detail.to_owned() }
    }

    /// The answer could not be made; the log says why.
    pub fn internal() -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, detail: "the answer could not be made".to_owned() }
    }

    /// The sentence.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("error");
        let body = serde_json::json!({
            "type": "about:blank", "title": title, "status": self.status.as_u16(), "detail": self.detail,
        });
        let retry = (self.status == StatusCode::SERVICE_UNAVAILABLE).then_some([(header::RETRY_AFTER, "1")]);
        let allow = (self.status == StatusCode::METHOD_NOT_ALLOWED).then_some([(header::ALLOW, "GET, HEAD")]);
        let headers = [(header::CONTENT_TYPE, "application/problem+json")];
        (self.status, headers, retry, allow, body.to_string()).into_response()
    }
}
