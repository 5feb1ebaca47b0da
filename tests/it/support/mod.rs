//! What several integration tests share.

pub mod checkers;
pub mod differ;
pub mod fold;
pub mod http;
pub mod load;
pub mod made;
pub mod monitoring;
pub mod otlp;
pub mod process;
pub mod random;
pub mod recordings;
pub mod scrape;
pub mod sources;
pub mod stories;
pub mod told;

use std::path::Path;

/// A file of the checkout that is made from code must be what the code makes. `WHEREFORE_UPDATE=1` writes it, so that
/// the change shows in the diff.
pub fn checked_in(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("WHEREFORE_UPDATE").is_some() {
        std::fs::create_dir_all(file.parent().expect("a file has a directory")).expect("the directory is made");
        std::fs::write(&file, text).expect("the file is written");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == text, "`{path}` is not what the code makes; run the tests once with WHEREFORE_UPDATE=1");
}
