//! Whether a call is about the part of what there is that the user held back: `production data`, `the users table`.
//!
//! | the part | the call is about it | nobody knows | it is not |
//! |---|---|---|---|
//! | an environment | the envelope puts the target there, or the target has its name | the target is in none that is known | the target is in another |
//! | a name | the target has it as a name of its own | as a part of one, in a parameter, in the tool's name | nowhere, and the target is known |
//! | no word that says which (`the database`) | – | always | – |
//! | an act (`push: to main`) | the tool's name has it | a parameter has it | nowhere |
//!
//! A guessed target convicts nobody. What makes something new changes nothing that was there before, unless a whole is
//! meant with all that is in it; what a command does to it nobody knows.

use crate::envelope::{Authority, Deed};
use crate::model::{Action, Effect, Effects, Stand};
use crate::values::standing::{Has, Scope, Word};

/// Whether a constraint is about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Meant {
    /// It is not.
    No,
    /// Nobody can tell.
    Maybe,
    /// It is.
    Yes,
}

/// Whether a constraint with a scope is about a call that has one of its effects.
pub(super) fn meant(scope: &Scope, stand: &Stand, action: &Action, deed: &Deed) -> Meant {
    let part = |part: &Vec<Word>| match part.is_empty() {
        true => Meant::Maybe,
        false => part.iter().map(|word| is_about(word, action, deed)).min().unwrap_or(Meant::Maybe),
    };
    let about = scope.parts.iter().map(part).max().unwrap_or(Meant::Maybe);
    let act = scope.act.as_deref().map_or(by_effect(scope, stand, deed), |act| does(act, action));
    about.min(act)
}

fn by_effect(scope: &Scope, stand: &Stand, deed: &Deed) -> Meant {
    let changes = matches!(&stand.effects, Effects::Some(effects) if effects.contains(&Effect::Delete));
    match deed.effect {
        Some((Effect::Create, _)) if changes && !scope.whole => Meant::Maybe,
        Some((Effect::Execute | Effect::Send, _)) if stand.effects == Effects::All => Meant::Maybe,
        _ => Meant::Yes,
    }
}

fn does(act: &str, action: &Action) -> Meant {
    let act = Word::Name(act.to_owned());
    match (act.in_text(action.tool_label()), in_parameters(&act, action)) {
        (Has::Not, false) => Meant::No,
        (Has::Not, true) => Meant::Maybe,
        _ => Meant::Yes,
    }
}

fn is_about(word: &Word, action: &Action, deed: &Deed) -> Meant {
    let target = deed.target.as_ref().map(|(target, authority)| (word.in_text(target), *authority));
    let elsewhere = || match word {
        Word::Environment(_) => is_elsewhere(word, deed),
        Word::Branch(_) | Word::Name(_) => target.is_some(),
    };
    match target {
        Some((Has::Whole, authority)) if authority > Authority::Inferred => Meant::Yes,
        Some((Has::Whole | Has::InPart, _)) => Meant::Maybe,
        _ if is_declared(word, deed) => Meant::Yes,
        _ if in_parameters(word, action) || word.in_text(action.tool_label()) > Has::Not => Meant::Maybe,
        _ if elsewhere() => Meant::No,
        _ => Meant::Maybe,
    }
}

/// Whether an envelope puts the target into an environment.
fn is_declared(word: &Word, deed: &Deed) -> bool {
    let is = |name: &std::sync::Arc<str>| matches!(word, Word::Environment(names) if names.contains(&&**name));
    deed.environments.iter().any(is)
}

/// Whether the target is in an environment, and none of these.
fn is_elsewhere(word: &Word, deed: &Deed) -> bool {
    !deed.environments.is_empty() && !is_declared(word, deed)
}

fn in_parameters(word: &Word, action: &Action) -> bool {
    action.arguments.value().is_some_and(|text| word.in_text(&text.head) > Has::Not)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{self, text};
    use crate::model::{Known, Provenance, StandKind};

    /// A call: its tool, its effect, its target, the environment an envelope puts it in, its parameters.
    fn call(tool: &str, effect: Effect, target: &str, environment: &str, arguments: &str) -> (Action, Deed) {
        let known = |text: &str| (!text.is_empty()).then(|| text.into());
        let deed = Deed {
            effect: Some((effect, Authority::Declared)),
            target: known(target).map(|target| (target, Authority::Declared)),
            environments: known(environment).into_iter().collect(),
            ..Deed::default()
        };
        let action = Action {
            tool: Known::Value(tool.into()),
            target: known(target).map_or(Known::ABSENT, |target| Known::Value((target, Provenance::Dialect))),
            arguments: Known::Value(text(arguments)),
            ..sample::action()
        };
        (action, deed)
    }

    fn of(words: &str, (action, deed): &(Action, Deed)) -> Meant {
        let stands = crate::values::standing::stands(words);
        let [stand] = &stands[..] else { panic!("{words}: {stands:#?}") };
        assert_eq!(stand.kind, StandKind::Hold, "{words}");
        let scope = stand.only.as_deref().and_then(Scope::of).unwrap_or_else(|| panic!("{words}: no scope"));
        meant(&scope, stand, action, deed)
    }

    #[test]
    fn what_is_known_of_a_call_decides() {
        use Effect::{Create, Delete, Execute, Send, Update};
        use Meant::{Maybe, No, Yes};
        let rows = || call("delete_rows", Delete, "pg://prod/crm/customers", "", "{}");
        let edit = |path: &str| call("edit_file", Update, path, "", r#"{"new":"vec.push(main)"}"#);
        for (words, call, want) in [
            ("Do not change production data.", call("delete_rows", Delete, "pg://db-7/crm", "prod", "{}"), Yes),
            ("Do not change production data.", rows(), Yes),
            ("Do not change production data.", call("insert_rows", Create, "pg://db-7/crm", "prod", "{}"), Yes),
            ("Do not change production data.", call("delete_rows", Delete, "pg://db-8/crm", "staging", "{}"), No),
            ("Do not change production data.", call("delete_rows", Delete, "pg://db-8/crm", "", "{}"), Maybe),
            ("Do not change production data.", call("delete_rows", Delete, "", "", "{}"), Maybe),
            ("Don't touch staging or prod.", rows(), Yes),
            ("Don't drop the customers table.", rows(), Yes),
            ("Don't drop the customer table.", rows(), Yes),
            ("Don't drop the orders table.", rows(), No),
            ("Don't drop the accounts table.", rows(), No),
            ("Don't drop the accounts table.", call("drop", Delete, "pg://db-7/accounts", "", "{}"), Yes),
            ("Don't delete files on the server.", call("rm", Delete, "file:///srv/files/a", "", "{}"), Maybe),
            ("Don't drop the users table.", call("delete_users", Delete, "", "", "{}"), Maybe),
            ("Don't drop the users table.", call("drop", Delete, "", "", r#"{"table":"users"}"#), Maybe),
            ("Don't delete anything in the crm database.", rows(), Yes),
            ("Don't touch the database.", rows(), Maybe),
            ("Don't change the tests.", edit("file:///repo/tests/a.py"), Yes),
            ("Don't change the tests.", edit("file:///repo/src/a.py"), No),
            ("Don't change the tests.", edit("file:///repo/src/test_a.py"), Maybe),
            ("Don't change the tests.", call("write_file", Create, "file:///repo/tests/b.py", "", "{}"), Maybe),
            ("Don't change anything in src/auth.", edit("file:///repo/src/auth/a.py"), Yes),
            ("Don't change anything in src/auth.", edit("file:///repo/src/ui/a.py"), No),
            ("Don't touch the main branch.", edit("file:///repo/src/main.rs"), Maybe),
            ("Don't push to main.", edit("file:///repo/src/main.rs"), Maybe),
            ("Don't push to main.", call("git_push", Send, "git://repo/refs/heads/main", "", "{}"), Yes),
            ("Don't push to main.", call("git_push", Send, "git://repo/refs/heads/fix", "", "{}"), No),
            ("Don't push to main.", call("git_pull", Execute, "git://repo/refs/heads/main", "", "{}"), No),
            ("Leave the tests alone.", call("run", Execute, "file:///repo/tests", "", "{}"), Maybe),
            ("Leave the tests alone.", edit("file:///repo/tests/a.py"), Yes),
        ] {
            assert_eq!(of(words, &call), want, "{words} {:?}", call.1);
        }
    }

    #[test]
    fn a_guessed_target_convicts_nobody() {
        let (action, mut deed) = call("edit_file", Effect::Update, "file:///repo/tests/a.py", "", "{}");
        deed.target = deed.target.map(|(target, _)| (target, Authority::Inferred));
        assert_eq!(of("Don't change the tests.", &(action, deed)), Meant::Maybe);
    }
}
