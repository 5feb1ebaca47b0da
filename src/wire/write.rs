//! Writes protobuf fields.

/// Appends a number.
pub fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a length-delimited field; `key` as in [`super::tags`].
pub fn bytes(key: u32, payload: &[u8], out: &mut Vec<u8>) {
    varint(u64::from(key), out);
    varint(payload.len() as u64, out);
    out.extend_from_slice(payload);
}
