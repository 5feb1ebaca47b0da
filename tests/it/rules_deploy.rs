//! What stands in `deploy/`: read by the real checkers where they are there, and as YAML everywhere.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::checkers::{accepts, check, have};

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)
}

fn yaml(path: &str) -> Value {
    let text = std::fs::read_to_string(deploy(path)).unwrap_or_else(|error| panic!("read {path}: {error}"));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn promtool_accepts_the_configuration() {
    if have("promtool") {
        accepts("promtool", &["check", "config", &deploy("prometheus/prometheus.yml").to_string_lossy()], "");
    }
}

#[test]
fn amtool_accepts_the_configuration_and_routes_as_meant() {
    if !have("amtool") {
        return;
    }
    let file = deploy("alertmanager/alertmanager.yml");
    let file = file.to_string_lossy();
    accepts("amtool", &["check-config", &file], "");
    for (labels, receiver) in [
        (["severity=page", "alertname=WhereforeForbiddenCall"], "pager"),
        (["severity=ticket", "alertname=WhereforeErrorBudgetBurn"], "tickets"),
        (["severity=none", "alertname=WhereforeWatchdog"], "watchdog"),
        (["severity=other", "alertname=SomebodyElses"], "tickets"),
    ] {
        let config = format!("--config.file={file}");
        let output = check("amtool", &["config", "routes", "test", &config, labels[0], labels[1]], "");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), receiver, "{labels:?}");
    }
}

#[test]
fn compose_names_exact_images_and_files_that_exist() {
    let compose = yaml("compose.yaml");
    for (name, service) in compose["services"].as_object().expect("services") {
        if let Some(image) = service["image"].as_str() {
            let tag = image.rsplit_once(':').map(|(_, tag)| tag);
            assert!(tag.is_some_and(|tag| tag.contains('.')), "{name}: `{image}` names no exact version");
        }
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let source = volume.as_str().and_then(|volume| volume.split(':').next()).unwrap_or_default();
            assert!(!source.starts_with('.') || deploy(source).exists(), "{name}: `{source}` is not there");
        }
        for port in service["ports"].as_array().into_iter().flatten() {
            let port = port.as_str().unwrap_or_default();
            assert!(port.starts_with("127.0.0.1:"), "{name}: port `{port}` is open to everybody");
        }
    }
    let dockerfile = compose["services"]["wherefore"]["build"]["dockerfile"].as_str().expect("a Dockerfile");
    assert!(deploy("..").join(dockerfile).exists());
}

/// Grafana's provisioning and the Collector's pipelines have no checker here; their shape is looked at instead.
#[test]
fn provisioning_and_collector_fit_together() {
    let datasources = yaml("grafana/provisioning/datasources/wherefore.yaml");
    let prometheus = &datasources["datasources"][0];
    assert_eq!((&prometheus["type"], &prometheus["uid"]), (&"prometheus".into(), &"prometheus".into()));
    let exemplars = &prometheus["jsonData"]["exemplarTraceIdDestinations"][0];
    assert_eq!(exemplars["name"], "trace_id");
    assert_eq!(exemplars["url"], "http://localhost:9464/lineage/$${__value.raw}");

    let providers = yaml("grafana/provisioning/dashboards/wherefore.yaml");
    let path = providers["providers"][0]["options"]["path"].as_str().expect("a path");
    let compose = std::fs::read_to_string(deploy("compose.yaml")).expect("compose.yaml is there");
    assert!(compose.contains(&format!("../dashboards:{path}:ro")), "the dashboards are mounted at `{path}`");

    let collector = yaml("otel-collector.yaml");
    let exporter = &collector["exporters"]["otlp"];
    assert_eq!(exporter["sending_queue"]["storage"], "file_storage");
    assert!(collector["extensions"]["file_storage"].is_object());
    for (signal, pipeline) in collector["service"]["pipelines"].as_object().expect("pipelines") {
        assert_eq!(
            (&pipeline["receivers"][0], &pipeline["exporters"][0]),
            (&"otlp".into(), &"otlp".into()),
            "{signal}"
        );
    }
}
