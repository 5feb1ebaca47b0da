//! Turns in which every span is a root: what one more of them costs does not grow with those that came before.

use super::*;

fn parentless(span: u32) -> Evidence {
    let id = format!("c{span}");
    identified(record(1, span, None, Node::Tool, (5, 10 + u64::from(span))).says(call(ran(), Some(&id))))
}

#[test]
fn members_are_walked_once_in_a_frame_and_only_when_something_changed_for_them() {
    let mut engine = Engine::new(Configuration::default());
    engine.step(at(1), Input::Tick);
    let mut output = Output::default();
    engine.fold(&parentless(0), &mut output);
    assert_ne!(engine.marks, reread::Marks::default(), "the first root changes what its turn says of all");
    engine.walk_marked();
    for span in 1..50 {
        engine.fold(&parentless(span), &mut output);
        assert_eq!(engine.marks, reread::Marks::default(), "another root changes nothing for others");
    }
}
