//! OTLP bytes: the validating view over them, the records they hold, and OTLP/JSON to protobuf.
