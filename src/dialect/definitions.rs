//! Definitions of tools: those that a model was offered, and those that an MCP server lists. Conventions differ in
//! where they stand and how they are wrapped.
//!
//! | where | shape |
//! |---|---|
//! | `gen_ai.tool.definitions` | array of definitions, of texts that are one (Google ADK), of `{functionDeclarations}` (Gemini) |
//! | `llm.tools.<i>.tool.json_schema` (OpenInference) | one definition each |
//! | `llm.request.functions.<i>.{name,description,parameters}` (OpenLLMetry) | one definition each, in attributes |
//! | `ai.prompt.tools` (Vercel AI SDK) | array of texts that are one |
//! | `gen_ai.tool.json_schema`, `gen_ai.tool.description` (Strands) | the tool that a tool's span names |
//! | the result of MCP's `tools/list`, in any attribute that holds results | `{tools: […]}` |
//!
//! A definition is `{name, description, parameters}`, alone or as `function` or `toolSpec` of another object; its
//! parameters are `parameters`, `inputSchema` and other spellings.
//!
//! Hints are the `annotations` of MCP (revision 2025-11-25, `ToolAnnotations`). That specification has the defaults
//! `readOnlyHint` false, `destructiveHint` true, `idempotentHint` false, `openWorldHint` true, and the second and third
//! mean something only where the first is false. A default is not what a server said, so that here a hint which is not
//! there says nothing:
//!
//! | hints | say |
//! |---|---|
//! | `readOnlyHint` true | read |
//! | `destructiveHint` true, and not read only | update: it may overwrite or delete |
//! | `readOnlyHint` false, `destructiveHint` false | create: it only adds |
//! | `openWorldHint` | egress, as it says |

use serde_json::{Value, json};

use crate::model::{Effect, ToolDefinition, What};
use crate::values;
use crate::wire::AnyValue;

use super::draft::word;
use super::{Draft, Source};

/// Attributes that hold many definitions.
const LISTS: &[&str] = &["gen_ai.tool.definitions", "ai.prompt.tools"];
/// Attributes that hold one each: what stands before and after its number.
const TOOLS: (&str, &str) = ("llm.tools.", ".tool.json_schema");
const FUNCTIONS: &str = "llm.request.functions.";
/// What the span of a tool says of it.
const OWN: [&str; 3] = ["gen_ai.tool.name", "gen_ai.tool.description", "gen_ai.tool.json_schema"];
/// MCP's listing of tools, and where a span may hold what it gave.
const LISTING: &str = "tools/list";
const RESULTS: &[&str] =
    &["gen_ai.tool.call.result", "output.value", "mcp.response.value", "traceloop.entity.output", "fastmcp.result"];

/// Members of which each is a list of definitions.
const WRAPPED: &[&str] = &["functionDeclarations", "function_declarations", "tools", "result"];
/// Members of which each is a definition.
const WRAPPERS: &[&str] = &["function", "toolSpec"];
const PARAMETERS: &[&str] = &[
    "parameters",
    "inputSchema",
    "input_schema",
    "parametersJsonSchema",
    "parameters_json_schema",
    "parameters_schema",
];
const HINTS: &[&str] = &["/annotations", "/metadata/annotations", "/_meta/annotations"];

/// How deep definitions may be wrapped, and how many a record may hold.
const DEPTH: usize = 5;
const MOST: usize = 512;

/// Adds the tools that the record defines, if it does.
pub fn read(source: &Source<'_>, draft: &mut Draft<'_>) {
    let mut found = Vec::new();
    for key in LISTS {
        of_attribute(source.get(key), &mut found);
    }
    if source.has_prefix(TOOLS.0) {
        let tools = source.with_prefix(TOOLS.0).filter(|(rest, _)| rest.ends_with(TOOLS.1));
        tools.for_each(|(_, value)| of_attribute(Some(value), &mut found));
    }
    if source.has_prefix(FUNCTIONS) {
        of_functions(source, &mut found);
    }
    of_span(source, &mut found);
    if source.text("mcp.method.name") == Some(LISTING) {
        RESULTS.iter().for_each(|key| of_attribute(source.get(key), &mut found));
    }
    say(found, draft);
}

/// Adds the tools that a part of a record defines.
pub fn of_value(value: &Value, draft: &mut Draft<'_>) {
    let mut found = Vec::new();
    collect(value, DEPTH, &mut found);
    say(found, draft);
}

fn say(found: Vec<ToolDefinition>, draft: &mut Draft<'_>) {
    if !found.is_empty() {
        draft.say(What::Tools(found));
    }
}

fn of_attribute(value: Option<AnyValue<'_>>, found: &mut Vec<ToolDefinition>) {
    match value {
        None | Some(AnyValue::Empty) => {}
        Some(AnyValue::Str(text)) => of_text(text, DEPTH, found),
        Some(other) => {
            let mut json = Vec::new();
            other.write_json(&mut json);
            collect(&serde_json::from_slice(&json).unwrap_or_default(), DEPTH, found);
        }
    }
}

fn of_text(text: &str, depth: usize, found: &mut Vec<ToolDefinition>) {
    if text.trim_start().starts_with(['[', '{']) {
        collect(&serde_json::from_str(text).unwrap_or_default(), depth, found);
    }
}

fn collect(value: &Value, depth: usize, found: &mut Vec<ToolDefinition>) {
    let Some(depth) = depth.checked_sub(1).filter(|_| found.len() < MOST) else { return };
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, depth, found)),
        Value::String(text) => of_text(text, depth, found),
        Value::Object(fields) => {
            let inner = WRAPPERS.iter().find_map(|key| fields.get(*key).filter(|inner| inner.get("name").is_some()));
            match definition(inner.unwrap_or(value), value) {
                Some(tool) => found.push(tool),
                None => WRAPPED.iter().filter_map(|key| fields.get(*key)).for_each(|it| collect(it, depth, found)),
            }
        }
        _ => {}
    }
}

/// One definition; hints may stand beside it.
fn definition(inner: &Value, outer: &Value) -> Option<ToolDefinition> {
    let name = inner.get("name").and_then(Value::as_str).filter(|name| !name.is_empty())?;
    let hints = HINTS.iter().find_map(|path| [inner, outer].iter().find_map(|it| it.pointer(path)));
    let hints = hints.filter(|hints| hints.is_object()).unwrap_or(&Value::Null);
    let (effect, egress) = hinted(hints);
    Some(ToolDefinition { name: word(name), digest: digest(inner, hints), effect, egress })
}

/// Of what is defined, whatever it is wrapped in.
fn digest(inner: &Value, hints: &Value) -> crate::model::Digest {
    let parameters = PARAMETERS.iter().find_map(|key| inner.get(*key)).unwrap_or(&Value::Null);
    let parameters = parameters.get("json").unwrap_or(parameters);
    let description = inner.get("description").unwrap_or(&Value::Null);
    let said = json!({ "description": description, "parameters": parameters, "annotations": hints });
    values::digest_json(&said.to_string())
}

fn hinted(hints: &Value) -> (Option<Effect>, Option<bool>) {
    let hint = |names: [&str; 2]| names.iter().find_map(|name| hints.get(*name)?.as_bool());
    let read_only = hint(["readOnlyHint", "read_only_hint"]);
    let destructive = hint(["destructiveHint", "destructive_hint"]);
    let effect = match (read_only, destructive) {
        (Some(true), _) => Some(Effect::Read),
        (_, Some(true)) => Some(Effect::Update),
        (Some(false), Some(false)) => Some(Effect::Create),
        _ => None,
    };
    (effect, hint(["openWorldHint", "open_world_hint"]))
}

/// The tool that a tool's span names.
fn of_span(source: &Source<'_>, found: &mut Vec<ToolDefinition>) {
    let Some(parameters) = source.text(OWN[2]).and_then(|json| serde_json::from_str::<Value>(json).ok()) else {
        return;
    };
    let tool = json!({ "name": source.text(OWN[0]), "description": source.text(OWN[1]), "parameters": parameters });
    found.extend(definition(&tool, &Value::Null));
}

/// Functions of which each member is an attribute.
fn of_functions(source: &Source<'_>, found: &mut Vec<ToolDefinition>) {
    let numbers = source.with_prefix(FUNCTIONS).filter_map(|(rest, _)| rest.strip_suffix(".name"));
    for number in numbers.take(MOST) {
        let member = |name: &str| source.text(&format!("{FUNCTIONS}{number}.{name}"));
        let parameters = member("parameters").and_then(|json| serde_json::from_str(json).ok());
        let parameters = parameters.or_else(|| member("input_schema").and_then(|json| serde_json::from_str(json).ok()));
        let function = json!({ "name": member("name"), "description": member("description"),
            "parameters": parameters.unwrap_or(Value::Null) });
        found.extend(definition(&function, &Value::Null));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dialect::testing::{facts, span};

    fn tools(fields: Value) -> Vec<ToolDefinition> {
        let found = facts(span("any", "chat", fields)).into_iter().find_map(|what| match what {
            What::Tools(tools) => Some(tools),
            _ => None,
        });
        found.unwrap_or_default()
    }

    fn defined() -> (Value, Value, &'static str) {
        let parameters = json!({"type": "object", "properties": {"order_id": {"type": "string"}}});
        let flat = json!({"type": "function", "name": "get_order", "description": "Read an order",
            "parameters": parameters});
        (parameters, flat, "Read an order")
    }

    #[test]
    fn one_definition_has_one_digest_however_it_is_wrapped() {
        let (parameters, flat, about) = defined();
        let listed = json!({"name": "get_order", "description": about, "inputSchema": parameters});
        let bedrock = json!({"name": "get_order", "description": about, "inputSchema": {"json": parameters}});
        let gemini = json!({"name": "get_order", "description": about, "parametersJsonSchema": parameters});
        let all = [
            json!({"gen_ai.tool.definitions": json!([flat]).to_string()}),
            json!({"gen_ai.tool.definitions": [flat.to_string()]}),
            json!({"gen_ai.tool.definitions": [flat]}),
            json!({"gen_ai.tool.definitions": json!([bedrock]).to_string()}),
            json!({"gen_ai.tool.definitions": json!([{"functionDeclarations": [gemini]}]).to_string()}),
            json!({"gen_ai.tool.definitions": json!([{"toolSpec": bedrock}]).to_string()}),
            json!({"ai.prompt.tools": [listed.to_string()]}),
            json!({"llm.tools.0.tool.json_schema": json!({"type": "function", "function": flat}).to_string()}),
            json!({"llm.request.functions.0.name": "get_order", "llm.request.functions.0.description": about,
                "llm.request.functions.0.parameters": parameters.to_string()}),
            json!({"gen_ai.tool.name": "get_order", "gen_ai.tool.description": about,
                "gen_ai.tool.json_schema": parameters.to_string()}),
            json!({"mcp.method.name": "tools/list", "output.value": json!({"tools": [listed]}).to_string()}),
            json!({"mcp.method.name": "tools/list", "mcp.response.value": json!({"result": {"tools": [listed]}}).to_string()}),
        ];
        let first = tools(all[0].clone());
        for fields in all {
            let found = tools(fields.clone());
            assert_eq!(found.len(), 1, "{fields}");
            assert_eq!((&found[0], &*found[0].name), (&first[0], "get_order"), "{fields}");
        }
        let mut other = flat;
        other["description"] = json!("Read any order");
        assert_ne!(tools(json!({"gen_ai.tool.definitions": [other]}))[0].digest, first[0].digest);
    }

    #[test]
    fn hints_say_what_they_say_and_nothing_by_default() {
        use Effect::{Create, Read, Update};
        for (hints, effect, egress) in [
            (json!({}), None, None),
            (json!({"readOnlyHint": true}), Some(Read), None),
            (json!({"readOnlyHint": true, "destructiveHint": true}), Some(Read), None),
            (json!({"readOnlyHint": false}), None, None),
            (json!({"readOnlyHint": false, "destructiveHint": true}), Some(Update), None),
            (json!({"destructiveHint": true, "openWorldHint": true}), Some(Update), Some(true)),
            (json!({"destructiveHint": false}), None, None),
            (json!({"readOnlyHint": false, "destructiveHint": false}), Some(Create), None),
            (json!({"read_only_hint": true, "open_world_hint": false}), Some(Read), Some(false)),
            (json!({"readOnlyHint": "yes", "openWorldHint": 1}), None, None),
            (json!("readOnlyHint"), None, None),
        ] {
            let tool = json!({"name": "get_order", "annotations": hints});
            let found =
                tools(json!({"mcp.method.name": "tools/list", "output.value": json!({"tools": [tool]}).to_string()}));
            assert_eq!((found[0].effect, found[0].egress), (effect, egress), "{hints}");
        }
    }

    #[test]
    fn what_defines_no_tool_says_nothing() {
        for none in [
            json!({"gen_ai.tool.definitions": "<REDACTED>"}),
            json!({"gen_ai.tool.definitions": "[{\"name\": \"get_or"}),
            json!({"gen_ai.tool.definitions": [{"name": ""}, {"description": "no name"}, 7]}),
            json!({"mcp.method.name": "tools/call", "output.value": "{\"tools\": [{\"name\": \"x\"}]}"}),
            json!({"llm.request.functions.0.description": "no name"}),
        ] {
            assert_eq!(tools(none.clone()), [], "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[\\[\\]{}\":,a-z0-9 ]{0,80}", deep in 0_usize..200) {
            let _ = tools(json!({"gen_ai.tool.definitions": text}));
            let nested = format!("{}{}", "[".repeat(deep), "]".repeat(deep));
            prop_assert_eq!(tools(json!({"gen_ai.tool.definitions": nested})), []);
        }
    }
}
