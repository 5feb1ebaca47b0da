//! Envelope text to checked rules: the declared limits of an agent.
