//! Replies in the form of the request: what was accepted, what was left out, or why nothing was taken.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use prost::Message;
use serde_json::{Value, json};
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt, pb};

use super::refused::{Refused, Why};
use crate::model::Signal;
use crate::proto::opentelemetry::proto::collector::{logs, metrics, trace};

/// How a request and its reply are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// gRPC with protobuf messages.
    Grpc,
    /// HTTP with a protobuf body.
    Protobuf,
    /// HTTP with a JSON body.
    Json,
}

impl Form {
    /// Every form, in the order of declaration.
    pub const ALL: [Self; 3] = [Self::Grpc, Self::Protobuf, Self::Json];

    /// The label value of the transport.
    pub fn transport(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Protobuf | Self::Json => "http",
        }
    }

    /// The label value of the encoding.
    pub fn encoding(self) -> &'static str {
        match self {
            Self::Grpc | Self::Protobuf => "protobuf",
            Self::Json => "json",
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Grpc => "application/grpc",
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        })
    }

    /// The form that the content type names; parameters and case do not matter. `None`: not one of OTLP's.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let essence = value.split(';').next()?.trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/grpc" | "application/grpc+proto" => Some(Self::Grpc),
            "application/x-protobuf" => Some(Self::Protobuf),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// What a success tells the sender: nothing, unless records were left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Partial {
    /// Records left out.
    pub rejected: u32,
    /// About the first of them.
    pub message: String,
}

impl Partial {
    /// The `Export…ServiceResponse` of the signal; no bytes at all when everything was accepted.
    pub fn to_protobuf(&self, signal: Signal) -> Bytes {
        let (rejected, error_message) = (i64::from(self.rejected), self.message.clone());
        if rejected == 0 {
            return Bytes::new();
        }
        let bytes = match signal {
            Signal::Traces => trace::v1::ExportTraceServiceResponse {
                partial_success: Some(trace::v1::ExportTracePartialSuccess { rejected_spans: rejected, error_message }),
            }
            .encode_to_vec(),
            Signal::Logs => logs::v1::ExportLogsServiceResponse {
                partial_success: Some(logs::v1::ExportLogsPartialSuccess {
                    rejected_log_records: rejected,
                    error_message,
                }),
            }
            .encode_to_vec(),
            Signal::Metrics => metrics::v1::ExportMetricsServiceResponse {
                partial_success: Some(metrics::v1::ExportMetricsPartialSuccess {
                    rejected_data_points: rejected,
                    error_message,
                }),
            }
            .encode_to_vec(),
        };
        bytes.into()
    }

    /// The same in proto3's JSON: a field without a value is omitted, an int64 is a string.
    fn to_json(&self, signal: Signal) -> Value {
        if self.rejected == 0 {
            return json!({});
        }
        let count = match signal {
            Signal::Traces => "rejectedSpans",
            Signal::Logs => "rejectedLogRecords",
            Signal::Metrics => "rejectedDataPoints",
        };
        json!({"partialSuccess": {count: self.rejected.to_string(), "errorMessage": self.message}})
    }

    /// The HTTP response.
    pub fn to_http(&self, signal: Signal, form: Form) -> Response {
        let body = match form {
            Form::Json => Body::from(self.to_json(signal).to_string()),
            Form::Grpc | Form::Protobuf => Body::from(self.to_protobuf(signal)),
        };
        response(StatusCode::OK, form, body)
    }
}

/// The response to a refused request, with a `google.rpc.Status` in the request's own form. A request of no known
/// form gets JSON, which people can read.
pub(super) fn refuse(refused: &Refused, form: Option<Form>) -> Response {
    let status = status(refused);
    let why = refused.why;
    let mut response = match form.unwrap_or(Form::Json) {
        Form::Grpc => status.into_http(),
        Form::Protobuf => response(why.http(), Form::Protobuf, details(&status).encode_to_vec().into()),
        Form::Json => response(why.http(), Form::Json, status_json(&status, refused).to_string().into()),
    };
    let headers = response.headers_mut();
    if let Some(wait) = refused.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
    }
    match why {
        Why::Unauthenticated => headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
        Why::WrongMethod => headers.insert(ALLOW, HeaderValue::from_static("POST")),
        Why::Encoding if form == Some(Form::Grpc) => {
            headers.insert("grpc-accept-encoding", HeaderValue::from_static("identity,gzip,zstd"))
        }
        _ => None,
    };
    response
}

fn response(status: StatusCode, form: Form, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, form.content_type());
    response
}

fn status(refused: &Refused) -> Status {
    match refused.retry_after {
        Some(wait) => {
            let details = ErrorDetails::with_retry_info(Some(wait));
            Status::with_error_details(refused.why.grpc(), &refused.message, details)
        }
        None => Status::new(refused.why.grpc(), &refused.message),
    }
}

/// The `google.rpc.Status` of a status.
fn details(status: &Status) -> pb::Status {
    let plain = || pb::Status { code: status.code() as i32, message: status.message().into(), details: vec![] };
    match status.details() {
        [] => plain(),
        bytes => pb::Status::decode(bytes).unwrap_or_else(|_| plain()),
    }
}

fn status_json(status: &Status, refused: &Refused) -> Value {
    let mut body = json!({"code": status.code() as i32, "message": status.message()});
    if let Some(wait) = refused.retry_after {
        let retry = format!("{}.{:03}s", wait.as_secs(), wait.subsec_millis());
        body["details"] = json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": retry}]);
    }
    body
}

/// Rounded up: coming back too early costs both sides a request.
fn whole_seconds(wait: std::time::Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_success_says_nothing() {
        for signal in Signal::ALL {
            assert_eq!(Partial::default().to_protobuf(signal), Bytes::new());
            assert_eq!(Partial::default().to_json(signal).to_string(), "{}");
        }
    }

    #[test]
    fn a_partial_success_in_json_follows_proto3() {
        let partial = Partial { rejected: 3, message: "span 0: why".into() };
        for (signal, want) in [
            (Signal::Traces, r#"{"partialSuccess":{"errorMessage":"span 0: why","rejectedSpans":"3"}}"#),
            (Signal::Logs, r#"{"partialSuccess":{"errorMessage":"span 0: why","rejectedLogRecords":"3"}}"#),
            (Signal::Metrics, r#"{"partialSuccess":{"errorMessage":"span 0: why","rejectedDataPoints":"3"}}"#),
        ] {
            assert_eq!(partial.to_json(signal), serde_json::from_str::<Value>(want).unwrap());
        }
    }

    #[test]
    fn content_types_name_forms() {
        for (value, want) in [
            ("application/grpc", Some(Form::Grpc)),
            ("application/grpc+proto", Some(Form::Grpc)),
            ("application/grpc+json", None),
            ("application/x-protobuf", Some(Form::Protobuf)),
            ("APPLICATION/JSON; charset=utf-8", Some(Form::Json)),
            ("application/json-seq", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_str(value).unwrap())]);
            assert_eq!(Form::of(&headers), want, "{value}");
        }
    }
}
