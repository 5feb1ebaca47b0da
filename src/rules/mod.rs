//! SLOs to Prometheus rules and dashboards.
