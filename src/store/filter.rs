//! A filter over hashes: says *certainly not* or *perhaps*. Ten bits and seven probes a hash: one *perhaps* in a
//! hundred is wrong, no *certainly not* ever is. It grows by layers, each twice as large as the one before.

/// Bits per hash.
const BITS: usize = 10;
/// Bits that a hash sets.
const PROBES: u64 = 7;
/// Hashes in the first layer.
const FIRST: usize = 1 << 12;

/// A set of hashes that may hold more than was put in, never less.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    layers: Vec<Layer>,
}

#[derive(Debug, Clone)]
struct Layer {
    words: Vec<u64>,
    room: usize,
}

impl Filter {
    /// One layer with room for this many.
    pub fn with_room(room: usize) -> Self {
        Self { layers: vec![Layer::with_room(room)] }
    }

    /// Puts a hash in.
    pub fn insert(&mut self, hash: i64) {
        if self.contains(hash) {
            return;
        }
        let full = self.layers.last().is_none_or(|layer| layer.room == 0);
        if full {
            let room = FIRST << self.layers.len().min(20);
            self.layers.push(Layer::with_room(room));
        }
        if let Some(layer) = self.layers.last_mut() {
            layer.insert(hash);
        }
    }

    /// False: it was never put in.
    pub fn contains(&self, hash: i64) -> bool {
        self.layers.iter().any(|layer| layer.contains(hash))
    }

    /// The bytes of a filter of one layer.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.layers.iter().flat_map(|layer| &layer.words).flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Reads [`Filter::to_bytes`] of a filter of one layer. Nothing is added to it later.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, []) = bytes.as_chunks() else {
            return None;
        };
        let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        (!words.is_empty()).then(|| Self { layers: vec![Layer { words, room: 0 }] })
    }
}

impl Layer {
    fn with_room(room: usize) -> Self {
        let words = (room * BITS).div_ceil(64).max(1);
        Self { words: vec![0; words], room: room.max(1) }
    }

    fn insert(&mut self, hash: i64) {
        for bit in probes(hash, self.words.len()) {
            self.words[bit / 64] |= 1 << (bit % 64);
        }
        self.room = self.room.saturating_sub(1);
    }

    fn contains(&self, hash: i64) -> bool {
        probes(hash, self.words.len()).all(|bit| self.words[bit / 64] & (1 << (bit % 64)) != 0)
    }
}

/// Which bits belong to a hash. Multiplying and keeping the upper half spreads over any number of bits.
fn probes(hash: i64, words: usize) -> impl Iterator<Item = usize> {
    let first = hash.cast_unsigned();
    let step = first.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31) | 1;
    let bits = words as u128 * 64;
    (0..PROBES).map(move |n| {
        let point = first.wrapping_add(step.wrapping_mul(n));
        ((u128::from(point) * bits) >> 64) as usize
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_that_was_put_in_is_denied(
            hashes in proptest::collection::vec(any::<i64>(), 0..3000),
            room in 0_usize..4000,
        ) {
            let mut grown = Filter::default();
            let mut fixed = Filter::with_room(room);
            for hash in &hashes {
                grown.insert(*hash);
                fixed.insert(*hash);
            }
            let mut exact = Filter::with_room(hashes.len());
            hashes.iter().for_each(|hash| exact.insert(*hash));
            let read = Filter::from_bytes(&exact.to_bytes()).expect("a filter has bytes");
            for hash in hashes {
                prop_assert!(grown.contains(hash) && fixed.contains(hash) && read.contains(hash));
            }
        }
    }

    #[test]
    fn what_was_not_put_in_is_mostly_denied() {
        let hash = |n: u64| {
            let bytes = *blake3::hash(&n.to_le_bytes()).as_bytes();
            i64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"))
        };
        let mut filter = Filter::default();
        (0..100_000).for_each(|n| filter.insert(hash(n)));
        let wrong = (100_000..200_000).filter(|n| filter.contains(hash(*n))).count();
        assert!(wrong < 8_000, "{wrong} of 100000");
        let mut exact = Filter::with_room(100_000);
        (0..100_000).for_each(|n| exact.insert(hash(n)));
        let wrong = (100_000..200_000).filter(|n| exact.contains(hash(*n))).count();
        assert!(wrong < 1_500, "{wrong} of 100000");
    }

    #[test]
    fn bytes_that_are_no_filter_are_refused() {
        assert!(Filter::from_bytes(&[]).is_none());
        assert!(Filter::from_bytes(&[1, 2, 3]).is_none());
    }
}
