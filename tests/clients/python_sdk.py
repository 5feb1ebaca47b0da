"""The OpenTelemetry Python SDK as a sender: an order desk's two turns, as spans and log events.

    python_sdk.py grpc|http ENDPOINT

Prints as JSON the actions that happened: what a reader of the telemetry has to find, no more and no less.
"""

import json
import sys

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, format_span_id, format_trace_id


def exporters(transport, endpoint):
    """The span and the log exporter of a transport. Over HTTP each signal has its own path."""
    if transport == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        given = {"endpoint": endpoint, "insecure": True}
        return OTLPSpanExporter(**given), OTLPLogExporter(**given)
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=endpoint + "/v1/traces"), OTLPLogExporter(endpoint=endpoint + "/v1/logs")


class Desk:
    """The agent: it keeps a list of what it did."""

    def __init__(self, tracer, logger):
        self.tracer, self.logger, self.actions = tracer, logger, []

    def turn(self, text, calls):
        """One user request: the model proposes every call, and those with an outcome run."""
        agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "desk", **CONVERSATION}
        with self.tracer.start_as_current_span("invoke_agent desk", attributes=agent):
            self.ask(text, calls)
            for call in calls:
                self.run(text, call)

    def ask(self, text, calls):
        """The model call. What was said goes into log events, as from version 1.28 on."""
        chat = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5"}
        with self.tracer.start_as_current_span("chat gpt-5", kind=SpanKind.CLIENT, attributes=chat):
            proposed = [
                {
                    "id": call["id"],
                    "type": "function",
                    "function": {"name": call["tool"], "arguments": json.dumps(call["arguments"])},
                }
                for call in calls
            ]
            self.event("gen_ai.user.message", {"content": text})
            message = {"role": "assistant", "tool_calls": proposed}
            self.event("gen_ai.choice", {"index": 0, "finish_reason": "tool_calls", "message": message})

    def run(self, text, call):
        """The tool call itself, where there was one."""
        done = {"tool": call["tool"], "call_id": call["id"], "state": "proposed", "intent": text}
        self.actions.append(done)
        if call["outcome"] is None:
            return
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": call["tool"],
            "gen_ai.tool.call.id": call["id"],
            "gen_ai.tool.call.arguments": json.dumps(call["arguments"]),
        }
        with self.tracer.start_as_current_span(f"execute_tool {call['tool']}", attributes=attributes) as span:
            here = span.get_span_context()
            done["span"] = [format_trace_id(here.trace_id), format_span_id(here.span_id)]
            done["state"] = call["outcome"]
            if call["outcome"] == "failed":
                span.set_attribute("error.type", "TimeoutError")
                span.set_status(Status(StatusCode.ERROR, "the bank did not answer"))
            else:
                span.set_attribute("gen_ai.tool.call.result", json.dumps({"status": "delivered"}))

    def event(self, name, body):
        """A log record in the context of the current span."""
        self.logger.emit(LogRecord(event_name=name, body=body, severity_number=SeverityNumber.INFO))


CONVERSATION = {"gen_ai.conversation.id": "desk-4711"}

TURNS = [
    (
        "Order 17 came broken. Please refund it.",
        [
            {"tool": "get_order", "id": "call-1", "arguments": {"order": 17}, "outcome": "executed"},
            {"tool": "issue_refund", "id": "call-2", "arguments": {"order": 17, "cents": 1999}, "outcome": "failed"},
            {"tool": "delete_order", "id": "call-3", "arguments": {"order": 17}, "outcome": None},
        ],
    ),
    # An id names a call inside its turn only.
    (
        "And order 18?",
        [{"tool": "get_order", "id": "call-1", "arguments": {"order": 18}, "outcome": "executed"}],
    ),
]


def main():
    transport, endpoint = sys.argv[1:]
    spans, logs = exporters(transport, endpoint)
    resource = Resource.create({"service.name": "desk", "service.namespace": f"python-{transport}"})
    tracing = TracerProvider(resource=resource)
    tracing.add_span_processor(BatchSpanProcessor(spans))
    logging = LoggerProvider(resource=resource)
    logging.add_log_record_processor(BatchLogRecordProcessor(logs))
    desk = Desk(tracing.get_tracer("desk"), logging.get_logger("desk"))
    for text, calls in TURNS:
        desk.turn(text, calls)
    tracing.shutdown()
    logging.shutdown()
    print(json.dumps({"actions": desk.actions}))


if __name__ == "__main__":
    main()
