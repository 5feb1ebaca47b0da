//! Rows of format 1, as a released version wrote them (`tests/fixtures/store-v1`). They must be readable for ever,
//! and mean the same. `*.bin` never changes; `*.txt` is what it means, and grows with the model.

use std::path::PathBuf;
use std::sync::Arc;

use crate::engine::parts::{ActionState, Incident, TurnState};
use crate::engine::{Account, Checkpoint, FindingEvent, TurnAccount};
use crate::model::{Action, Turn};
use crate::proto::records as v1;

use super::Wire;
use super::tests::{Any, Source};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store-v1").join(name)
}

fn check<P: prost::Message + Default, T: Wire<P> + Any + std::fmt::Debug>(name: &str) {
    check_as::<P, T>(name, |value| format!("{value:#?}\n"));
}

fn check_as<P: prost::Message + Default, T: Wire<P> + Any>(name: &str, show: fn(&T) -> String) {
    let (bin, txt) = (file(&format!("{name}.bin")), file(&format!("{name}.txt")));
    if std::env::var_os("WHEREFORE_WRITE_FIXTURES").is_some() && !bin.exists() {
        let mut bytes = vec![0; 40_000];
        let mut noise = blake3::Hasher::new_derive_key(name).finalize_xof();
        noise.fill(&mut bytes);
        let mut source = Source::new(bytes);
        let values: Vec<T> = (0..5).map(|_| T::any(&mut source)).collect();
        let rows = values.iter().map(|it| it.put().encode_length_delimited_to_vec());
        std::fs::write(&bin, rows.collect::<Vec<_>>().concat()).expect("writable");
        std::fs::write(&txt, values.iter().map(show).collect::<String>()).expect("writable");
    }
    let stored = std::fs::read(&bin).expect("the fixture is there");
    let mut rows = &stored[..];
    let mut meaning = String::new();
    while !rows.is_empty() {
        let row = P::decode_length_delimited(&mut rows).expect("a row");
        meaning += &show(&T::take(row).expect("readable for ever"));
    }
    let expected = std::fs::read_to_string(&txt).expect("the fixture is there");
    assert!(meaning == expected, "{name}.bin means something else:\n{meaning}");
}

#[test]
fn rows_of_format_1_mean_what_they_meant() {
    check::<v1::Action, Action>("action");
    check::<v1::Turn, Turn>("turn");
    check::<v1::FindingEvent, FindingEvent>("finding");
    check::<v1::Incident, Incident>("incident");
    check::<v1::TurnRecord, (Arc<TurnState>, TurnAccount)>("turn-state");
    check::<v1::ActionRecord, (Arc<ActionState>, Account)>("action-state");
    check_as::<v1::Checkpoint, Checkpoint>("checkpoint", |value| {
        let lag: Vec<_> = value.settle_lag.iter().flat_map(|lag| lag.iter_recorded()).collect();
        let rest = Checkpoint { settle_lag: None, ..value.clone() };
        format!("{rest:#?}\n{lag:#?}\n")
    });
}
