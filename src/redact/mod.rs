//! Key classes: what is kept, digested or dropped before anything reaches the disk.
