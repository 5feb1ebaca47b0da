//! Receive OTLP and reply.
