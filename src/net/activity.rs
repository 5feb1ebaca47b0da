//! What a connection is doing, so that its limits of time can be kept: it waits for a request, works on one, or sends
//! an answer. Also a bound on answers that nobody reads: they stay in memory until their connection is given up.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use hyper::body::{Body as _, Frame, SizeHint};

use super::budget::{Budget, Reservation};

/// Answers of at most this size are not counted: the number of connections and requests bounds them.
const SMALL: usize = 64 << 10;
/// An answer is handed on in pieces of at most this size, so that none is copied whole into a buffer of the transport.
const PIECE: usize = 64 << 10;

/// One connection's requests and answers.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Requests that are worked on, and answers that are being sent.
    asked: usize,
    /// Of them, answers.
    answers: usize,
    /// The last time that a request came, a piece of an answer left, or the last answer ended.
    moved: Instant,
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// For a request, since then.
    Idle(Instant),
    /// For an answer of this process.
    Working,
    /// For the peer to take an answer, since then.
    Sending(Instant),
}

impl Activity {
    /// A connection that has just been accepted.
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { asked: 0, answers: 0, moved: Instant::now() })))
    }

    /// What it waits for. A connection of several requests waits for its peer only if nothing else is going on.
    pub fn waits(&self) -> Waits {
        match *self.state() {
            State { asked: 0, moved, .. } => Waits::Idle(moved),
            State { asked, answers, moved } if asked == answers => Waits::Sending(moved),
            _ => Waits::Working,
        }
    }

    /// A request came.
    pub fn ask(self: &Arc<Self>) -> Asked {
        let mut state = self.state();
        state.asked += 1;
        state.moved = Instant::now();
        Asked { activity: self.clone(), answering: false }
    }

    /// Its time begins again.
    pub fn begin_again(&self) {
        self.state().moved = Instant::now();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waits {
    /// How long until its time is over: `idle` and `sending` are the limits.
    pub fn left(self, idle: Duration, sending: Duration) -> Option<Duration> {
        match self {
            Self::Idle(since) => Some(idle.saturating_sub(since.elapsed())),
            Self::Sending(since) => Some(sending.saturating_sub(since.elapsed())),
            Self::Working => None,
        }
    }
}

/// A request, until its answer has been sent or nobody wants it any more.
#[derive(Debug)]
pub(super) struct Asked {
    activity: Arc<Activity>,
    answering: bool,
}

impl Asked {
    /// The answer, bounded. A large one that finds no room in the budget is replaced by a refusal.
    pub fn answer(mut self, response: Response, budget: &Budget) -> http::Response<Answer> {
        let mut room = budget.open();
        let (head, body) = response.into_parts();
        let size = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        // The largest answers take all the room there is: they can be sent, one at a time.
        let refused = size > SMALL && room.ensure(size.min(budget.total())).is_err();
        let (head, body) = if refused { overloaded() } else { (head, body) };
        let mut state = self.activity.state();
        state.answers += 1;
        state.moved = Instant::now();
        drop(state);
        self.answering = true;
        http::Response::from_parts(head, Answer { body, rest: Bytes::new(), asked: self, _room: room })
    }
}

fn overloaded() -> (http::response::Parts, Body) {
    let mut response = Response::new(Body::from("too many large answers at once; try again\n"));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response.into_parts()
}

impl Drop for Asked {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.asked -= 1;
        state.answers -= usize::from(self.answering);
        state.moved = Instant::now();
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Answer {
    body: Body,
    /// What is left of a frame that was too large to be handed on whole.
    rest: Bytes,
    asked: Asked,
    _room: Reservation,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.asked.activity.state().moved = Instant::now();
        if self.rest.is_empty() {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                end => return end,
            }
        }
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(body.lower() + rest);
        hint
    }
}
