//! step(now, Input) -> Output.
