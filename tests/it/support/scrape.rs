//! What a running server is asked again and again: every action, every series, and whether a counter goes back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use wherefore::catalogue::{Kind, Metric};
use wherefore::export::Format;
use wherefore::model::Action;

use super::http::{get, get_as, get_json};
use super::process::Wherefore;

/// Every action that a filter lets through, asked for page by page.
pub async fn actions(server: &Wherefore, filter: &str) -> Vec<Action> {
    let mut all: Vec<Action> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let mut page = get_json(&server.url(&format!("/api/v1/actions?limit=1000&{filter}{cursor}"))).await;
        let actions: Vec<Action> = serde_json::from_value(page["actions"].take()).expect("actions");
        for action in &actions {
            assert!(seen.insert(action.id), "{} is on two pages", action.id);
        }
        all.extend(actions);
        match &page["next"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => return all,
        }
    }
}

/// The form that has exemplars.
pub async fn openmetrics(server: &Wherefore) -> String {
    let accept = Format::OpenMetrics.content_type();
    let (status, body) = get_as(&server.url("/metrics"), accept).await.expect("the server answers");
    let text = String::from_utf8_lossy(&body).into_owned();
    assert_eq!(status, 200, "{text}");
    text
}

/// Lines, each in two parts: series and value or, where there is an exemplar, all that and its time.
pub fn series(text: &str) -> impl Iterator<Item = (String, String)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit_once(' ')).map(|(name, value)| (name.to_owned(), value.to_owned()))
}

/// Scrapes whatever is there until nobody says where. No counter of the engine may be less than it was or go missing,
/// whichever process answers; what counts from the start of its process may not be less within one.
pub async fn scrape(mut target: tokio::sync::watch::Receiver<Option<SocketAddr>>) -> u64 {
    let mut scrapes = 0;
    let mut last: BTreeMap<String, f64> = BTreeMap::new();
    let mut process = None;
    loop {
        let current = *target.borrow_and_update();
        let Some(current) = current else {
            match target.changed().await {
                Ok(()) => continue,
                Err(_) => return scrapes,
            }
        };
        // Nobody there, and not caught up yet: both say nothing.
        if let Ok((200, body)) = get(&format!("http://{current}/metrics")).await {
            let text = String::from_utf8_lossy(&body);
            // By when it began: the next process may get the same port.
            let began = series(&text).find(|(name, _)| name.starts_with(Metric::StartTime.def().name));
            if process.replace(began.clone()) != Some(began) {
                last.retain(|name, _| !begins_with_process(name));
            }
            let counters = counters(&text);
            for (name, before) in &last {
                let now = counters.get(name);
                assert!(now.is_some_and(|now| now >= before), "`{name}` was {before} and is {now:?}");
            }
            last = counters;
            scrapes += 1;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn begins_with_process(series: &str) -> bool {
    let metrics = Metric::ALL.iter().filter(|metric| metric.begins_with_process());
    metrics.clone().any(|metric| series.starts_with(metric.def().name))
}

/// Counters and the parts of histograms.
pub fn counters(text: &str) -> BTreeMap<String, f64> {
    let counting = |metric: &&Metric| matches!(metric.def().kind, Kind::Counter | Kind::Histogram);
    let names: Vec<&str> = Metric::ALL.iter().filter(counting).map(|metric| metric.def().name).collect();
    let value = |value: String| value.parse().expect("a number");
    let counting = series(text).filter(|(name, _)| names.iter().any(|known| name.starts_with(known)));
    counting.map(|(name, number)| (name, value(number))).collect()
}
