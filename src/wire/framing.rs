//! Files of varint-length-delimited protobuf: each message with its length before it.

use super::read::Reader;

/// A file that ends inside a message, or has a length that is not a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the message at byte {offset}: its length is not a number or reaches beyond the end")]
pub struct Cut {
    /// Where the length of the unreadable message stands.
    pub offset: usize,
}

/// The messages of `file`, in order. After the first error there are no more.
pub fn delimited(file: &[u8]) -> impl Iterator<Item = Result<&[u8], Cut>> {
    let mut reader = Reader::new(file);
    std::iter::from_fn(move || {
        if reader.left() == 0 {
            return None;
        }
        let offset = file.len() - reader.left();
        let message = reader.bytes().map_err(|_| Cut { offset });
        if message.is_err() {
            reader = Reader::new(&[]);
        }
        Some(message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_to_the_end_or_to_the_first_cut() {
        for (file, want) in [
            (&[][..], &[][..]),
            (&[0, 2, 7, 8, 1, 9], &[Ok(&[][..]), Ok(&[7, 8]), Ok(&[9])]),
            (&[1, 7, 3, 1, 2], &[Ok(&[7]), Err(Cut { offset: 2 })]),
            (&[1, 7, 0x80], &[Ok(&[7]), Err(Cut { offset: 2 })]),
        ] {
            assert_eq!(delimited(file).collect::<Vec<_>>(), want);
        }
    }
}
