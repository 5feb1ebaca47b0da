//! OTLP/HTTP: `POST /v1/…` with a protobuf or a JSON body.

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_ENCODING, EXPECT};
use http::{HeaderMap, Request};

use super::encoding::Encoding;
use super::intake::Intake;
use super::receive::{Arrived, Receiver};
use super::refused::{Refused, Why};
use super::reply::Form;
use crate::model::Signal;

/// Answers one request.
pub(super) async fn export(receiver: Receiver, signal: Signal, request: Request<Body>) -> Result<Response, Refused> {
    let (head, body) = request.into_parts();
    let limits = receiver.limits();
    let mut intake = Intake::new(body, limits.request, limits.body_time, receiver.budget());
    match arrive(&receiver, signal, &head.headers, &mut intake).await {
        Ok(arrived) => {
            let form = arrived.form;
            Ok(receiver.receive(arrived).await?.to_http(signal, form))
        }
        Err(refused) => {
            // Whoever is slow or gone will not read the reply any better for it.
            if !matches!(refused.why, Why::TooSlow | Why::Disconnected) {
                intake.discard(head.headers.contains_key(EXPECT)).await;
            }
            Err(refused)
        }
    }
}

async fn arrive(
    receiver: &Receiver,
    signal: Signal,
    headers: &HeaderMap,
    intake: &mut Intake,
) -> Result<Arrived, Refused> {
    let from = receiver.admit(headers)?;
    let form = match Form::of(headers) {
        Some(form @ (Form::Protobuf | Form::Json)) => form,
        Some(Form::Grpc) | None => {
            let message = "the content type must be `application/x-protobuf` or `application/json`";
            return Err(Refused::new(Why::ContentType, message));
        }
    };
    let encoding = Encoding::of(headers, CONTENT_ENCODING)?;
    let bytes = intake.whole().await?;
    Ok(Arrived { signal, form, from, encoding, bytes, held: intake.take_held() })
}
