//! Files of objectives: what is read out of good ones, and what is said about those that are wrong. Beside the broken
//! files stands the whole text of their mistakes.

use std::path::{Path, PathBuf};

use wherefore::config::slos::Stated;
use wherefore::config::{Mistake, Slos};
use wherefore::model::{Severity, Sli, Span};
use wherefore::rules::{Options, prometheus_rules};
use wherefore::slo::{Budgeting, EmptySlice, EvidenceUnit, Indicator, Objective, Op, Queries, Window};

use super::support::checkers::{accepts, have};
use super::support::process::command;

const PACKS: [&str; 4] = ["cloud-operations", "coding", "rag", "support"];

fn of_checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = of_checkout("tests/fixtures/slos").join(kind);
    let entries = std::fs::read_dir(&folder).expect("the fixtures are there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    files
}

fn text(file: &Path) -> (String, String) {
    let name = file.file_name().expect("a file").to_string_lossy().into_owned();
    (name, std::fs::read_to_string(file).expect("readable"))
}

fn said(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(|mistake| format!("{mistake}\n")).collect()
}

/// Reads files together, beside the default objectives.
pub fn read(files: &[PathBuf]) -> Result<Slos, Vec<Mistake>> {
    let files: Vec<(String, String)> = files.iter().map(|file| text(file)).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
    Slos::read(&files, &Objective::DEFAULTS)
}

fn good() -> Slos {
    read(&fixtures("good")).unwrap_or_else(|mistakes| panic!("{}", said(&mistakes)))
}

fn of<'s>(slos: &'s Slos, name: &str) -> &'s Stated {
    let found = slos.stated.iter().find(|stated| stated.objective.name == *name);
    found.unwrap_or_else(|| panic!("`{name}` is among {:?}", names(slos)))
}

fn names(slos: &Slos) -> Vec<&str> {
    slos.stated.iter().map(|stated| &*stated.objective.name).collect()
}

#[test]
fn an_objective_of_all_actions_replaces_the_default_and_others_stand_beside() {
    let slos = good();
    let want = [
        "intent-alignment",
        "outcome_validation",
        "denied_actions",
        "containment_within",
        "envelope",
        "plan_commit",
        "approval_reviewed",
        "lineage_complete",
        "production-inside",
        "gateway-answers",
        "gateway-quick",
        "model-answers",
        "model-proxy-answers",
        "tool-gateway-calls-answered",
        "tool-gateway-policy_loaded",
    ];
    assert_eq!(names(&slos), want);
    assert_eq!(slos.warnings, []);
}

#[test]
fn what_openslo_says_is_read() {
    let slos = good();
    let Objective { service, description, labels, indicator, window, alerting, .. } =
        &of(&slos, "production-inside").objective;
    assert_eq!(&**service, "fleet");
    assert!(description.starts_with("Calls in production"));
    assert_eq!(labels.iter().map(|(name, values)| (&**name, &*values[0])).collect::<Vec<_>>(), [("team", "sre")]);
    let Indicator::Wherefore { sli: Sli::Envelope, filter } = indicator else { panic!("{indicator:?}") };
    assert_eq!(filter.takes("ops-1", Some("k8s_apply"), Some(&["prod".into()])), Some(true));
    assert_eq!(filter.takes("ops-1", Some("k8s_apply"), Some(&["staging".into()])), Some(false));
    let Window::Calendar(calendar) = window else { panic!("{window:?}") };
    assert_eq!(calendar.zone.iana_name(), Some("Europe/Berlin"));
    let [policy] = &alerting.policies[..] else { panic!("{alerting:?}") };
    assert_eq!((policy.condition.op, policy.condition.threshold), (Op::Gt, 10.0));
    assert_eq!((policy.condition.lookback, policy.condition.after), (Span::hours(1), Span::minutes(5)));
    assert_eq!((policy.when_breaching, policy.when_resolved, policy.when_no_data), (true, true, false));
    assert_eq!(&*policy.notify, ["sre-pager".into()]);
    let slice = Span::minutes(15);
    for (name, target, budgeting, severity, coverage, evidence) in [
        (
            "production-inside",
            0.995,
            Budgeting::Timeslices { target: 0.95, slice, empty: EmptySlice::Good },
            Severity::Page,
            0.8,
            EvidenceUnit::Action,
        ),
        ("intent-alignment", 0.995, Budgeting::Occurrences, Severity::Page, 0.5, EvidenceUnit::Run),
        (
            "gateway-answers",
            0.999,
            Budgeting::RatioTimeslices { slice: Span::minutes(5) },
            Severity::Ticket,
            0.5,
            EvidenceUnit::Run,
        ),
    ] {
        let objective = &of(&slos, name).objective;
        assert_eq!((objective.target, objective.budgeting), (target, budgeting), "{name}");
        assert_eq!((objective.severity, objective.min_coverage), (severity, coverage), "{name}");
        assert_eq!(objective.evidence, evidence, "{name}");
    }
    assert_eq!(of(&slos, "intent-alignment").from.of("target"), Some("fleet.yaml:81"));
    assert_eq!(of(&slos, "intent-alignment").from.of("severity"), None);
}

#[test]
fn queries_are_read_of_both_formats() {
    let slos = good();
    let bad = |bad: &str, total: &str| Queries::Bad { bad: bad.into(), total: total.into() };
    let good = |good: &str, total: &str| Queries::Good { good: good.into(), total: total.into() };
    let ratio = |query: &str| Queries::Ratio { query: query.into(), is_bad: true };
    for (name, want) in [
        (
            "gateway-answers",
            good(
                r#"sum(rate(gateway_requests_total{code!~"5.."}[{{.window}}]))"#,
                "sum(rate(gateway_requests_total[{{.window}}]))",
            ),
        ),
        ("model-answers", ratio("avg_over_time(model_error_ratio[{{.window}}])")),
        (
            "gateway-quick",
            Queries::Threshold {
                query: "histogram_quantile(0.9, sum by (le) (rate(gateway_seconds_bucket[5m])))".into(),
                op: Op::Lte,
                limit: 0.25,
            },
        ),
        (
            "tool-gateway-calls-answered",
            bad(
                r#"sum(rate(gateway_calls_total{code=~"5.."}[{{.window}}]))"#,
                "sum(rate(gateway_calls_total[{{.window}}]))",
            ),
        ),
        ("tool-gateway-policy_loaded", ratio("avg_over_time(gateway_policy_stale[{{.window}}])")),
        (
            "model-proxy-answers",
            bad(
                r#"sum(rate(proxy_requests_total{code=~"(5..|429)"}[{{.window}}]))"#,
                "sum(rate(proxy_requests_total[{{.window}}]))",
            ),
        ),
    ] {
        assert_eq!(of(&slos, name).objective.indicator, Indicator::Prometheus(want), "{name}");
    }
}

#[test]
fn sloths_alerts_are_read() {
    let slos = good();
    let answered = &of(&slos, "tool-gateway-calls-answered").objective;
    assert_eq!((answered.target, &answered.window), (0.999, &Window::Rolling(Span::days(30))));
    assert_eq!((answered.severity, answered.alerting.tickets), (Severity::Page, false));
    assert_eq!(answered.alerting.name.as_deref(), Some("GatewayFails"));
    let extras: Vec<_> = answered.alerting.extras.iter().map(|it| (it.severity, &*it.name, &*it.value)).collect();
    let want =
        [(None, "channel", "gateway"), (None, "summary", "calls fail"), (Some(Severity::Page), "team", "on-call")];
    assert_eq!(extras, want);
    let labels: Vec<_> = answered.labels.iter().map(|(name, values)| (&**name, &*values[0])).collect();
    assert_eq!(labels, [("category", "availability"), ("owner", "agents"), ("tier", "2")]);
    assert_eq!(of(&slos, "tool-gateway-policy_loaded").objective.severity, Severity::Info);
    assert_eq!(of(&slos, "model-proxy-answers").objective.severity, Severity::Ticket);
}

/// What is said about files that are wrong, as a person reads it.
#[test]
fn every_message_is_one_to_act_on() {
    let files = fixtures("broken");
    assert!(files.len() >= 40, "{} files", files.len());
    let paragraph = |file: &PathBuf| {
        let name = file.display();
        let mistakes = read(std::slice::from_ref(file)).err().unwrap_or_else(|| panic!("{name} is wrong"));
        format!("{}\n", said(&mistakes))
    };
    let all: String = files.iter().map(paragraph).collect();
    let want = of_checkout("tests/fixtures/slos/broken/messages.txt");
    if std::fs::read_to_string(&want).unwrap_or_default() != all {
        let got = Path::new(env!("CARGO_TARGET_TMPDIR")).join("slo-messages.txt");
        std::fs::write(&got, &all).expect("the folder is there");
        panic!("{} differs from {}", want.display(), got.display());
    }
}

#[test]
fn a_target_of_zero_is_a_warning() {
    let file = std::fs::read_to_string(of_checkout("packs/rag/slos/rag.yaml")).expect("a pack");
    let slos = Slos::read(&[("rag.yaml", &file.replace("target: 0.98", "target: 0"))], &Objective::DEFAULTS);
    let slos = slos.unwrap_or_else(|mistakes| panic!("{}", said(&mistakes)));
    let [warning] = &slos.warnings[..] else { panic!("{:?}", slos.warnings) };
    assert!(warning.message.starts_with("a target of 0 is always met"), "{warning}");
    assert_eq!(of(&slos, "rag-denied-actions").objective.severity, Severity::Info, "nothing can burn");
}

#[test]
fn objectives_of_packs_are_right_and_take_the_place_of_defaults() {
    for pack in PACKS {
        let slos = read(&[of_checkout(&format!("packs/{pack}/slos/{pack}.yaml"))]);
        let slos = slos.unwrap_or_else(|mistakes| panic!("{pack}: {}", said(&mistakes)));
        assert_eq!(slos.stated.len(), Sli::ALL.len(), "{pack}: one objective for each SLI");
        let written = slos.stated.iter().filter(|stated| stated.is_written()).count();
        assert!(written >= 4, "{pack}: {written}");
        assert!(prometheus_rules(&slos.objectives(), &Options::default()).is_ok(), "{pack}");
    }
}

/// Agents are told apart by the counters, tools are not.
#[test]
fn rules_follow_filters_and_conditions_of_files() {
    let file = std::fs::read_to_string(of_checkout("packs/coding/slos/coding.yaml")).expect("a pack");
    let policy = r#"  alertPolicies:
    - kind: AlertPolicy
      metadata: { name: own }
      spec:
        conditions:
          - kind: AlertCondition
            metadata: { name: own }
            spec:
              severity: page
              condition: { kind: burnrate, op: gte, threshold: 4, lookbackWindow: 12h, alertAfter: 5m }
        notificationTargets:
          - { kind: AlertNotificationTarget, metadata: { name: pager }, spec: { target: x } }
---
"#;
    let file = file.replacen("agent: \"*\"", "agent: [\"dev-*\", \"a.b?\"]", 2).replacen("---\n", "\u{0}", 1);
    let file = file.replacen("---\n", policy, 1).replace('\u{0}', "---\n");
    let slos = Slos::read(&[("coding.yaml", &file)], &Objective::DEFAULTS);
    let slos = slos.unwrap_or_else(|mistakes| panic!("{}", said(&mistakes)));
    let rules = prometheus_rules(&slos.objectives(), &Options::default()).expect("reachable");
    for part in [
        r#"{sli="envelope",agent=~"dev\\-.*|a\\.b.",verdict="bad"}[12h]"#,
        r#"slo:sli_error:ratio_rate12h{slo="coding-envelope"} >= 0.02"#,
        r#"notify: "pager""#,
        "for: 5m",
    ] {
        assert!(rules.contains(part), "{part}\n{rules}");
    }
    if have("promtool") {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), &rules).expect("written");
        accepts("promtool", &["check", "rules", &file.path().display().to_string()], "");
    }
    let rules = prometheus_rules(&good().objectives(), &Options::default()).expect("reachable");
    assert!(rules.contains("# Without rules here, because its counters are elsewhere: production-inside\n"));
    assert!(!rules.contains("slo: \"production-inside\""));
}

fn run(args: &[&str]) -> (Option<i32>, String) {
    let output = command(args);
    let all = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code(), all)
}

#[test]
fn validate_tells_every_mistake_of_all_files() {
    let good: Vec<String> = fixtures("good").iter().map(|file| file.display().to_string()).collect();
    let args = |files: &[String]| [&["slo".to_owned(), "validate".to_owned()], files].concat();
    let run = |files: &[String]| run(&args(files).iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(run(&good), (Some(0), "no mistakes; files: 3, objectives: 8\n".to_owned()));
    let broken = fixtures("broken");
    let bad = broken[..2].iter().map(|file| file.display().to_string());
    let (code, all) = run(&good.iter().cloned().chain(bad).chain(["nothing.yaml".to_owned()]).collect::<Vec<_>>());
    assert_eq!(code, Some(1), "{all}");
    for part in ["wherefore: 6 mistakes\n", "did you mean `service`?", "`name` is missing", "nothing.yaml: cannot read"]
    {
        assert!(all.contains(part), "{part}\n{all}");
    }
}

#[test]
fn check_and_explain_read_the_folder_beside_the_configuration() {
    let home = tempfile::tempdir().expect("a folder");
    let config = home.path().join("wherefore.yaml");
    std::fs::write(&config, "objectives: { plan_commit: { target: 98% } }\n").expect("written");
    std::fs::create_dir(home.path().join("slos")).expect("a folder");
    let file = home.path().join("slos/fleet.yaml");
    std::fs::copy(of_checkout("tests/fixtures/slos/good/fleet.yaml"), &file).expect("copied");
    let config = config.display().to_string();
    let (code, all) = run(&["check", "--config", &config]);
    assert_eq!(code, Some(0), "{all}");
    assert!(all.contains("objectives: 12"), "{all}");
    let (code, all) = run(&["slo", "explain", "--config", &config]);
    assert_eq!(code, Some(0), "{all}");
    for part in [
        "intent-alignment  ·  fleet",
        "envelope of actions with agent `ops-*`, tool `k8s_*`, environment",
        "99.5 % good in each month of Europe/Berlin; this one: ",
        "1 in 200 slices of 15m may be bad (14 in a window)",
        "an empty one is good",
        "burn > 10 over 1h for 5m; notify sre-pager",
        "said by   wherefore.yaml: target; all else by default",
    ] {
        assert!(all.contains(part), "{part}\n{all}");
    }
    assert!(all.lines().all(|line| line.chars().count() <= 80 || !line.contains(' ')), "{all}");
    let text = std::fs::read_to_string(&file).expect("written").replace("0.995", "99.5");
    std::fs::write(&file, text).expect("written");
    for command in [&["check"][..], &["slo", "explain"], &["slo", "generate"]] {
        let (code, all) = run(&[command, &["--config", &config]].concat());
        assert_eq!(code, Some(2), "{command:?}: {all}");
        assert!(all.contains("looks like a percent: use `targetPercent`"), "{all}");
    }
}
