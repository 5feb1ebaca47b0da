//! The chain of one action, from the user's intent to the verdicts, for a person who has never seen it.
//!
//! Every stage is there, in order, whether or not something is known about it: what is missing is part of the answer.

use super::WIDTH;
use super::phrases::{clock, decision, length, missing, records, service, short, state, when, witness};
use super::sheet::{INDENT, Sheet, brief, cell, columns_of};
use crate::model::{
    Action, CallSays, Check, Confidence, Cost, Decision, Effects, Field, Finding, FindingState, Known, Lineage,
    Missing, ModeAt, ModelUse, Outcome, Piece, Provenance, Says, Severity, Shared, Span, StandAt, StandKind, State,
    Text, Turn, Value, Verdict,
};

/// How many ids of context are shown: whoever wants them all asks for JSON.
const CONTEXT_IDS: usize = 20;

/// Explains one action in 80 columns.
pub fn why(lineage: &Lineage) -> String {
    let (action, turn) = (&lineage.action, &lineage.turn);
    let mut sheet = Sheet::default();
    header(&mut sheet, lineage);
    sheet.gap();
    intent(&mut sheet, turn);
    prompt_and_policy(&mut sheet, action, turn);
    context(&mut sheet, action, turn);
    sheet.gap();
    plan(&mut sheet, action, turn);
    models(&mut sheet, turn);
    sheet.gap();
    call(&mut sheet, action);
    decisions(&mut sheet, action);
    output(&mut sheet, action);
    checks(&mut sheet, action);
    sheet.gap();
    findings(&mut sheet, action);
    verdicts(&mut sheet, lineage);
    completeness(&mut sheet, action);
    sheet.gap();
    neighbours(&mut sheet, lineage);
    joins(&mut sheet, action);
    legend(&mut sheet);
    sheet.finish()
}

/// A row whose value is missing.
fn lacks(sheet: &mut Sheet, label: &str, before: &str, why: Missing) {
    let word = sheet.word(why);
    sheet.row(label, &format!("{before}{word}"));
}

/// What the words mean that stand for missing values, each once.
fn legend(sheet: &mut Sheet) {
    let words = sheet.missing();
    if !words.is_empty() {
        sheet.gap();
    }
    for why in words {
        sheet.row(why.as_str(), missing(why));
    }
}

fn header(sheet: &mut Sheet, lineage: &Lineage) {
    let (action, turn) = (&lineage.action, &lineage.turn);
    let target = action.target.value().map(|(target, _)| format!(" on {target}")).unwrap_or_default();
    sheet.heading(&format!("{}{target}", action.tool_label()));
    sheet.heading(&format!("{}{}", state(&action.state), alarms(action)));
    sheet.gap();
    sheet.row("action", &action.id.to_string());
    if let Some(other) = action.merged_into {
        sheet.note(&format!("merged: it goes on as {other}"));
    }
    sheet.row("when", &when(action.start, action.end));
    let agent = agent(sheet, action);
    let version = action.service_version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    sheet.row("agent", &format!("{agent} of {}{version}", service(&action.service)));
    sheet.row("turn", &turn.id.to_string());
    if let Some((trace, span)) = action.trace() {
        sheet.row("trace", &format!("{trace}, span {span}"));
    }
    if let Some(conversation) = &turn.conversation {
        sheet.row("conversation", &conversation.value.1);
    }
    let settled = if lineage.settled { "settled" } else { "open: more evidence may change it" };
    sheet.row("record", &format!("revision {}, {settled}", action.revision));
    marks(sheet, action);
}

/// What is wrong, in the second line: bad verdicts, and open findings that somebody should look at.
fn alarms(action: &Action) -> String {
    let bad = action.verdicts.iter().filter(|verdict| verdict.value == Value::Bad);
    let bad = bad.map(|verdict| format!("; bad {}", verdict.sli));
    let open = |finding: &&Finding| finding.state == FindingState::Open && finding.severity > Severity::Info;
    let open = action.findings.iter().filter(open).map(|finding| format!("; {} {}", finding.severity, finding.rule));
    bad.chain(open).collect()
}

fn agent(sheet: &mut Sheet, action: &Action) -> String {
    match &action.agent {
        Known::Value((name, Some(version))) => format!("{name} {version}"),
        Known::Value((name, None)) => name.to_string(),
        Known::Missing(why) => format!("unnamed ({})", sheet.word(*why)),
    }
}

fn marks(sheet: &mut Sheet, action: &Action) {
    let marks = action.marks;
    for (is, phrase) in [
        (marks.sampled, "sampled telemetry: neighbours may never arrive"),
        (marks.root_lost, "the root of its turn never came"),
        (marks.crowded, "more evidence than a row keeps"),
    ] {
        if is {
            sheet.note(phrase);
        }
    }
}

fn intent(sheet: &mut Sheet, turn: &Turn) {
    shared(sheet, "intent", &turn.intent);
    if let Some(root) = turn.root {
        sheet.note(&format!("that of turn {root}, where the work began"));
    }
    if let Some(id) = &turn.intent_id {
        sheet.note(&format!("id {} {}", id.value, source(id)));
    }
    if let Some(task) = &turn.task {
        sheet.row("task", &format!("what its caller told it {}", source(task)));
        text(sheet, &task.value);
    }
    for StandAt { stand, evidence, from, .. } in &turn.stands {
        let label = if stand.kind == StandKind::Hold { "held back" } else { "released" };
        let only = stand.only.as_ref().map(|only| format!(", only {only}")).unwrap_or_default();
        let turn = from.map(|turn| format!(", in turn {turn}")).unwrap_or_default();
        sheet.row(label, &format!("{}{only} (record {evidence}{turn})", effects(&stand.effects)));
        sheet.detail(&format!("\u{201c}{}\u{201d}", stand.quote));
    }
}

/// What a standing constraint is about.
fn effects(effects: &Effects) -> String {
    match effects {
        Effects::All => "every action but looking".to_owned(),
        Effects::Some(effects) => effects.iter().map(|effect| effect.as_str()).collect::<Vec<_>>().join(", "),
    }
}

fn prompt_and_policy(sheet: &mut Sheet, action: &Action, turn: &Turn) {
    shared(sheet, "prompt", &turn.prompt);
    if let Some(version) = &turn.prompt_version {
        sheet.note(&format!("version {} {}", version.value, source(version)));
    }
    match &action.policy {
        Known::Value(policies) => sheet.row("policy", &policies.join(", ")),
        Known::Missing(why) => lacks(sheet, "policy", "", *why),
    }
    for mode in turn.modes_during(action) {
        let since = clock(mode.at, action.start);
        sheet.note(&format!("mode {} since {since}{} ({})", mode.mode, unasked(mode), short(&mode.evidence)));
    }
}

/// What a mode means for a call.
fn unasked(mode: &ModeAt) -> &'static str {
    match mode.bypass {
        Some(true) => ", nobody is asked",
        Some(false) => ", somebody is asked",
        None => ", some calls run unasked",
    }
}

fn context(sheet: &mut Sheet, action: &Action, turn: &Turn) {
    let ids: Vec<&str> = turn.retrieved(action.end).into_iter().map(|id| &**id).collect();
    let (shown, more) = ids.split_at(ids.len().min(CONTEXT_IDS));
    match &action.context {
        Known::Value(_) if ids.is_empty() => sheet.row("context", "retrieval ran and found nothing"),
        Known::Value(_) if more.is_empty() => sheet.row("context", &shown.join(", ")),
        Known::Value(_) => sheet.row("context", &format!("{} and {} more", shown.join(", "), more.len())),
        Known::Missing(why) => lacks(sheet, "context", "", *why),
    }
}

fn plan(sheet: &mut Sheet, action: &Action, turn: &Turn) {
    match &turn.plan {
        Known::Value(plan) => {
            let id = plan.value.id.as_ref().map(|id| format!("{id} ")).unwrap_or_default();
            sheet.row("plan", &format!("{id}{}", source(plan)));
            text(sheet, &plan.value.text);
        }
        Known::Missing(why) => lacks(sheet, "plan", "", *why),
    }
    if let Some(step) = &action.plan_step {
        sheet.note(&format!("this call is step {step}"));
    }
    for about in &turn.plan_decisions {
        sheet.note(&format!("{} {}", clock(about.at, action.start), decision(about)));
        sheet.detail(&witness(about.witness.as_ref()));
    }
}

/// Which models answered in the turn, and what they used: a row each, and their sum.
fn models(sheet: &mut Sheet, turn: &Turn) {
    let mut names: Vec<(&str, &str)> = Vec::new();
    for model in &turn.models {
        let name = (&*model.provider, &*model.model);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut label = "model";
    for name in &names {
        let same = turn.models.iter().filter(|other| (&*other.provider, &*other.model) == *name);
        let provider = if name.0.is_empty() { "a provider not named" } else { name.0 };
        sheet.row(label, &format!("{} by {provider}, {}", name.1, used(&same.collect::<Vec<_>>())));
        label = "";
    }
    if names.len() > 1 {
        sheet.row("", &format!("together {}", used(&turn.models.iter().collect::<Vec<_>>())));
    }
    for (at, step, said) in &turn.containment {
        sheet.row("contained", &format!("{} {step}", clock(*at, turn.start)));
        sheet.detail(&witness(Some(said)));
    }
    let mut label = "delegated";
    for delegation in &turn.delegations {
        sheet.row(label, &delegation.to_string());
        label = "";
    }
    let mut label = "goes on from";
    for edge in &turn.edges {
        sheet.row(label, &format!("turn {} ({}, {})", edge.with, edge.method, edge.confidence.as_str()));
        label = "";
    }
}

/// Calls, tokens and cost. What nobody told is not nothing.
fn used(calls: &[&ModelUse]) -> String {
    let count = |count: usize| if count == 1 { "1 call".to_owned() } else { format!("{count} calls") };
    let partly = |told: usize| if told == calls.len() { String::new() } else { format!(" told of {told}") };
    let counted = calls.iter().filter(|call| call.tokens != (0, 0)).count();
    let sum = |pick: fn(&ModelUse) -> u64| calls.iter().fold(0_u64, |sum, call| sum.saturating_add(pick(call)));
    let tokens = match counted {
        0 => "tokens not told".to_owned(),
        _ => format!("{} tokens read, {} written{}", sum(|it| it.tokens.0), sum(|it| it.tokens.1), partly(counted)),
    };
    let costs: Vec<Cost> = calls.iter().filter_map(|call| call.cost).collect();
    let cost = costs.iter().copied().reduce(Cost::plus).map(|sum| format!(", {sum}{}", partly(costs.len())));
    format!("{}, {tokens}{}", count(calls.len()), cost.unwrap_or_default())
}

fn call(sheet: &mut Sheet, action: &Action) {
    let effect = match &action.effect {
        Known::Value((effect, provenance)) => format!(", effect {effect} ({})", provenance.as_str()),
        Known::Missing(_) => String::new(),
    };
    let egress = match &action.egress {
        Known::Value((true, provenance)) => format!(", egress ({})", provenance.as_str()),
        Known::Value((false, provenance)) => format!(", no egress ({})", provenance.as_str()),
        Known::Missing(_) => String::new(),
    };
    let id = action.call_id.as_ref().map(|id| format!(", call id {id}")).unwrap_or_default();
    match &action.tool {
        Known::Value(tool) => sheet.row("call", &format!("{tool}{effect}{egress}{id}")),
        Known::Missing(why) => lacks(sheet, "call", "its tool is ", *why),
    }
    if let Some(version) = &action.tool_version {
        sheet.note(&format!("its tool's definition is {version}"));
    }
    match &action.target {
        Known::Value((target, provenance)) => sheet.row("target", &format!("{target} ({})", provenance.as_str())),
        Known::Missing(why) => lacks(sheet, "target", "", *why),
    }
    let says = |call: &CallSays, wanted: &Text| call.arguments.value().is_some_and(|text| text.digest == wanted.digest);
    told(sheet, "parameters", action, &action.arguments, says);
}

fn output(sheet: &mut Sheet, action: &Action) {
    let says = |call: &CallSays, wanted: &Text| call.result.value().is_some_and(|text| text.digest == wanted.digest);
    told(sheet, "output", action, &action.output, says);
    if let Some((before, after)) = &action.state_versions {
        sheet.note(&format!("state {before} before, {after} after"));
    }
}

/// A text of the call, with the records that say it.
fn told(sheet: &mut Sheet, label: &str, action: &Action, known: &Known<Text>, says: fn(&CallSays, &Text) -> bool) {
    let wanted = match known {
        Known::Value(text) => text,
        Known::Missing(why) => return lacks(sheet, label, "", *why),
    };
    let said = |piece: &&Piece| matches!(&piece.says, Says::Call(call) if says(call, wanted));
    let pieces: Vec<&Piece> = action.pieces.iter().filter(said).collect();
    let how = pieces.iter().map(|piece| piece.provenance).max().map(Provenance::as_str);
    match how {
        Some(how) => sheet.row(label, &format!("({how}, {})", records(pieces.iter().map(|piece| &piece.evidence)))),
        None => sheet.row(label, &format!("{} bytes", wanted.len)),
    }
    text(sheet, wanted);
}

fn decisions(sheet: &mut Sheet, action: &Action) {
    if action.decisions.is_empty() {
        let refused = matches!(action.state, State::Refused(_));
        return sheet.row("decisions", if refused { "none told apart from the refusal" } else { "none" });
    }
    let mut label = "decisions";
    for made in &action.decisions {
        let waited = waited(action, made).map(|span| format!(", after {}", length(span))).unwrap_or_default();
        sheet.row(label, &format!("{} {}{waited}", clock(made.at, action.start), decision(made)));
        if !made.policies.is_empty() {
            sheet.detail(&format!("under {}", made.policies.join(", ")));
        }
        sheet.detail(&witness(made.witness.as_ref()));
        label = "";
    }
}

/// How long the call waited for this decision: as its producer measured it, else since the last ask before it, else
/// since it was proposed.
fn waited(action: &Action, made: &Decision) -> Option<Span> {
    if made.outcome == Outcome::Ask || made.waited.is_some() {
        return made.waited;
    }
    let since = action.asked_before(made).or_else(|| action.proposed_before(made))?;
    Some(made.at.since(since))
}

fn checks(sheet: &mut Sheet, action: &Action) {
    if action.checks.is_empty() {
        let why = action.fields.get(&Field::PostCheck).and_then(Known::missing);
        let word = why.map_or("nothing was checked", |why| sheet.word(why));
        return sheet.row("checks", &format!("none ({word})"));
    }
    let mut label = "checks";
    for check in &action.checks {
        sheet.row(label, &checked(check, action));
        if let Some(explanation) = check.explanation.value() {
            text(sheet, explanation);
        }
        sheet.detail(&witness(check.witness.as_ref()));
        label = "";
    }
}

fn checked(check: &Check, action: &Action) -> String {
    let score = check.score.as_ref().map(|score| format!(", score {score}")).unwrap_or_default();
    let label = if check.label.is_empty() || *check.label == *check.result.as_str() {
        String::new()
    } else {
        format!(", `{}`", check.label)
    };
    format!("{} {} {} ({}){label}{score}", clock(check.at, action.start), check.name, check.result, check.phase)
}

fn findings(sheet: &mut Sheet, action: &Action) {
    if action.findings.is_empty() {
        return sheet.row("findings", "none");
    }
    let mut label = "findings";
    for Finding { severity, class, state, rule, message, evidence, tags, .. } in &action.findings {
        sheet.row(label, &format!("{severity}: {rule} ({state}, {class})"));
        sheet.detail(message);
        for tag in tags.iter().filter(|tag| tag.confidence != Confidence::None) {
            sheet.detail(&format!("{} ({} confidence): {}", tag.class, tag.confidence, tag.because));
        }
        sheet.detail(&format!("from {}", records(evidence)));
        label = "";
    }
}

fn verdicts(sheet: &mut Sheet, lineage: &Lineage) {
    if lineage.action.verdicts.is_empty() {
        let why = if lineage.settled { "none: no SLI applies" } else { "none yet" };
        return sheet.row("verdicts", why);
    }
    let mut label = "verdicts";
    for Verdict { sli, value, reason, because, evidence, rung, rule } in &lineage.action.verdicts {
        let rung = rung.filter(|rung| *rung > 0).map(|rung| format!(", rung {rung}")).unwrap_or_default();
        sheet.row(label, &format!("{:<8}{sli} ({reason}{rung})", value.as_str()));
        let from = if evidence.is_empty() { String::new() } else { format!(", from {}", records(evidence)) };
        sheet.detail(&format!("{because}{from}"));
        if let Some(rule) = rule {
            let digest = rule.envelope.bytes.to_string();
            sheet.detail(&format!("by {}, its envelope was {}", rule.name, digest.get(..16).unwrap_or(&digest)));
        }
        label = "";
    }
}

fn completeness(sheet: &mut Sheet, action: &Action) {
    let ((seen, of), (known, observable)) = (action.observed(), action.observable());
    sheet.row("completeness", &format!("observed {seen} of {of}, observable {known} of {observable}"));
    let lacks = action.fields.iter().filter_map(|(field, known)| Some((field, known.missing()?)));
    let lacks: Vec<String> = lacks.map(|(field, why)| format!("{field} {}", sheet.word(why))).collect();
    if !lacks.is_empty() {
        sheet.note(&lacks.join(", "));
    }
}

/// The turn's calls in order of time, this one among them.
fn neighbours(sheet: &mut Sheet, lineage: &Lineage) {
    let action = &lineage.action;
    let about = action.target.value().map_or("", |(target, _)| target);
    let mut rows = vec![(action.start, action.tool_label(), about, &action.state, true)];
    rows.extend(lineage.neighbours.iter().map(|one| (one.start, &*one.tool, &*one.about, &one.state, false)));
    rows.sort_by_key(|row| row.0);
    sheet.row("this turn", &format!("{} calls", rows.len()).replace("1 calls", "1 call"));
    let day = action.start;
    let widest =
        |most: usize, columns: &dyn Fn(usize) -> usize| (0..rows.len()).map(columns).max().unwrap_or(0).min(most);
    let (at, tools) = (widest(24, &|i| clock(rows[i].0, day).len()), widest(18, &|i| columns_of(rows[i].1)));
    let states = widest(17, &|i| standing(rows[i].3).len());
    for (start, tool, about, state, this) in &rows {
        let mark = if *this { '>' } else { ' ' };
        let (at, tool, state) = (cell(&clock(*start, day), at), cell(tool, tools), cell(&standing(state), states));
        let room = (WIDTH - INDENT).saturating_sub(5 + columns_of(&at) + columns_of(&tool) + columns_of(&state));
        sheet.note(&format!("{mark} {at} {tool} {state} {}", brief(about, room)));
    }
}

/// A state in one or three words.
fn standing(state: &State) -> String {
    match state {
        State::Refused(by) => format!("refused by {by}"),
        other => other.as_str().to_owned(),
    }
}

fn joins(sheet: &mut Sheet, action: &Action) {
    let mut label = "joined";
    for join in &action.joins {
        sheet.row(label, &format!("{} ({}) with {}", join.method, join.confidence.as_str(), join.with));
        label = "";
    }
    let evidence = records(action.pieces.iter().map(|piece| &piece.evidence));
    sheet.row("evidence", if evidence.is_empty() { "none kept" } else { &evidence });
}

/// A text that the turn shares.
fn shared(sheet: &mut Sheet, label: &str, known: &Known<Shared<Text>>) {
    match known {
        Known::Value(shared) => {
            sheet.row(label, &source(shared));
            text(sheet, &shared.value);
        }
        Known::Missing(why) => lacks(sheet, label, "", *why),
    }
}

fn source<T>(shared: &Shared<T>) -> String {
    format!("({}, {})", shared.provenance.as_str(), short(&shared.evidence))
}

/// A producer's text, quoted: JSON too wide for a line with its members under each other.
fn text(sheet: &mut Sheet, text: &Text) {
    const ONE_LINE: usize = 60;
    let members = if text.head.len() > ONE_LINE { members(&text.head) } else { None };
    match members {
        Some(members) => sheet.quote(&members),
        None if text.head.is_empty() => sheet.note("(empty)"),
        None => sheet.quote(&text.head),
    }
    if !text.is_whole() {
        sheet.note(&format!("the first {} of {} bytes", text.head.len(), text.len));
    }
}

/// The members of a JSON object or list, one in a line.
fn members(json: &str) -> Option<String> {
    match serde_json::from_str(json).ok()? {
        serde_json::Value::Object(members) => {
            Some(members.iter().map(|(key, value)| format!("{key}: {value}\n")).collect())
        }
        serde_json::Value::Array(items) => Some(items.iter().map(|item| format!("{item}\n")).collect()),
        _ => None,
    }
}
