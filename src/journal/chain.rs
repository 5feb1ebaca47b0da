//! The hash chain: what makes an altered record visible, and lets a body be forgotten.
//!
//! ```text
//! commitment = BLAKE3(0x02, salt, BLAKE3(body))
//! leaf       = BLAKE3(0x00, facts, commitment)       facts: the bytes of the FrameFacts message as stored
//! head       = BLAKE3(0x01, head before, leaf)       32 zero bytes before the first frame
//! ```
//!
//! Forgetting removes body and salt and keeps the commitment: the chain still verifies, and without the salt the
//! commitment says nothing about a guessable body. The first byte keeps the three uses of the hash apart. How a body
//! is stored (compressed, forgotten) is not sealed, so that it can change.

use crate::model::{Hash, Nanos};
use crate::proto::records::FrameFacts;

use super::error::Fault;
use super::frame::Raw;

/// Bytes of a salt.
pub(super) const SALT_LEN: usize = 16;

const LEAF: &[u8] = &[0];
const NODE: &[u8] = &[1];
const COMMITMENT: &[u8] = &[2];

/// The end of a chain of frames: what the next frame must follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chain {
    /// Sequence of the last frame.
    pub sequence: u64,
    /// Time of the last frame.
    pub now: Nanos,
    /// The head after the last frame.
    pub head: Hash,
}

impl Chain {
    /// Before the first frame of a journal.
    pub const GENESIS: Self = Self { sequence: 0, now: Nanos(0), head: Hash([0; 32]) };

    /// Goes on to a frame that has just been made.
    pub fn extend(&mut self, facts: &FrameFacts, sealed: &[u8], commitment: &Hash) {
        self.sequence = facts.sequence;
        self.now = Nanos(facts.now_unix_nano);
        self.head = head(&self.head, &leaf(sealed, commitment));
    }

    /// Goes on to a frame that was read, or says why it does not belong here. The body is checked separately.
    pub fn follow(&mut self, raw: &Raw) -> Result<(), Fault> {
        if raw.facts.sequence != self.sequence + 1 {
            return Err(Fault::Sequence(raw.facts.sequence));
        }
        let mut next = *self;
        next.extend(&raw.facts, &raw.header.facts, &raw.commitment()?);
        if next.head.0[..] != raw.header.head[..] {
            return Err(Fault::Head);
        }
        if next.now < self.now {
            return Err(Fault::Time);
        }
        *self = next;
        Ok(())
    }
}

/// What the chain knows of a body with the given hash.
pub(super) fn commitment(salt: &[u8], body: &Hash) -> Hash {
    hash(&[COMMITMENT, salt, &body.0])
}

/// The hash of a body.
pub(super) fn body_hash(body: &[u8]) -> Hash {
    Hash(*blake3::hash(body).as_bytes())
}

fn leaf(facts: &[u8], commitment: &Hash) -> Hash {
    hash(&[LEAF, facts, &commitment.0])
}

fn head(before: &Hash, leaf: &Hash) -> Hash {
    hash(&[NODE, &before.0, &leaf.0])
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    Hash(*hasher.finalize().as_bytes())
}

/// Draws salts that nobody can guess: keyed hashes of a counter. The key is random, lives as long as the process and
/// is never written.
#[derive(Debug)]
pub(super) struct Salts {
    key: [u8; 32],
    drawn: u64,
}

impl Salts {
    /// Salts under a key from the operating system.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key, drawn: 0 }
    }

    /// The next salt.
    pub fn draw(&mut self) -> [u8; SALT_LEN] {
        self.drawn += 1;
        let hash = blake3::keyed_hash(&self.key, &self.drawn.to_le_bytes());
        let mut salt = [0; SALT_LEN];
        salt.copy_from_slice(&hash.as_bytes()[..SALT_LEN]);
        salt
    }
}
