//! Generates the OTLP types and services from the pinned files in `proto/`. `protox` is the compiler, so no
//! `protoc` is needed. The OTLP messages are prost's reading of the protocol: replies, records, tools and the
//! oracle of the view's tests; the hot path never decodes with them.

const PROTOS: &[&str] = &[
    "opentelemetry/proto/collector/trace/v1/trace_service.proto",
    "opentelemetry/proto/collector/logs/v1/logs_service.proto",
    "opentelemetry/proto/collector/metrics/v1/metrics_service.proto",
    "wherefore/v1/records.proto",
    "wherefore/v1/lineage.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(PROTOS, ["proto"])?;
    tonic_prost_build::configure().build_server(false).build_client(true).bytes(".wherefore").compile_fds(files)?;
    Ok(())
}
