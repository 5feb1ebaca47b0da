//! A store of format 1, as a released version left it (`tests/fixtures/store-v1/store`, each file compressed). It must
//! open for ever and say what it said. Its files never change; `store.txt` is what they say, and grows with the model.

use std::path::PathBuf;

use super::*;

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store-v1")
}

/// Some of everything, over three partitions, the last one open.
fn fill(dir: &TempDir) {
    let mut store = open(dir);
    for mut step in steps().into_iter().take(5) {
        if step.applied == 50 {
            let kept = [kept_turn(1, &[10, 20], &[(10, "a")]), kept_turn(2, &[20], &[(20, "a")])];
            step.changes = Changes { small: step.changes.small, ..keep(&kept) };
            step.changes.small.configurations = vec![body(1).digest];
            step.changes.dues = vec![(Due::Close(TurnId([1; 16])), Some(Nanos(7))), (Due::Revise(20), Some(Nanos(8)))];
            step.changes.ledger = vec![(any("ledger"), Cell { good: 1, bad: 2, unknown: 3 })];
            let incident = crate::engine::parts::Incident { contained: None, ..any("incident") };
            step.changes.incidents = vec![(incident.id, Some(incident))];
        }
        let text = (body(1).digest, b"an envelope".to_vec());
        store.commit(step.applied, &step.changes, &step.published, &[text]).expect("committed");
    }
}

/// What opening and asking give, each row by its name: what rows themselves say is tried beside their conversion.
fn told(dir: &TempDir) -> String {
    let opened = Store::open(dir.path()).expect("it opens");
    let reader = opened.store.reader().expect("a reader");
    let mut told = vec![format!("{:?}", Stats { bytes: 0, ..opened.store.stats() })];
    let (applied, small) = opened.checkpoint.expect("there is one");
    told.push(format!("checkpoint {applied} {:?} {:?}", small.now, small.configurations));
    told.push(format!("dues {:?}", opened.dues));
    told.push(format!("ledger {:?}", opened.ledger));
    told.extend(opened.incidents.iter().map(|it| format!("incident {} {:?}", it.id, it.findings)));
    told.push(format!("configurations {:?} lost {:?}", opened.configurations, opened.lost));
    for n in 0..6 {
        let found = reader.lookup(&format!("call-{n}")).expect("looked");
        told.extend(found.iter().map(|it| format!("action {} {} {:?}", it.id, it.revision, it.state)));
        let turn = reader.turn(TurnId([n; 16])).expect("looked");
        told.extend(turn.map(|it| format!("turn {} {} {:?}", it.id, it.revision, it.trace)));
        let body = reader.body(&body(n).digest).expect("looked");
        told.extend(body.map(|it| format!("body {}", String::from_utf8_lossy(&it[..20]))));
    }
    let findings = reader.findings(&FindingFilter::default(), 100, None).expect("a list");
    told.extend(findings.items.iter().map(|it| format!("finding {} {}", it.finding.id, it.finding.state)));
    let listed = |filter: &ActionFilter| -> Vec<Action> {
        reader.actions(filter, 100, None, &BTreeSet::new()).expect("a list").items
    };
    for action in listed(&ActionFilter::default()) {
        told.push(format!("listed {} {} {}", action.id, action.revision, action.end));
        let open = action.findings.iter().find(|it| it.state == FindingState::Open);
        let rule = open.map(|it| (it.rule.clone(), it.severity));
        if let Some((rule, severity)) = rule {
            let of_rule = ActionFilter { rule: Some(rule), severity: Some(severity), ..ActionFilter::default() };
            assert!(listed(&of_rule).contains(&action), "{of_rule:?}");
        }
    }
    let wants = BTreeSet::from([Want::Turn(TurnId([1; 16]))]);
    for row in opened.store.load(&wants).expect("loaded") {
        let handles: Vec<u64> = row.actions.iter().map(|(action, _)| action.handle).collect();
        told.push(format!("row {} {:?} {handles:?}", row.state.id, row.state.members));
    }
    told.join("\n") + "\n"
}

/// Copies the files of one folder to another, changed on the way.
fn copy(from: &Path, to: &Path, change: impl Fn(&str, Vec<u8>) -> Option<(String, Vec<u8>)>) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("listed") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("readable");
            if let Some((name, bytes)) = change(name, bytes) {
                std::fs::write(to.join(name), bytes).expect("writable");
            }
        }
    }
}

#[test]
fn a_store_of_format_1_opens_and_says_what_it_said() {
    let (files, text) = (fixture().join("store"), fixture().join("store.txt"));
    if std::env::var_os("WHEREFORE_WRITE_FIXTURES").is_some() && !files.exists() {
        let dir = folder();
        fill(&dir);
        let pack = |name: &str, bytes: Vec<u8>| {
            let packed = zstd::encode_all(&bytes[..], 19).expect("packed");
            (name != "lock").then(|| (format!("{name}.zst"), packed))
        };
        copy(dir.path(), &files, pack);
        copy(&partitions(dir.path()), &partitions(&files), pack);
        std::fs::write(&text, told(&dir)).expect("writable");
    }
    let dir = folder();
    let unpack = |name: &str, bytes: Vec<u8>| {
        let name = name.strip_suffix(".zst").expect("a packed file");
        Some((name.to_owned(), zstd::decode_all(&bytes[..]).expect("unpacked")))
    };
    copy(&files, dir.path(), unpack);
    copy(&partitions(&files), &partitions(dir.path()), unpack);
    let told = told(&dir);
    let expected = std::fs::read_to_string(&text).expect("the fixture is there");
    let differs = told.lines().zip(expected.lines()).find(|(told, expected)| told != expected);
    assert!(told == expected, "it says something else: {differs:#?}");
}
