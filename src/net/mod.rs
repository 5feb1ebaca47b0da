//! Everything between a socket and a request: listeners, connections, tokens and the memory that requests may hold.
//!
//! Nothing here knows OTLP. A listener is bound ([`bind`]) after [`check_exposure`] agreed, then [`serve`] answers
//! HTTP/1.1 and HTTP/2 without TLS on it with any `axum` router. [`Tokens`] says who a request is from;
//! [`Budget`] bounds the bytes of all requests together, and of all answers.

mod activity;
mod budget;
mod connection;
mod exposure;
mod serve;
mod tokens;

pub use budget::{Budget, Exhausted, Reservation};
pub use exposure::{Exposed, check_exposure};
pub use serve::{BindError, Connections, ServeSettings, bind, serve};
pub use tokens::{Principal, TokenError, Tokens, Unauthenticated};
