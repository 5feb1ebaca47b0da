//! Envelope files that are right, and what is said about those that are not. Beside each bad file stands the whole
//! text of its mistakes.

use std::path::{Path, PathBuf};

use super::support::process::command;

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
    assert_eq!(rules.len(), (4, 24));
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

/// Everything that is said about forty files that are wrong, as a person reads it.
#[test]
fn every_message_is_one_to_act_on() {
    let files = fixtures("broken");
    assert!(files.len() >= 40, "{} files", files.len());
    let paragraph = |file: &PathBuf| {
        let (name, text) = read(file);
        format!("{}\n", said(&parse(&[(&name, &text)]).expect_err(&name)))
    };
    let all: String = files.iter().map(paragraph).collect();
    let want = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/envelopes/broken/messages.txt");
    if std::fs::read_to_string(&want).unwrap_or_default() != all {
        let got = Path::new(env!("CARGO_TARGET_TMPDIR")).join("messages.txt");
        std::fs::write(&got, &all).expect("the folder is there");
        panic!("{} differs from {}", want.display(), got.display());
    }
}

#[test]
fn the_exit_code_tells_mistakes_from_failed_tests() {
    let passing = "envelope: e\nforbid: [{ id: no-deletes, effect: delete }]\ntests:\n  \
         - { name: forbidden, action: { tool: rm, effect: delete },\n      \
         expect: { intent_alignment: { value: bad, reason: forbidden }, findings: [envelope.e.no-deletes] } }\n";
    let failing = passing.replace("value: bad", "value: good");
    let wrong = passing.replace("effect: delete }]", "efect: delete }]");
    for (text, code, said) in [
        (passing, 0, "e.yaml: 1 of 1 tests passed"),
        (&failing, 1, "e.yaml:5:17: test `forbidden`: expected intent_alignment good (forbidden), got bad (forbidden)"),
        (&wrong, 2, "did you mean `effect`?"),
    ] {
        let home = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(home.path().join("envelopes")).expect("a folder");
        std::fs::write(home.path().join("envelopes/e.yaml"), text).expect("written");
        let config = home.path().join("wherefore.yaml");
        std::fs::write(&config, "envelopes: envelopes\n").expect("written");
        let output = command(&["check", "--config", &config.display().to_string()]);
        let all = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert_eq!(output.status.code(), Some(code), "{all}");
        assert!(all.contains(said), "{all}");
    }
}

/// The cases of a file are judged as what the program sees is judged.
#[test]
fn unit_tests_of_envelopes_run() {
    let home = tempfile::tempdir().expect("a folder");
    let config = home.path().join("wherefore.yaml");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/envelopes/good");
    std::fs::write(&config, format!("envelopes: {}\n", folder.display())).expect("written");
    let output = command(&["check", "--config", &config.display().to_string()]);
    let all = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert_eq!(output.status.code(), Some(0), "{all}");
    assert!(all.contains("tested.yaml: 13 of 13 tests passed"), "{all}");
}
