//! OTLP/gRPC: the `Export` method of the three services, on tonic's server with a codec of our own that hands on the
//! bytes of a message as they are.

use axum::body::Body;
use axum::response::Response;
use bytes::{Buf, BufMut, Bytes};
use http::Request;
use tonic::Status;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::Grpc;
use tower::service_fn;

use super::encoding::Encoding;
use super::intake::Intake;
use super::receive::{Arrived, Receiver};
use super::refused::{Refused, Why};
use super::reply::Form;
use crate::model::Signal;
use crate::net::{Budget, Reservation};

/// Answers one call.
pub(super) async fn export(receiver: Receiver, signal: Signal, request: Request<Body>) -> Result<Response, Refused> {
    let from = receiver.admit(request.headers())?;
    if Form::of(request.headers()) != Some(Form::Grpc) {
        return Err(Refused::new(Why::ContentType, "the content type must be `application/grpc`"));
    }
    let limits = receiver.limits();
    let mut grpc = Grpc::new(RawCodec { budget: receiver.budget().clone() })
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(limits.decompressed);
    let request = request.map(|body| Intake::grpc(body, limits.request, limits.body_time, receiver.budget()));
    let answer = service_fn(|message: tonic::Request<RawMessage>| {
        let RawMessage { bytes, held } = message.into_inner();
        let (receiver, from) = (receiver.clone(), from.clone());
        async move {
            let arrived = Arrived { signal, form: Form::Grpc, from, encoding: Encoding::Identity, bytes, held };
            let partial = receiver.receive(arrived).await.map_err(Refused::into_status)?;
            Ok::<_, Status>(tonic::Response::new(partial.to_protobuf(signal)))
        }
    });
    let response = grpc.unary(answer, request).await;
    match response.extensions().get::<Status>() {
        Some(status) => Err(Refused::from_status(status)),
        None => Ok(response.map(Body::new)),
    }
}

/// A message as it came, decompressed.
struct RawMessage {
    bytes: Bytes,
    held: Reservation,
}

/// Messages are bytes: decoding them is not the transport's job.
struct RawCodec {
    budget: Budget,
}

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = RawMessage;
    type Encoder = RawEncoder;
    type Decoder = RawDecoder;

    fn encoder(&mut self) -> RawEncoder {
        RawEncoder
    }

    fn decoder(&mut self) -> RawDecoder {
        RawDecoder { budget: self.budget.clone(), done: false }
    }
}

struct RawEncoder;

impl Encoder for RawEncoder {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(message);
        Ok(())
    }
}

struct RawDecoder {
    budget: Budget,
    done: bool,
}

impl Decoder for RawDecoder {
    type Item = RawMessage;
    type Error = Status;

    /// Splits the message off tonic's buffer without a copy. The memory is reserved after decompression, not before:
    /// beyond the budget there is at most one decompressed message for every thread that serves connections.
    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<RawMessage>, Status> {
        if std::mem::replace(&mut self.done, true) {
            let refused = Refused::new(Why::Malformed, "a call of `Export` has one message, not more");
            return Err(refused.into_status());
        }
        let mut held = self.budget.open();
        held.ensure(buffer.remaining()).map_err(|exhausted| Refused::from(exhausted).into_status())?;
        Ok(Some(RawMessage { bytes: buffer.copy_to_bytes(buffer.remaining()), held }))
    }
}
