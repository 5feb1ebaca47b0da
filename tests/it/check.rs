//! Envelope files that are right, and what is said about those that are not. Beside each bad file stands the whole
//! text of its mistakes.

use std::path::{Path, PathBuf};

use wherefore::envelope::{Mistake, parse};

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/envelopes").join(kind);
    let entries = std::fs::read_dir(&folder).expect("the fixtures are there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    assert!(!files.is_empty(), "{} holds fixtures", folder.display());
    files
}

fn said(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(|mistake| format!("{mistake}\n")).collect()
}

fn read(file: &Path) -> (String, String) {
    let name = file.file_name().expect("a file").to_string_lossy().into_owned();
    (name, std::fs::read_to_string(file).expect("readable"))
}

#[test]
fn good_envelopes_are_rules() {
    let files: Vec<(String, String)> = fixtures("good").iter().map(|file| read(file)).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
    let rules = parse(&files).unwrap_or_else(|mistakes| panic!("{}", said(&mistakes)));
    assert_eq!(rules.len(), (2, 2));
}

#[test]
fn every_mistake_of_a_bad_envelope_is_said() {
    for file in fixtures("bad") {
        let (name, text) = read(&file);
        let mistakes = parse(&[(&name, &text)]).expect_err(&name);
        let want = std::fs::read_to_string(file.with_extension("txt")).unwrap_or_default();
        assert_eq!(said(&mistakes), want, "{name}:\n{}", said(&mistakes));
    }
}

#[test]
fn a_name_stands_once_among_all_files() {
    let one = "envelope: shared\n";
    let mistakes = parse(&[("a.yaml", one), ("b.yaml", one), ("c.yaml", "envelope: other\n")]).expect_err("twice");
    let want = "b.yaml:1:11: envelope `shared` stands twice: already in a.yaml\n    1 | envelope: shared\n      |           ^\n";
    assert_eq!(said(&mistakes), want);
}
