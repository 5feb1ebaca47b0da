//! Bytes read as choices: every array of bytes is some record, and the smaller the bytes the plainer it is, so that a
//! failing case shrinks to what matters.

use proptest::prelude::*;

/// The bytes of one record.
pub type Line = [u8; 16];

/// A case: its records, and what is around them.
#[derive(Debug, Clone)]
pub struct Script {
    /// Among which story the records stand.
    pub story: u8,
    /// One for each record.
    pub records: Vec<Line>,
    /// Which record, of the story or not, is the evidence that is added.
    pub added: u8,
    /// Which rules are in force.
    pub rules: u8,
    /// What the books know.
    pub around: Line,
}

/// Any case.
pub fn scripts() -> impl Strategy<Value = Script> {
    let records = prop::collection::vec(any::<Line>(), 0..12);
    let parts = (any::<u8>(), records, any::<u8>(), any::<u8>(), any::<Line>());
    parts.prop_map(|(story, records, added, rules, around)| Script { story, records, added, rules, around })
}

/// Reads choices, one byte each; behind the end every byte is 0.
pub struct Choices<'a>(pub &'a [u8]);

impl Choices<'_> {
    /// One of these.
    pub fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()].clone()
    }

    /// A number below a bound.
    pub fn below(&mut self, bound: u8) -> u8 {
        self.byte() % bound
    }

    /// One time in so many.
    pub fn one_in(&mut self, many: u8) -> bool {
        self.below(many) == many - 1
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }
}
