"""A tiny OTLP/HTTP receiver on loopback that keeps what the exporters send, as OTLP/JSON."""

import base64
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SIGNALS = {
    "/v1/traces": ("traces", ExportTraceServiceRequest),
    "/v1/logs": ("logs", ExportLogsServiceRequest),
}
# In OTLP/JSON these are hex, where protobuf's own JSON has base64.
IDS = ("traceId", "spanId", "parentSpanId")


class Receiver:
    """Received requests, in arrival order: dicts with `signal`, `role`, `received` (Unix ns) and `request`."""

    def __init__(self):
        self.received = []
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver._take(self.path, self.headers["authorization"].removeprefix("Bearer "), body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _take(self, path, role, body):
        signal, message = SIGNALS[path]
        request = json_format.MessageToDict(message.FromString(body), use_integers_for_enums=True)
        with self._lock:
            self.received.append(
                {"signal": signal, "role": role, "received": time.time_ns(), "request": with_hex_ids(request)}
            )

    def stop(self):
        self._server.shutdown()


def with_hex_ids(value):
    """The same request with every id as hex."""
    if isinstance(value, list):
        return [with_hex_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64decode(item).hex() if key in IDS else with_hex_ids(item) for key, item in value.items()
    }
