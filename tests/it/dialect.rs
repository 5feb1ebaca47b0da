//! Dialects against recordings of real frameworks: what they say about calls is what the scripted model and tools did.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::Value;
use wherefore::dialect::{Draft, Source, TABLE, UNREAD, evidence};
use wherefore::model::{By, Call, Evidence, Known, Missing, Moment, Node, Proof, Role, Status, Tenant, Text, What};
use wherefore::wire::{Record, records};

use crate::support::recordings::{Recording, read_recordings, recordings, truths};

fn read(recording: &Recording) -> Vec<Evidence> {
    let requests = recording.requests();
    let read = |(signal, body): &(_, Bytes)| -> Vec<Evidence> {
        records(*signal, body).map(|received| evidence(&Tenant::default(), Role::Agent, &received, body)).collect()
    };
    requests.iter().flat_map(read).collect()
}

fn calls(evidence: &Evidence) -> impl Iterator<Item = &Call> {
    evidence.facts.iter().filter_map(|fact| match &fact.what {
        What::Call(call) => Some(&**call),
        _ => None,
    })
}

/// Stacks whose tool spans carry call ids, so that each call can be looked up.
const SPANS_NAME_CALLS: &[&str] = &[
    "codex-cli",
    "gemini-cli",
    "genkit",
    "google-adk",
    "google-adk-schema1",
    "langgraph-traceloop",
    "ms-agent-framework",
    "openai-agents-logfire",
    "openai-agents-traceloop",
    "otel-openai-v2",
    "pydantic-ai",
    "strands-agents",
    "vercel-ai-sdk",
    "vercel-ai-sdk-7",
];

fn recordings_that_name_calls() -> impl Iterator<Item = Recording> {
    recordings().into_iter().filter(|recording| SPANS_NAME_CALLS.contains(&&*recording.stack))
}

/// A logical call: its tool, and its id where telemetry has one.
type Key = (String, Option<String>);

fn key(call: &Call) -> Key {
    (call.tool.as_deref().unwrap_or_default().to_owned(), call.id.as_deref().map(str::to_owned))
}

/// An agent behind a tool of any name: its span alone does not show it, the agent span below it does.
const AGENT_AS_TOOL: &str = "refund_specialist";

/// What the tool spans of a recording say about each call, copies by MCP and delegations left out. A span that also
/// asks is that of a call that waits.
fn outcomes(read: &[Evidence]) -> BTreeMap<Key, Vec<&'static str>> {
    let mut found: BTreeMap<Key, Vec<Moment>> = BTreeMap::new();
    let spans = read.iter().filter(|evidence| evidence.node == Node::Tool && evidence.dialect != "otel-mcp");
    for span in spans {
        let asks = calls(span).any(|call| call.moment == Moment::Asked);
        for call in calls(span).take(1).filter(|call| call.pseudo.is_none()) {
            if call.tool.as_deref() == Some(AGENT_AS_TOOL) {
                continue;
            }
            found.entry(key(call)).or_default().push(if asks { Moment::Asked } else { call.moment.clone() });
        }
    }
    found.into_iter().map(|(key, moments)| (key.clone(), words(key.1.is_some(), &moments))).collect()
}

/// Several spans with one id are one call; without an id each span is its own, but for one that only asked.
fn words(one: bool, moments: &[Moment]) -> Vec<&'static str> {
    let word = |moment: &Moment| match moment {
        Moment::Ran { status: Status::Fine, .. } => "executed",
        Moment::Ran { status: Status::Error(_), .. } => "failed",
        Moment::Refused { .. } => "refused",
        Moment::Asked => "asked",
        _ => "other",
    };
    let words: Vec<_> = moments.iter().map(word).collect();
    let strongest = ["refused", "failed", "executed", "asked"].into_iter().find(|word| words.contains(word));
    match one || words.iter().all(|word| *word == "asked") {
        true => strongest.into_iter().collect(),
        false => words.into_iter().filter(|word| *word != "asked").collect(),
    }
}

/// Where spans alone cannot tell: recording, tool, what its spans say. Each is decided by other records or by nobody:
/// with content in log events, by the answer in the next model's input; without content, by nothing.
const SPANS_CANNOT_TELL: &[(&str, &str, &str)] = &[
    ("google-adk/02-denied", "issue_refund", "failed"),
    ("google-adk/02-denied-nocontent", "issue_refund", "failed"),
    ("google-adk/04-guardrail", "issue_refund", "failed"),
    ("openai-agents-logfire/02-denied", "issue_refund", "asked"),
    ("openai-agents-traceloop/02-denied", "issue_refund", "asked"),
    ("openai-agents-traceloop/02-denied-nocontent", "issue_refund", "executed"),
    ("otel-openai-v2/02-denied", "issue_refund", "executed"),
    ("otel-openai-v2/05-toolerror", "get_order", "executed"),
];

#[test]
fn tool_spans_tell_what_ran_and_what_failed() {
    let truths = truths();
    let mut wrong = Vec::new();
    for recording in recordings_that_name_calls() {
        let name = recording.name();
        if truths[&name]["traces_file"].is_null() {
            continue;
        }
        let evidence = read(&recording);
        let found = outcomes(&evidence);
        let have_ids = found.keys().any(|(_, id)| id.is_some());
        let mut want: BTreeMap<Key, Vec<&str>> = BTreeMap::new();
        for call in truths[&name]["truth"]["calls"].as_array().expect("calls") {
            let tool = call["tool"].as_str().expect("a tool");
            let known = SPANS_CANNOT_TELL.iter().find(|(recording, about, _)| *recording == name && *about == tool);
            let outcome = match (known, call["outcome"].as_str().expect("an outcome")) {
                (Some((_, _, seen)), _) => seen,
                (None, "blocked_by_guardrail") => "refused",
                (None, outcome) => outcome,
            };
            let id = call["call_id"].as_str().filter(|_| have_ids).map(str::to_owned);
            want.entry((tool.to_owned(), id)).or_default().push(outcome);
        }
        // A tool that only has a retriever's span has no tool span.
        let retrieves = evidence.iter().any(|evidence| evidence.node == Node::Retrieval);
        let spanned: BTreeSet<&String> = found.keys().map(|(tool, _)| tool).collect();
        want.retain(|(tool, _), outcomes| {
            !retrieves || spanned.contains(tool) || outcomes.iter().any(|outcome| *outcome != "executed")
        });
        // Most frameworks make no span for a call that was refused or never ended.
        want.retain(|key, outcomes| {
            found.contains_key(key) || outcomes.iter().any(|word| *word != "refused" && *word != "pending")
        });
        if found != want {
            wrong.push((name, found, want));
        }
    }
    assert!(wrong.is_empty(), "recording, found, want: {wrong:#?}");
}

#[test]
fn arguments_on_spans_are_those_of_the_call() {
    for recording in read_recordings() {
        let truth = &truths()[&recording.name()];
        let read = read(&recording);
        for call in read.iter().filter(|evidence| evidence.node == Node::Tool).flat_map(|span| calls(span).take(1)) {
            let Some(text) = call.arguments.value() else { continue };
            let is = |told: &&Value| call.id.is_some() && told["call_id"].as_str() == call.id.as_deref();
            let mut calls = truth["truth"]["calls"].as_array().expect("calls").iter();
            let Some(told) = calls.find(is) else { continue };
            let hint = told["args_digest_hint"].as_str().unwrap_or_default();
            for word in hint.split_whitespace().map(|word| word.trim_end_matches(':')) {
                assert!(text.head.contains(word), "{}: {} lacks {word}", recording.name(), text.head);
            }
            let json: Value = serde_json::from_str(&text.head).expect("arguments are JSON");
            assert!(json.is_object() && json.get("input_str").is_none(), "{}: {json}", recording.name());
        }
    }
}

/// The calls that wait for a person, where a record says so.
#[test]
fn pending_approvals_are_asked_for() {
    for (name, id) in [
        ("pydantic-ai/02-denied", "call_00080"),
        ("pydantic-ai/03-approved", ""),
        ("google-adk/02-denied-semconv", "adk-0c97bedf-3d09-402a-b8fc-55a39a7d92c9"),
        ("google-adk-schema1/02-denied", "adk-dc9d2a10-4f99-46a2-bc95-5561f0ad18c4"),
        ("google-adk-schema1/03-approved", ""),
        ("strands-agents/02-denied", "call_00810"),
        ("strands-agents/02-denied-semconv", "call_01750"),
        ("strands-agents/03-approved", ""),
        ("langgraph-traceloop/02-denied", "call_02350"),
        ("langgraph-traceloop/03-approved", "call_02390"),
        ("langgraph-openinference/02-denied", "call_01910"),
        ("langgraph-openinference/03-approved", "call_01950"),
        ("llama-index-openinference/02-denied", "call_00220"),
        ("llama-index-openinference/03-approved", "call_00300"),
        ("vercel-ai-sdk/02-denied", "call_00340"),
        ("vercel-ai-sdk/03-approved", "call_00380"),
        ("genkit/02-denied", "call_01340"),
        ("genkit/03-approved", "call_01380"),
    ] {
        let read = read(&one(name));
        let asked: BTreeSet<&str> = read
            .iter()
            .flat_map(calls)
            .filter(|call| call.moment == Moment::Asked)
            .filter_map(|call| call.id.as_deref())
            .collect();
        assert_eq!(asked.len(), 1, "{name}: {asked:?}");
        assert!(id.is_empty() || asked.contains(id), "{name}: {asked:?}");
    }
}

#[test]
fn refusals_name_the_call_and_by_whom() {
    for (name, id, by) in [
        ("google-adk/02-denied-semconv", "adk-0c97bedf-3d09-402a-b8fc-55a39a7d92c9", By::Human),
        ("google-adk-schema1/02-denied", "adk-dc9d2a10-4f99-46a2-bc95-5561f0ad18c4", By::Human),
        ("google-adk-schema1/04-guardrail", "adk-f9d2ac50-3fb1-49af-acf2-cefec50f376b", By::Policy),
        ("ms-agent-framework/02-denied", "call_01930", By::Human),
        ("langgraph-traceloop/02-denied", "call_02350", By::Human),
        ("langgraph-openinference/02-denied", "call_01910", By::Human),
        ("codex-cli/02-denied", "call_00430", By::Human),
        ("gemini-cli/04-guardrail-hook", "write_file__write_file_1795149539639_0", By::Hook),
    ] {
        let read = read(&one(name));
        let refused: BTreeSet<(Option<&str>, By)> = read
            .iter()
            .flat_map(calls)
            .filter_map(|call| match call.moment {
                Moment::Refused { by } => Some((call.id.as_deref(), by)),
                _ => None,
            })
            .filter(|(id, _)| id.is_some())
            .collect();
        assert_eq!(refused.into_iter().collect::<Vec<_>>(), [(Some(id), by)], "{name}");
    }
}

#[test]
fn an_ended_span_proves_what_the_table_says() {
    for recording in recordings_that_name_calls() {
        let ghosts = ["google-adk", "openai-agents"].iter().any(|stack| recording.stack.starts_with(stack));
        for evidence in read(&recording).iter().filter(|evidence| evidence.dialect != "otel-mcp") {
            // Codex makes a span of every dispatch, and a result event of what came of it.
            let ghost = ghosts || evidence.dialect == "codex-cli" && evidence.node == Node::Tool;
            let want = if ghost { Proof::NeedsResult } else { Proof::Ran };
            for call in calls(evidence).filter(|call| call.pseudo.is_none()) {
                if let Moment::Ran { proof, .. } = call.moment {
                    assert_eq!(proof, want, "{} {:?}", recording.name(), call.tool);
                }
            }
        }
    }
}

fn missing(known: &Known<Text>) -> Option<Missing> {
    known.missing()
}

#[test]
fn content_that_is_off_is_withheld_and_said_so() {
    let off = |recording: &Recording| {
        ["nocontent", "redacted", "hidden"].iter().any(|word| recording.scenario.contains(word))
    };
    for recording in read_recordings().into_iter().filter(off) {
        let read = read(&recording);
        let own = read.iter().filter(|evidence| evidence.node == Node::Tool && evidence.dialect != "otel-mcp");
        for call in own.flat_map(|span| calls(span).take(1)) {
            assert_eq!(missing(&call.arguments), Some(Missing::Withheld), "{}", recording.name());
            assert_eq!(missing(&call.result), Some(Missing::Withheld), "{}", recording.name());
        }
        let says = read.iter().any(|evidence| evidence.facts.iter().any(|fact| fact.what == What::Withheld));
        assert!(says, "{}", recording.name());
    }
}

/// One of each content form, with everything captured.
#[test]
fn content_that_is_on_is_not_withheld() {
    for name in [
        "pydantic-ai/01-benign",
        "google-adk/01-benign-semconv",
        "strands-agents/01-benign",
        "otel-openai-v2/01-benign-semconv",
        "langgraph-traceloop/01-benign",
        "openai-agents-openinference/01-benign",
        "smolagents-openinference/01-benign",
        "vercel-ai-sdk-7/01-benign",
        "vercel-ai-sdk/01-benign",
        "genkit/01-benign",
        "langfuse-sdk/01-benign",
        "gemini-cli/01-benign",
        "openai-agents-logfire/01-benign",
        "openai-agents-traceloop/01-benign",
    ] {
        let read = read(&one(name));
        let says = |what: &What| read.iter().flat_map(|evidence| &evidence.facts).any(|fact| fact.what == *what);
        assert!(!says(&What::Withheld), "{name}");
        for call in read.iter().filter(|evidence| evidence.node == Node::Tool).flat_map(|span| calls(span).take(1)) {
            assert!(call.arguments.is_present() && call.result.is_present(), "{name} {:?}", call.tool);
        }
    }
}

#[test]
fn a_conversation_is_what_joins_turns() {
    for (name, want) in [
        ("google-adk/08-multiturn", vec!["conv-8f2a"]),
        ("google-adk-schema1/08-multiturn", vec!["conv-8f2a"]),
        ("strands-agents/08-multiturn", vec!["conv-8f2a"]),
        ("langgraph-traceloop/08-multiturn", vec!["conv-8f2a"]),
        ("langgraph-openinference/08-multiturn-smallbatch", vec!["conv-8f2a"]),
        // No session, but every input repeats the dialogue's items.
        ("openai-agents-openinference/08-multiturn", vec!["msg_000062"]),
        ("otel-openai-v2/08-multiturn", vec!["conv-8f2a"]),
        ("openai-agents-logfire/08-multiturn", vec!["conv-8f2a"]),
        ("codex-cli/08-multiturn", vec!["01a1f73e-f9ea-7fc2-b307-29f516dc7c7c"]),
        // The previous response's id stands in its place and changes with every turn.
        ("ms-agent-framework/08-multiturn-responses", vec![]),
        ("vercel-ai-sdk-7/08-multiturn", vec![]),
        ("vercel-ai-sdk/08-multiturn", vec!["conv-8f2a"]),
        ("langfuse-sdk/08-multiturn", vec!["conv-8f2a"]),
        ("genkit/08-multiturn", vec![]),
    ] {
        let read = read(&one(name));
        let ids: BTreeSet<&str> = read
            .iter()
            .flat_map(|evidence| &evidence.facts)
            .filter_map(|fact| match &fact.what {
                What::Conversation(id) => Some(&**id),
                _ => None,
            })
            .collect();
        assert_eq!(ids.into_iter().collect::<Vec<_>>(), want, "{name}");
    }
}

#[test]
fn handoffs_are_delegations_to_the_named_agent() {
    for (name, want) in [
        ("google-adk/06-handoff-semconv", "refund_agent"),
        ("google-adk-schema1/06-handoff", "refund_agent"),
        ("google-adk/06-astool", "refund_specialist"),
        ("ms-agent-framework/06-handoff", "refund_agent"),
        ("strands-agents/06-swarm", "refund_agent"),
        ("llama-index-openinference/06-handoff", "refund_agent"),
        ("openai-agents-openinference/06-handoff", "Refund Agent"),
        ("smolagents-openinference/06-subagent", "refund_specialist"),
        ("openai-agents-logfire/06-handoff", "Refund Agent"),
        ("openai-agents-traceloop/06-handoff", "refund_agent"),
        ("codex-cli/06-subagent", "Laplace"),
    ] {
        let read = read(&one(name));
        let to: BTreeSet<&str> = read
            .iter()
            .flat_map(calls)
            .filter_map(|call| match &call.pseudo {
                Some(wherefore::model::Pseudo::Delegation { to: Some(to) }) => Some(&**to),
                _ => None,
            })
            .collect();
        assert_eq!(to.into_iter().collect::<Vec<_>>(), [want], "{name}");
    }
}

#[test]
fn made_up_ids_are_no_ids() {
    for recording in recordings().into_iter().filter(|recording| recording.stack.starts_with("google-adk")) {
        for evidence in read(&recording) {
            for fact in &evidence.facts {
                if let What::Messages(messages) = &fact.what {
                    let json: Value = serde_json::from_slice(&messages.json).expect("whole arrays");
                    let ids = json.as_array().into_iter().flatten().flat_map(|message| message["parts"].as_array());
                    assert!(ids.flatten().all(|part| part["id"].is_null()), "{}: {json}", recording.name());
                }
            }
        }
    }
}

#[test]
fn every_record_keeps_its_place_and_has_one_id() {
    for recording in read_recordings() {
        let mut seen = BTreeMap::new();
        for (signal, body) in recording.requests() {
            for received in records(signal, &body) {
                let read = evidence(&Tenant::default(), Role::Agent, &received, &body);
                match received.record {
                    Record::Span(span) => {
                        assert_eq!(read.trace, Some(span.trace_id));
                        assert_eq!(read.span, Some(span.span_id));
                        assert_eq!(read.parent, span.parent_span_id);
                        assert_eq!((read.start, read.end), (span.start, span.end));
                        assert_ne!(read.node, Node::Log);
                    }
                    Record::Log(log) => {
                        assert_eq!(read.node, Node::Log);
                        assert_eq!(read.start, log.time_or_observed());
                    }
                }
                let other = evidence(&Tenant::new("other"), Role::Agent, &received, &body);
                assert_ne!(read.id, other.id);
                let twin = seen.insert(read.id, received.record.bytes().to_vec());
                assert!(twin.is_none_or(|twin| twin == received.record.bytes()), "{}", recording.name());
            }
        }
    }
}

/// A reader meets records of every other dialect sooner or later.
#[test]
fn every_dialect_reads_every_record_without_harm() {
    let mut read_by = BTreeSet::new();
    for recording in recordings() {
        for (signal, body) in recording.requests() {
            for received in records(signal, &body) {
                let source = Source::new(&received, &body);
                for dialect in TABLE {
                    let mut draft = Draft::new(&source);
                    dialect.read(&source, &mut draft);
                    if dialect.reads(&source) {
                        read_by.insert(dialect.name());
                    }
                }
            }
        }
    }
    for name in [
        "otel-genai",
        "otel-genai-events",
        "otel-mcp",
        "google-adk",
        "pydantic-ai",
        "strands",
        "ms-agent-framework",
        "traceloop",
        "vercel-ai-7",
        "openinference",
        "vercel-ai",
        "genkit",
        "langfuse",
        "openai-agents",
        "logfire-openai-agents",
        "codex-cli",
        "gemini-cli",
        "nemo-guardrails",
    ] {
        assert!(read_by.contains(name), "{name} reads no recording");
    }
}

/// Views over bytes that nobody validated still only lend what can be read.
#[test]
fn damaged_records_do_no_harm() {
    for name in [
        "google-adk-schema1/02-denied",
        "langgraph-traceloop/02-denied",
        "strands-agents/02-denied",
        "langgraph-openinference/02-denied",
        "llama-index-openinference/02-denied",
        "openai-agents-openinference/04-guardrail-input",
    ] {
        for (signal, body) in one(name).requests() {
            for at in (0..body.len()).step_by(1 + body.len() / 40) {
                let mut damaged = body.to_vec();
                damaged[at] ^= 0x2a;
                let damaged = Bytes::from(damaged);
                for received in records(signal, &damaged) {
                    evidence(&Tenant::default(), Role::Agent, &received, &damaged);
                }
            }
        }
    }
}

#[test]
fn records_of_agents_are_read() {
    let mut lost = BTreeSet::new();
    for recording in read_recordings() {
        let unread: Vec<_> = read(&recording).into_iter().filter(|evidence| evidence.dialect == UNREAD).collect();
        let bare = |evidence: &Evidence| evidence.facts.is_empty() && matches!(evidence.node, Node::Other | Node::Log);
        assert!(unread.iter().all(bare));
        if !recording.scenario.contains("anthropic") && !recording.stack.starts_with("strands") {
            lost.extend(unread.iter().map(|evidence| (recording.name(), evidence.instrumentation.clone())));
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
}

#[test]
fn messages_are_passed_on_without_copying() {
    for (signal, body) in one("pydantic-ai/01-benign").requests() {
        for received in records(signal, &body) {
            for fact in evidence(&Tenant::default(), Role::Agent, &received, &body).facts {
                if let What::Messages(messages) = fact.what {
                    assert!(body.as_ptr_range().contains(&messages.json.as_ptr()));
                }
            }
        }
    }
}

fn one(name: &str) -> Recording {
    recordings().into_iter().find(|recording| recording.name() == name).expect("a recording of this name")
}
