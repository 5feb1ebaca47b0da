//! Unit tests of envelopes.

use std::sync::Arc;

use crate::values::document::{Node, Page};

/// A unit test of an envelope.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {}

pub(super) fn read(_: &mut Page, _: &Node, _: &Arc<str>) -> Option<Vec<Case>> {
    None
}
