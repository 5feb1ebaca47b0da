//! The budget of the disk, and how journal and store divide it.
//!
//! ```text
//! journal, applied frames included   at most a half: beyond, everything that is applied leaves
//! store                              what the journal does not take
//! an eighth stays free for what is written between two checkpoints, before either can leave
//! ```
//!
//! Both let go of whole files, so a file is a small part. Past the whole, senders are refused.

use crate::config::Checkpoint;

/// Parts of the budget in one file: enough of them that the oldest can leave, and none is missed.
const FILES: u64 = 16;
/// No file is larger, however large the budget: recovery reads one segment, and a copy of it is made to compress it.
const FILE_BYTES: u64 = 256 << 20;

/// Bytes that journal and store may take together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget(pub u64);

impl Budget {
    /// A segment of the journal, or a partition of the store.
    pub fn file(self) -> u64 {
        (self.0 / FILES).min(FILE_BYTES)
    }

    /// What the journal may keep of frames that are applied.
    pub fn journal(self) -> u64 {
        self.0 / 2
    }

    /// What the store may keep beside a journal of so many bytes. A backlog in the journal must not push the audit
    /// trail out: it never counts for more than its half.
    pub fn store(self, journal: u64) -> u64 {
        self.0 - self.0 / 8 - journal.min(self.journal())
    }

    /// A checkpoint writes no more at once than stays free for it.
    pub fn checkpoint(self, wanted: Checkpoint) -> Checkpoint {
        Checkpoint { bytes: wanted.bytes.min(self.file()), ..wanted }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Disk;

    proptest! {
        #[test]
        fn what_both_keep_and_write_between_two_checkpoints_is_inside(
            disk in Disk::MIN..1u64 << 44, journal in 0u64..1 << 44,
        ) {
            let budget = Budget(disk);
            let kept = journal.min(budget.journal());
            let written = budget.checkpoint(Checkpoint::default()).bytes + budget.file();
            prop_assert!(kept + budget.store(journal) + written <= disk);
            prop_assert!(budget.store(journal) >= disk / 4);
            prop_assert!(budget.file() <= FILE_BYTES && budget.file() >= 1 << 20);
        }
    }
}
