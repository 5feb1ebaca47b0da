//! wherefore.yaml: what was typed, then what it means.
