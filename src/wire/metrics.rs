//! Metrics are accepted and counted, not kept: senders that export all three signals to one place must not fail.

use super::check::{check_key_value, check_resource, check_scope, check_text, in_message};
use super::read::{MAX_DEPTH, Reader, deeper};
use super::rejected::{Malformed, Reason};
use super::tags::{by_resource, by_scope, metric, points, request};

/// The number of data points in an `ExportMetricsServiceRequest`. The points themselves are not looked into.
///
/// # Errors
///
/// [`Malformed`] exactly when prost rejects the request with its data points taken as opaque bytes.
pub fn count_metrics(body: &[u8]) -> Result<u32, Malformed> {
    let framing = in_message("ExportMetricsServiceRequest");
    let mut count = 0;
    let mut reader = Reader::new(body);
    while let Some(key) = reader.key().map_err(&framing)? {
        match key {
            request::RESOURCE => {
                let message = reader.bytes().map_err(&framing)?;
                count += count_resource(message, MAX_DEPTH - 1).map_err(in_message("ResourceMetrics"))?;
            }
            _ => reader.other(key, request::KNOWN, MAX_DEPTH).map_err(&framing)?,
        }
    }
    Ok(count)
}

fn count_resource(message: &[u8], depth: u32) -> Result<u32, Reason> {
    let mut count = 0;
    let mut reader = Reader::new(message);
    while let Some(key) = reader.key()? {
        match key {
            by_resource::RESOURCE => {
                check_resource(reader.bytes()?, deeper(depth)?)?;
            }
            by_resource::SCOPE => count += count_scope(reader.bytes()?, deeper(depth)?)?,
            by_resource::SCHEMA_URL => check_text(reader.bytes()?)?,
            _ => reader.other(key, by_resource::KNOWN, depth)?,
        }
    }
    Ok(count)
}

fn count_scope(message: &[u8], depth: u32) -> Result<u32, Reason> {
    let mut count = 0;
    let mut reader = Reader::new(message);
    while let Some(key) = reader.key()? {
        match key {
            by_scope::SCOPE => {
                check_scope(reader.bytes()?, deeper(depth)?)?;
            }
            by_scope::RECORD => count += count_metric(reader.bytes()?, deeper(depth)?)?,
            by_scope::SCHEMA_URL => check_text(reader.bytes()?)?,
            _ => reader.other(key, by_scope::KNOWN, depth)?,
        }
    }
    Ok(count)
}

fn count_metric(message: &[u8], depth: u32) -> Result<u32, Reason> {
    let mut count = 0;
    let mut reader = Reader::new(message);
    while let Some(key) = reader.key()? {
        let known = match key {
            metric::GAUGE | metric::SUMMARY => points::KNOWN_BARE,
            metric::HISTOGRAM | metric::EXPONENTIAL_HISTOGRAM => points::KNOWN_HISTOGRAM,
            metric::SUM => points::KNOWN_SUM,
            metric::NAME | metric::DESCRIPTION | metric::UNIT => {
                check_text(reader.bytes()?)?;
                continue;
            }
            metric::METADATA => {
                check_key_value(reader.bytes()?, deeper(depth)?)?;
                continue;
            }
            _ => {
                reader.other(key, metric::KNOWN, depth)?;
                continue;
            }
        };
        count += count_points(reader.bytes()?, known, deeper(depth)?)?;
    }
    Ok(count)
}

fn count_points(message: &[u8], known: u32, depth: u32) -> Result<u32, Reason> {
    let mut count = 0;
    let mut reader = Reader::new(message);
    while let Some(key) = reader.key()? {
        match key {
            points::POINT => {
                reader.bytes()?;
                count += 1;
            }
            points::TEMPORALITY | points::MONOTONIC if known >> (key >> 3) & 1 == 1 => {
                reader.varint()?;
            }
            _ => reader.other(key, known, depth)?,
        }
    }
    Ok(count)
}
