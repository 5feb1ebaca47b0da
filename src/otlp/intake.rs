//! The bytes of a request while they arrive: bounded in size, in time, and in sum over all requests.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame};
use tokio::time::Sleep;

use super::refused::{Refused, Why};
use crate::net::{Budget, Reservation};

/// Length of what precedes a gRPC message: a flag and the length of the message, big-endian.
const PREFIX: usize = 5;

/// What is read and thrown away of a refused body, at most, so that the sender gets to see the reply: a connection
/// closed in the middle of a body looks like a network error, and a client repeats the request after one.
const DISCARD_BYTES: usize = 64 << 20;

/// How long that may take.
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// A request body that refuses instead of growing beyond its limits. Memory is reserved for what the sender announces
/// (`content-length`, or the length before a gRPC message) as soon as it is known, and else for what has arrived.
pub(super) struct Intake {
    body: Body,
    limit: usize,
    received: usize,
    held: Reservation,
    prefix: Option<Prefix>,
    time: Duration,
    deadline: Pin<Box<Sleep>>,
    started: bool,
}

/// The first bytes of a gRPC body, until there are enough of them.
#[derive(Default)]
struct Prefix {
    bytes: [u8; PREFIX],
    filled: usize,
}

impl Intake {
    /// A body of at most `limit` bytes that has to be complete after `time`.
    pub fn new(body: Body, limit: usize, time: Duration, budget: &Budget) -> Self {
        Self {
            body,
            limit,
            received: 0,
            held: budget.open(),
            prefix: None,
            time,
            deadline: Box::pin(tokio::time::sleep(time)),
            started: false,
        }
    }

    /// The same for a body of one gRPC message of at most `limit` bytes.
    pub fn grpc(body: Body, limit: usize, time: Duration, budget: &Budget) -> Self {
        let intake = Self::new(body, limit.saturating_add(PREFIX), time, budget);
        Self { prefix: Some(Prefix::default()), ..intake }
    }

    /// All bytes, without a copy when they came in one piece.
    pub async fn whole(&mut self) -> Result<Bytes, Refused> {
        let mut whole = BytesMut::new();
        while let Some(frame) = self.frame().await {
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            if whole.is_empty() && self.body.is_end_stream() {
                return Ok(data);
            }
            if whole.is_empty() {
                whole.reserve(self.held.bytes());
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    }

    /// The memory that was reserved, for as long as the bytes live.
    pub fn take_held(&mut self) -> Reservation {
        self.held.take()
    }

    /// Reads on and forgets, within limits of its own. `asked_first`: the sender waits to be told to go on, and now
    /// it will not be.
    pub async fn discard(mut self, asked_first: bool) {
        let announced = self.body.size_hint().exact().unwrap_or(0);
        if asked_first && !self.started || announced > DISCARD_BYTES as u64 {
            return;
        }
        let rest = async {
            let mut bytes = 0;
            while let Some(Ok(frame)) = self.body.frame().await {
                bytes += frame.data_ref().map_or(0, Bytes::len);
                if bytes > DISCARD_BYTES {
                    break;
                }
            }
        };
        // Too slow is as good as too much: the reply goes out anyway.
        let _ = tokio::time::timeout(DISCARD_TIME, rest).await;
    }

    fn announced(&mut self, bytes: u64) -> Result<(), Refused> {
        match usize::try_from(bytes) {
            Ok(bytes) if bytes <= self.limit => Ok(self.held.ensure(bytes)?),
            _ => Err(Refused::too_large("request", self.limit)),
        }
    }

    fn arrived(&mut self, data: &Bytes) -> Result<(), Refused> {
        self.received += data.len();
        if self.received > self.limit {
            return Err(Refused::too_large("request", self.limit));
        }
        self.held.ensure(self.received)?;
        if let Some(length) = self.prefix.as_mut().and_then(|prefix| prefix.fill(data)) {
            self.prefix = None;
            self.announced(PREFIX as u64 + u64::from(length))?;
        }
        Ok(())
    }
}

impl Prefix {
    /// Takes what is missing; the length of the message once it is complete.
    fn fill(&mut self, data: &[u8]) -> Option<u32> {
        let taken = data.len().min(PREFIX - self.filled);
        self.bytes[self.filled..][..taken].copy_from_slice(&data[..taken]);
        self.filled += taken;
        let [_flag, length @ ..] = self.bytes;
        (self.filled == PREFIX).then(|| u32::from_be_bytes(length))
    }
}

impl HttpBody for Intake {
    type Data = Bytes;
    type Error = Refused;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Refused>>> {
        let this = self.get_mut();
        if !std::mem::replace(&mut this.started, true) {
            let announced = this.body.size_hint().exact().unwrap_or(0);
            if let Err(refused) = this.announced(announced) {
                return Poll::Ready(Some(Err(refused)));
            }
        }
        let frame = match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                ready!(this.deadline.as_mut().poll(context));
                let message = format!("the request was not complete after {:?}", this.time);
                return Poll::Ready(Some(Err(Refused::new(Why::TooSlow, message))));
            }
        };
        Poll::Ready(frame.map(|frame| {
            let frame =
                frame.map_err(|error| Refused::new(Why::Disconnected, format!("the request ended early: {error}")))?;
            if let Some(data) = frame.data_ref() {
                this.arrived(data)?;
            }
            Ok(frame)
        }))
    }
}
