//! What can be typed, what it means, and what is refused.

use std::fs;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::{Severity, Sli, Span};
use crate::slo::Window;
use crate::telemetry::{LogFormat, TraceSettings};

fn parsed(text: &str) -> Config {
    Config::parse("wherefore.yaml", text, Path::new("/etc/wherefore"))
        .unwrap_or_else(|mistakes| panic!("{}", mistakes[0]))
}

fn mistakes(text: &str) -> Vec<String> {
    let mistakes = Config::parse("wherefore.yaml", text, Path::new("")).err().unwrap_or_default();
    mistakes.iter().map(|mistake| mistake.to_string().lines().next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn nothing_typed_means_the_defaults() {
    for text in ["", "# a comment\n\n", "\n"] {
        let here = Config::parse("wherefore.yaml", text, Path::new("")).expect("nothing is no mistake");
        assert_eq!(here, Config::default());
    }
    let config = Config::default();
    assert_eq!(
        config.listen.all().map(|address| address.to_string()),
        ["127.0.0.1:4317", "127.0.0.1:4318", "127.0.0.1:9464"]
    );
    assert_eq!((config.disk.budget(1 << 40), config.disk.budget(50 << 30)), (10 << 30, 5 << 30));
}

#[test]
fn everything_can_be_typed() {
    let config = parsed(
        "
listen: { otlp_grpc: 0.0.0.0:14317, otlp_http: \"[::1]:14318\", query: 127.0.0.1:0, insecure: true }
tokens: tokens.yaml
data: /var/lib/wherefore
disk: 25%
memory: 2GiB
checkpoint: { every: 5s, bytes: 1MiB }
limits: { request: 1MiB, decompressed: 8MiB, in_flight: 32MiB, body_time: 5s, connections: 64, drain: 500ms }
times: { grace: 1s, idle: 2m, ask: 3h, live_lateness: 4m, horizon: 5h, patches: 6d, epoch: 7h, check_within: 8m,
         contain_within: 9m }
envelopes: [one.yaml, /two.yaml]
logs: { format: json, filter: \"info,wherefore::otlp=debug\" }
traces: { endpoint: http://collector:4317, ratio: 10% }
external_url: https://wherefore.example/
objectives:
  intent_alignment: { target: 99.5%, window: 7d, severity: ticket, min_coverage: 0.8 }
  denied_actions: { target: 0.9 }
",
    );
    assert_eq!(config.listen.otlp_grpc, "0.0.0.0:14317".parse().expect("an address"));
    assert_eq!(config.listen.otlp_http, "[::1]:14318".parse().expect("an address"));
    assert_eq!((config.listen.query.port(), config.listen.insecure), (0, true));
    assert_eq!(config.tokens.as_deref(), Some(Path::new("/etc/wherefore/tokens.yaml")));
    assert_eq!(config.data, Path::new("/var/lib/wherefore"));
    assert_eq!(config.checkpoint, Checkpoint { every: Duration::from_secs(5), bytes: 1 << 20 });
    assert_eq!((config.disk.budget(100), config.memory), (25, 2 << 30));
    assert_eq!(
        (config.limits.request, config.limits.decompressed, config.limits.in_flight),
        (1 << 20, 8 << 20, 32 << 20)
    );
    assert_eq!((config.limits.body_time, config.serve.drain), (Duration::from_secs(5), Duration::from_millis(500)));
    assert_eq!(config.serve.max_connections, 64);
    let times = Constants {
        grace: Span::seconds(1),
        idle: Span::minutes(2),
        ask: Span::hours(3),
        live_lateness: Span::minutes(4),
        horizon: Span::hours(5),
        patches: Span::days(6),
        epoch: Span::hours(7),
        check_within: Span::minutes(8),
        contain_within: Span::minutes(9),
    };
    assert_eq!(config.constants, times);
    let files = ["/etc/wherefore/one.yaml", "/two.yaml"].map(PathBuf::from);
    assert_eq!(config.envelopes, Texts::Files(files.into()));
    assert_eq!((config.telemetry.format, &*config.telemetry.filter), (LogFormat::Json, "info,wherefore::otlp=debug"));
    let traces = TraceSettings { endpoint: "http://collector:4317".into(), ratio: 0.1 };
    assert_eq!(config.telemetry.traces, Some(traces));
    assert_eq!(config.external_url, "https://wherefore.example");
    let of =
        |sli| config.objectives.iter().find(|objective| objective.sli_of_all() == Some(sli)).expect("one for each SLI");
    let (intent, denied) = (of(Sli::IntentAlignment), of(Sli::DeniedActions));
    assert_eq!(
        (intent.target, intent.window.clone(), intent.severity, intent.min_coverage),
        (0.995, Window::Rolling(Span::days(7)), Severity::Ticket, 0.8)
    );
    assert_eq!((denied.target, &denied.window), (0.9, &Window::Rolling(Span::days(28))));
    let changed = |objective: &&Objective| !matches!(&*objective.name, "intent_alignment" | "denied_actions");
    assert!(config.objectives.iter().filter(changed).eq(Objective::DEFAULTS.iter().filter(changed)));
}

#[test]
fn one_name_is_a_folder_or_a_file() {
    for (typed, want) in [
        ("policies", Texts::Folder { path: "/etc/wherefore/policies".into(), named: true }),
        ("one.yaml", Texts::Files(vec!["/etc/wherefore/one.yaml".into()])),
        ("[policies]", Texts::Files(vec!["/etc/wherefore/policies".into()])),
    ] {
        assert_eq!(parsed(&format!("envelopes: {typed}\n")).envelopes, want, "{typed}");
    }
    let unnamed = Texts::Folder { path: "/etc/wherefore/envelopes".into(), named: false };
    assert_eq!(parsed("memory: 1GiB\n").envelopes, unnamed);
}

#[test]
fn each_mistake_is_refused_at_its_place() {
    for (text, want) in [
        ("retenton: 3\n", "wherefore.yaml:1:1: unknown key `retenton` of the configuration"),
        ("lisen: {}\n", "wherefore.yaml:1:1: unknown key `lisen` of the configuration; did you mean `listen`?"),
        ("listen: { grpc: 1 }\n", "wherefore.yaml:1:11: unknown key `grpc` of `listen`"),
        (
            "listen: { query: localhost }\n",
            "wherefore.yaml:1:18: expected an address and a port, such as `127.0.0.1:4317` or `[::1]:4317`, found `localhost`",
        ),
        ("listen: { query: 127.0.0.1:4317 }\n", "wherefore.yaml:1:9: two listeners share the address `127.0.0.1:4317`"),
        (
            "memory: 512\n",
            "wherefore.yaml:1:9: expected a size with its unit, such as `512KiB`, `4MiB`, `10GiB`, found `512`",
        ),
        (
            "disk: 0%\n",
            "wherefore.yaml:1:7: expected a share above 0 and up to 1, such as `0.995` or `99.5%`, found `0%`",
        ),
        ("limits: { connections: 0 }\n", "wherefore.yaml:1:24: expected a number from 1 to 1048576, found `0`"),
        ("disk: 1MiB\n", "wherefore.yaml:1:7: the journal and the store need at least 256 MiB"),
        (
            "limits: { decompressed: 300MiB, in_flight: 1GiB }\n",
            "wherefore.yaml:1:9: `decompressed` is more than the 256 MiB that a frame holds",
        ),
        (
            "limits: { in_flight: 32MiB }\n",
            "wherefore.yaml:1:9: `in_flight` is less than `decompressed`, so no request of that size could be read",
        ),
        (
            "limits: { request: 65MiB }\n",
            "wherefore.yaml:1:9: `decompressed` is less than `request`, so no request of that size could be read",
        ),
        ("times: { grace: 1h }\n", "wherefore.yaml:1:8: `grace` is longer than `idle`"),
        ("times: { horizon: 8d }\n", "wherefore.yaml:1:8: `horizon` is longer than `patches`"),
        (
            "times: { idle: 0s }\n",
            "wherefore.yaml:1:16: expected a length of time with its unit, such as `30s`, `10m`, `24h`, found `0s`",
        ),
        ("logs: { format: xml }\n", "wherefore.yaml:1:17: `xml` is none of text, json"),
        ("traces: { ratio: 0.5 }\n", "wherefore.yaml:1:9: `endpoint` is missing"),
        (
            "traces: { endpoint: collector }\n",
            "wherefore.yaml:1:21: expected a URL, such as `https://wherefore.example`, found `collector`",
        ),
        ("objectives: { intent: {} }\n", "wherefore.yaml:1:15: unknown key `intent` of `objectives`"),
        ("objectives: { stability: {} }\n", "wherefore.yaml:1:15: unknown key `stability` of `objectives`"),
        (
            "objectives: { denied_actions: { target: 100% } }\n",
            "wherefore.yaml:1:31: a target of 100% leaves no error budget",
        ),
        ("envelopes: []\n", "wherefore.yaml:1:12: expected a list that is not empty, found an empty list"),
        ("just text\n", "wherefore.yaml:1:1: expected the configuration, a mapping, found `just text`"),
    ] {
        assert_eq!(mistakes(text), [want], "{text}");
    }
    assert!(mistakes("logs: { filter: \"a=b=c\" }\n")[0].contains("cannot read the log filter `a=b=c`"));
}

#[test]
fn all_mistakes_are_said_together() {
    let all = mistakes("memory: lots\ndisk: 10\nlisten: { query: here, insecure: maybe }\ntimes: { grace: 5 }\n");
    let places: Vec<&str> = all.iter().filter_map(|mistake| mistake.split(' ').next()).collect();
    assert_eq!(
        places,
        [
            "wherefore.yaml:1:9:",
            "wherefore.yaml:2:7:",
            "wherefore.yaml:3:18:",
            "wherefore.yaml:3:34:",
            "wherefore.yaml:4:17:"
        ]
    );
}

/// A folder with these files, and what checking its configuration says.
fn checked(files: &[(&str, &str)], insecure: bool) -> Result<Checked, String> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("inside the folder")).expect("a folder");
        fs::write(path, text).expect("written");
    }
    let here = format!("{}/", folder.path().display());
    check(Some(&folder.path().join(FILE)), insecure).map_err(|mistakes| {
        let all: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        all.join("\n").replace(&here, "")
    })
}

#[test]
fn envelopes_of_the_folder_are_read() {
    let one = "envelope: one\nforbid: [{id: r, tool: x}]\n";
    let files =
        [(FILE, ""), ("envelopes/b.yml", "envelope: two\n"), ("envelopes/a.yaml", one), ("envelopes/c.txt", "?")];
    let checked = checked(&files, false);
    let good = checked.expect("no mistakes");
    assert_eq!((good.rules.len(), good.envelopes.len()), ((2, 1), 2));
    assert!(good.to_string().ends_with("wherefore.yaml: no mistakes; envelopes: 2, rules: 1, objectives: 8"), "{good}");
}

#[test]
fn what_is_named_has_to_be_there() {
    for (text, want) in [
        ("envelopes: policies\n", "policies: cannot read the folder: "),
        ("envelopes: [one.yaml]\n", "one.yaml: cannot read the file: "),
        ("tokens: tokens.yaml\n", "tokens.yaml: cannot read the token file "),
    ] {
        let said = checked(&[(FILE, text)], false).expect_err(text);
        assert!(said.starts_with(want), "{said}");
    }
    assert!(checked(&[(FILE, "data: nowhere-yet\n")], false).is_ok());
    assert!(checked(&[], false).expect_err("no file").starts_with("wherefore.yaml: cannot read the file: "));
}

#[test]
fn mistakes_of_all_files_are_said_together() {
    let config = "tokens: tokens.yaml\ntraces: { endpoint: http://localhost:4317 }\n";
    let said =
        checked(&[(FILE, config), ("envelopes/a.yaml", "envelope: A\n"), ("tokens.yaml", "- token: \"\"\n")], false);
    let said = said.expect_err("three mistakes");
    let starts: Vec<&str> = said.lines().filter(|line| !line.starts_with(' ')).collect();
    let [envelope, tokens, traces] = &starts[..] else { panic!("{said}") };
    assert!(envelope.starts_with("envelopes/a.yaml:1:11: "), "{said}");
    assert!(tokens.starts_with("tokens.yaml: entry 1: "), "{said}");
    assert!(traces.starts_with("wherefore.yaml: refusing to export own traces to `http://localhost:4317`"), "{said}");
}

#[test]
fn a_mistake_in_the_file_does_not_hide_what_is_wrong_with_what_it_names() {
    let config = "memory: lots\ntokens: nowhere.yaml\nenvelopes: [a.yaml]\nlisten: { query: 0.0.0.0:9464 }\n\
                  traces: { endpoint: http://localhost:4317 }\n";
    let said = checked(&[(FILE, config), ("a.yaml", "envelope: A\n")], false).expect_err("four mistakes");
    let starts: Vec<&str> = said.lines().filter(|line| !line.starts_with(' ')).collect();
    let [memory, envelope, tokens, traces] = &starts[..] else { panic!("{said}") };
    assert!(memory.starts_with("wherefore.yaml:1:9: "), "{said}");
    assert!(envelope.starts_with("a.yaml:1:11: "), "{said}");
    assert!(tokens.starts_with("nowhere.yaml: cannot read the token file"), "{said}");
    assert!(traces.starts_with("wherefore.yaml: refusing to export own traces"), "{said}");
    let exposed = checked(&[(FILE, "memory: lots\nlisten: { query: 0.0.0.0:9464 }\n")], false).expect_err("two");
    assert!(exposed.contains("refusing to listen on `0.0.0.0:9464`"), "{exposed}");
    assert_eq!(mistakes("just text\n").len(), 1);
}

#[test]
fn beyond_loopback_a_token_file_is_needed_or_the_operators_word() {
    let config = "listen: { query: 0.0.0.0:9464 }\n";
    assert!(checked(&[(FILE, config)], false).expect_err("exposed").contains("refusing to listen on `0.0.0.0:9464`"));
    assert!(checked(&[(FILE, config)], true).expect("said so").config.listen.insecure);
    assert!(checked(&[(FILE, "listen: { query: 0.0.0.0:9464, insecure: true }\n")], false).is_ok());
    let tokens = format!("tokens: tokens.yaml\n{config}");
    assert!(checked(&[(FILE, &tokens), ("tokens.yaml", "- token: 0123456789abcdef0123456789abcdef\n")], false).is_ok());
}

proptest! {
    #[test]
    fn any_text_is_settings_or_mistakes(text in "(listen|disk|times|limits|objectives|: |\\{|\\}|, |10%|5m|x|\n|  |[ -~]){0,20}") {
        if let Err(mistakes) = Config::parse("any.yaml", &text, Path::new("")) {
            prop_assert!(!mistakes.is_empty());
        }
    }
}
