"""A real framework as a sender: Pydantic AI with real tools and a scripted model, instrumented by itself.

    pydantic_agent.py ENDPOINT

The model is played; everything else, the run, the tools, the approval and all telemetry, is the framework's. Prints as
JSON the actions that happened.
"""

import json
import sys

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from pydantic_ai import Agent, DeferredToolRequests, ModelRetry
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.instrumented import InstrumentationSettings


def model(messages, _info):
    """Looks the order up, asks for more than the shop pays, then for less, and wants the order gone."""
    script = [
        ToolCallPart("get_order", {"order": 17}, tool_call_id="call-1"),
        ToolCallPart("issue_refund", {"order": 17, "cents": 999_999}, tool_call_id="call-2"),
        ToolCallPart("issue_refund", {"order": 17, "cents": 1_999}, tool_call_id="call-3"),
        ToolCallPart("delete_order", {"order": 17}, tool_call_id="call-4"),
    ]
    said = sum(isinstance(message, ModelResponse) for message in messages)
    return ModelResponse(parts=[script[said]] if said < len(script) else [TextPart("Done.")])


agent = Agent(FunctionModel(model), name="desk", output_type=[str, DeferredToolRequests])


@agent.tool_plain
def get_order(order: int) -> dict:
    """Finds an order."""
    return {"order": order, "status": "delivered", "cents": 1_999}


@agent.tool_plain(retries=2)
def issue_refund(order: int, cents: int) -> str:
    """Pays money back."""
    if cents > 1_999:
        raise ModelRetry("the order did not cost that much")
    return f"refunded {cents} for {order}"


@agent.tool_plain(requires_approval=True)
def delete_order(order: int) -> str:
    """Forgets an order. Nobody approves it here, so it never runs."""
    raise AssertionError("not approved")


REQUEST = "Order 17 came broken. Please refund it, and forget it."

ACTIONS = [
    {"tool": "get_order", "call_id": "call-1", "state": "executed"},
    {"tool": "issue_refund", "call_id": "call-2", "state": "failed"},
    {"tool": "issue_refund", "call_id": "call-3", "state": "executed"},
    {"tool": "delete_order", "call_id": "call-4", "state": "asked"},
]


def main():
    (endpoint,) = sys.argv[1:]
    resource = Resource.create({"service.name": "desk", "service.namespace": "pydantic-ai"})
    tracing = TracerProvider(resource=resource)
    tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint + "/v1/traces")))
    Agent.instrument_all(InstrumentationSettings(tracer_provider=tracing))
    result = agent.run_sync(REQUEST)
    waiting = [call.tool_call_id for call in result.output.approvals]
    assert waiting == ["call-4"], waiting
    tracing.shutdown()
    print(json.dumps({"actions": [{**action, "intent": REQUEST} for action in ACTIONS]}))


if __name__ == "__main__":
    main()
