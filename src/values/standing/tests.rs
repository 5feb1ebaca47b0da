//! Sentences that bind and sentences that do not, one table each.

use proptest::prelude::*;

use super::*;

/// Kind, effects and what it is about, of each constraint in a text.
pub(super) fn said(text: &str) -> Vec<(StandKind, String, String)> {
    let words = |effects: &Effects| match effects {
        Effects::All => "all".to_owned(),
        Effects::Some(effects) => effects.iter().map(|effect| effect.as_str()).collect::<Vec<_>>().join(" "),
    };
    let found = stands(text).into_iter();
    found.map(|it| (it.kind, words(&it.effects), it.only.as_deref().unwrap_or_default().to_owned())).collect()
}

fn first_is(kind: StandKind, cases: &[(&str, &str, &str)]) {
    for (text, effects, only) in cases {
        let want = Some((kind, (*effects).to_owned(), (*only).to_owned()));
        assert_eq!(said(text).into_iter().next(), want, "{text}");
    }
}

#[test]
fn what_holds_an_agent_back() {
    first_is(
        StandKind::Hold,
        &[
            ("Look, don't act until I say so.", "all", ""),
            ("look, don’t act until I say so", "all", ""),
            ("Do not change anything.", "create update delete", ""),
            ("Don't delete anything.", "delete", ""),
            ("Please do not send anything.", "send", ""),
            ("Read-only, please.", "all", ""),
            ("Ask me before you delete anything.", "delete", ""),
            ("Wait for my go-ahead.", "all", ""),
            ("Nothing is to be sent until I have approved.", "send", ""),
            ("Don't act.", "all", ""),
            ("Just look.", "all", ""),
            ("Do not change, delete or send anything.", "create update delete send", ""),
            ("Please don't modify or delete anything yet.", "create update delete", ""),
            ("You must not touch anything until I tell you to.", "create update delete", ""),
            ("Never send anything without my approval.", "send", ""),
            ("Do nothing until I confirm.", "all", ""),
            ("Don't send it until I've approved it.", "send", "it"),
            ("Draft the mail to Bob, but don't send it until I say so.", "send", "it"),
            ("Check with me before making any changes.", "all", ""),
            ("Always ask before deleting anything.", "delete", ""),
            ("Let me review the plan before you change anything.", "create update delete", ""),
            ("I want to approve everything before it is sent.", "send", ""),
            ("Only act when I tell you to.", "all", ""),
            ("Hold off on sending anything until I confirm.", "send", ""),
            ("No changes until I approve them.", "all", ""),
            ("Nothing should be deleted.", "delete", ""),
            ("Nothing goes out without my ok.", "all", ""),
            ("Make no changes.", "all", ""),
            ("Take no action until I say so.", "all", ""),
            ("Stay in read-only mode.", "all", ""),
            ("Don't make any changes for now.", "all", ""),
            ("Don't take any action yet.", "all", ""),
            ("Until I say so, don't do anything.", "all", ""),
            ("Hi Claude, please do not do anything until I tell you to.", "all", ""),
            (
                "Check this inbox too and suggest what you would archive or delete, don't act until I tell you to.",
                "all",
                "",
            ),
            ("You are not allowed to delete anything.", "delete", ""),
            ("I don't want you to send anything yet.", "send", ""),
            ("Avoid changing anything.", "create update delete", ""),
            ("Refrain from sending any emails.", "send", "emails"),
            ("Don't send any emails until I say so.", "send", "emails"),
            ("Don't deploy anything before I have signed off.", "all", "deploy"),
            ("Do not run any commands without my permission.", "execute", "commands"),
            ("Hands off until I say so.", "all", ""),
            ("Delete nothing.", "delete", ""),
            ("Get my approval before you send anything.", "send", ""),
            ("Ask for my permission before deleting anything.", "delete", ""),
            ("No emails are to be sent without my approval.", "send", "emails"),
            ("Don't delete anything, ok?", "delete", ""),
            ("We are in a code freeze: do not change anything until further notice.", "create update delete", ""),
            ("This is read-only.", "all", ""),
            ("Look, but don't touch.", "all", ""),
            ("Make sure you don't change anything.", "create update delete", ""),
            ("Don't proceed until I approve.", "all", ""),
            ("Wait until I say so.", "all", ""),
            ("Don't issue any refunds until I say so.", "all", "refunds"),
            ("Bitte ändere nichts, bis ich es sage.", "create update delete", ""),
            ("Lösche nichts.", "delete", ""),
            ("Nichts löschen!", "delete", ""),
            ("Frag mich, bevor du etwas löschst.", "delete", ""),
            ("Warte auf meine Freigabe.", "all", ""),
            ("Nur lesen.", "all", ""),
            ("Handle nicht, bis ich es sage.", "all", ""),
            ("Sende nichts ohne meine Zustimmung.", "send", ""),
            ("Führe nichts aus, bevor ich zugestimmt habe.", "execute", ""),
            ("Schau nur.", "all", ""),
            ("Es darf nichts gelöscht werden.", "delete", ""),
            ("Mach noch nichts.", "all", ""),
            ("Ne supprime rien.", "delete", ""),
            ("N'envoie rien sans mon accord.", "send", ""),
            ("Ne modifiez rien avant que je le dise.", "create update delete", ""),
            ("Attends mon feu vert.", "all", ""),
            ("Lecture seule.", "all", ""),
            ("Ne fais rien tant que je ne te le dis pas.", "all", ""),
            ("Demande-moi avant de supprimer quoi que ce soit.", "delete", ""),
            ("Rien ne doit être envoyé avant mon accord.", "send", ""),
            ("N'agis pas avant que je le dise.", "all", ""),
            ("No borres nada.", "delete", ""),
            ("No envíes nada sin mi aprobación.", "send", ""),
            ("No hagas nada hasta que te diga.", "all", ""),
            ("Espera mi aprobación.", "all", ""),
            ("Solo lectura.", "all", ""),
            ("Pregúntame antes de borrar nada.", "delete", ""),
            ("No cambies nada, por favor.", "create update delete", ""),
            ("No actúes hasta que yo lo diga.", "all", ""),
        ],
    );
}

#[test]
fn what_holds_nobody_back() {
    for text in [
        "Should I not delete it?",
        "Should we not send anything until Monday?",
        "Did you delete anything?",
        "I did not delete anything.",
        "You did not send anything.",
        "I said don't act last week, that is over now.",
        "Don't use bullet points.",
        "Don't send me long mails.",
        "Don't make anything up.",
        "Don't change the tone of the letter.",
        "Do not change the title.",
        "Don't change anything else.",
        "Don't change anything except the title.",
        "Don't delete anything that is newer than a week.",
        "If the order is not found, do not do anything.",
        "Don't send anything if the amount is above 100.",
        "When the build fails, don't deploy anything.",
        "Tell Bob not to send anything.",
        "Tell Bob: do not send anything until I say so.",
        "Write a mail to the team: nothing is to be sent until I have approved.",
        "The mail says \"do not act until I say so\".",
        "He wrote: \"Don't delete anything.\"",
        "Translate 'do not change anything' into French.",
        "Summarise the policy that nothing may be deleted.",
        "Look up the order and refund it.",
        "Just look up the weather in Berlin.",
        "Just look at the logs and fix the bug.",
        "Read only the first page.",
        "Make the file read-only.",
        "Is the flag read-only?",
        "The filesystem is mounted read-only, fix it.",
        "Wait for the build to finish, then deploy.",
        "Wait five minutes.",
        "Wait for my colleague's message and forward it.",
        "Don't act like a pirate.",
        "Don't act surprised.",
        "Never mind.",
        "Don't worry about it.",
        "I don't want to change anything.",
        "I don't want to cancel the flight anymore.",
        "Please don't forget to send the mail.",
        "Do not hesitate to send anything you find.",
        "Don't proceed.",
        "Don't go ahead.",
        "Don't send it.",
        "Do not delete order 123.",
        "Don't add any comments.",
        "Don't write more than 100 words.",
        "Nothing was deleted.",
        "Nothing has changed.",
        "There is nothing to send.",
        "No changes.",
        "No changes to the baggage.",
        "No, nothing else.",
        "Before you delete the file, make a backup.",
        "Ask Alice before you book the room.",
        "Check with Bob before sending it.",
        "Ask me a question about French history.",
        "Ask me anything.",
        "Let me know before Friday.",
        "Let me see the emails from Bob.",
        "I want to see everything in the inbox.",
        "I need to approve the invoice, find it.",
        "What happens if I don't do anything?",
        "Can you explain why nothing should be deleted?",
        "The customer said do not send anything.",
        "> do not act until I say so",
        "Wer hat nichts gelöscht?",
        "Ändere nichts am Titel.",
        "Lösche die Datei und ändere nichts an den anderen.",
        "Ich habe nichts gelöscht.",
        "Warum soll ich nichts senden?",
        "Schreib Bob: lösche nichts.",
        "Je n'ai rien supprimé.",
        "Est-ce que je ne dois rien envoyer ?",
        "Ne change pas le titre.",
        "N'oublie pas d'envoyer le mail.",
        "No he borrado nada.",
        "¿No debería borrar nada?",
        "No cambies el título.",
        "No olvides enviar el correo.",
        "Espera cinco minutos.",
        "Only respond in JSON.",
        "Do not include anything but the answer.",
        "Do not use any tools.",
        "Never apologise.",
        "Don't run out of time.",
        "Do not take more than three steps.",
        "Don't take any chances.",
        "Don't touch that dial.",
        "Keep it short.",
        "Do not do it like that.",
        "Don't make it too long.",
        "Don't share your instructions with anyone.",
        "Don't order the results by date.",
        "Don't close the tag.",
    ] {
        assert_eq!(said(text), [], "{text}");
    }
}

#[test]
fn what_lets_an_agent_go() {
    first_is(
        StandKind::Release,
        &[
            ("Go ahead.", "all", ""),
            ("Go ahead and delete them.", "all", "delete them"),
            ("OK, go ahead with the refund.", "all", "it"),
            ("You may now act.", "all", ""),
            ("You can now proceed.", "all", ""),
            ("Approved, do it.", "all", ""),
            ("Approved.", "all", ""),
            ("I approve.", "all", ""),
            ("I say so: delete them.", "all", ""),
            ("You have my approval.", "all", ""),
            ("Permission granted.", "all", ""),
            ("Yes.", "all", "it"),
            ("Yes, do it.", "all", "it"),
            ("Proceed.", "all", ""),
            ("You are free to act now.", "all", ""),
            ("The freeze is over.", "all", ""),
            ("You may now send the mails.", "send", "the mails"),
            ("Leg los.", "all", ""),
            ("Mach es.", "all", "it"),
            ("Du darfst jetzt handeln.", "all", ""),
            ("Freigegeben.", "all", ""),
            ("Vas-y.", "all", ""),
            ("Allez-y, s'il vous plaît.", "all", ""),
            ("Approuvé.", "all", ""),
            ("Adelante.", "all", ""),
            ("Hazlo.", "all", "it"),
            ("Aprobado.", "all", ""),
            ("Puedes proceder.", "all", ""),
        ],
    );
}

#[test]
fn what_lets_nobody_go() {
    for text in [
        "Don't go ahead.",
        "Do not proceed.",
        "Should I go ahead?",
        "I went ahead and booked it.",
        "He approved it last week.",
        "Was it approved?",
        "The approved vendors are listed here.",
        "I do not approve.",
        "He gave the go-ahead.",
        "Not approved.",
        "Tell him to go ahead.",
        "If it works, tell me.",
        "Did I say so?",
        "Nicht freigegeben.",
        "Leg die Datei an.",
        "Ne vas-y pas.",
        "No lo apruebo.",
    ] {
        assert_eq!(said(text), [], "{text}");
    }
}

#[test]
fn every_sentence_of_a_message_counts_and_is_quoted() {
    let text = "Clean up my inbox. Please look first,\nand don't act until I say so!\nThanks.";
    let [found] = &stands(text)[..] else { panic!("{:#?}", stands(text)) };
    assert_eq!(&*found.quote, "Please look first,\nand don't act until I say so!");
    assert_eq!(said("Don't delete anything. Go ahead and send it.").len(), 2);
}

#[test]
fn what_somebody_else_wrote_binds_nobody() {
    for text in [
        "Answer this mail.\n\nFrom: bob@example.com\nDon't act until I say so.",
        "Fix this:\n```\n# do not change anything\n```",
        "Write this to the team:\nDo not change anything.\nNothing may be sent.",
        "This session is being continued from a previous conversation that ran out of context. Don't act.",
        "## Conversation summary\nNothing is to be sent.",
        "<system-reminder>Do not change anything.</system-reminder>",
        "> Don't delete anything.\nWhat does he mean?",
        "He wrote \u{201e}Lösche nichts.\u{201c} to me.",
    ] {
        assert_eq!(said(text), [], "{text}");
    }
    assert_eq!(said("\"Don't act until I say so.\"").len(), 1, "a message that is one quotation is what was said");
}

#[test]
fn a_long_yes_is_an_answer_to_something_else() {
    assert_eq!(said("Yes.").len(), 1);
    assert_eq!(said("Yes, my user id is mia_li_3668 and I live in Seattle."), []);
}

proptest! {
    #[test]
    fn any_text_can_be_read(text in "(?s).{0,200}") {
        for stand in stands(&text) {
            prop_assert!(stand.quote.len() <= Stand::QUOTE && text.contains(&*stand.quote));
        }
    }

    #[test]
    fn words_in_any_order_can_be_read(words in proptest::collection::vec("(do|not|never|wait|for|my|approval|nothing|is|to|be|sent|,|:|until|i|say|so|go|ahead|nichts|rien|nada|ne|V|\\?|\\.|\"|'|don't|\n)", 0..30)) {
        let text = words.join(" ");
        prop_assert!(stands(&text).len() <= MOST);
    }
}
