"""Everyone who speaks in the incident besides the agents: each a service of its own, with its own SDK and token.

Contexts cross between services as `traceparent` headers do: injected into a carrier and extracted from it, so that
their spans have remote parents.
"""

import asyncio
import itertools
import json
import random

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator

# Stands in every id of the recording. Whoever plays it puts another eight hex digits in its place, so that no two
# plays share an id.
MARK = "5eed5eed"
_numbers = itertools.count(1)
_random = random.Random(20261101)

FREEZE = "change-freeze@2026-11"
REFUNDS = "refunds@7"


def new_id(kind):
    """An id for a call or a conversation."""
    return f"{kind}_{MARK}{next(_numbers):06d}"


class Ids(IdGenerator):
    """Trace and span ids that carry the mark."""

    def generate_trace_id(self):
        return int(f"{MARK}{_random.getrandbits(96):024x}", 16)

    def generate_span_id(self):
        return int(f"{MARK}{next(_numbers):08x}", 16)


class Service:
    """A service: resource, spans, events. `role` is that of its token, and here the token itself."""

    def __init__(self, name, version, role, endpoint):
        # The SDK would give every service of this process the same instance id.
        resource = Resource.create(
            {
                "service.namespace": "demo",
                "service.name": name,
                "service.version": version,
                "service.instance.id": f"{name}-0",
            }
        )
        headers = {"authorization": f"Bearer {role}"}
        self.tracer_provider = TracerProvider(resource=resource, id_generator=Ids())
        spans = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", headers=headers)
        self.tracer_provider.add_span_processor(BatchSpanProcessor(spans, schedule_delay_millis=400))
        self.logger_provider = LoggerProvider(resource=resource)
        logs = OTLPLogExporter(endpoint=f"{endpoint}/v1/logs", headers=headers)
        self.logger_provider.add_log_record_processor(BatchLogRecordProcessor(logs, schedule_delay_millis=200))
        self.tracer = self.tracer_provider.get_tracer(name, version)
        self.logger = self.logger_provider.get_logger(name, version)

    def event(self, name, attributes, context=None):
        """An event in the trace that called."""
        attributes = {key: value for key, value in attributes.items() if value is not None}
        self.logger.emit(event_name=name, context=context or caller(), attributes=attributes)

    def stop(self):
        self.tracer_provider.shutdown()
        self.logger_provider.shutdown()


def caller():
    """The context of the caller as another process sees it."""
    carrier = {}
    propagate.inject(carrier)
    return propagate.extract(carrier)


class Gateway(Service):
    """The policy gateway in front of tools that change something."""

    RULES = {
        "delete_records": ("deny", "policy:change-freeze", FREEZE),
        "run_sql": ("deny", "policy:change-freeze", FREEZE),
        "issue_refund": ("ask", "policy:refunds", REFUNDS),
    }

    async def decide(self, call):
        """`deny`, or `ask` when a person has to decide."""
        outcome, principal, policy = self.RULES[call.tool_name]
        with self.tracer.start_as_current_span("POST /v1/decide", context=caller(), kind=trace.SpanKind.SERVER):
            await asyncio.sleep(0.02)
            said = {
                "wherefore.decision.outcome": outcome,
                "wherefore.decision.by": "policy",
                "wherefore.decision.principal": principal,
                "wherefore.policy.refs": [policy],
            }
            self.event("wherefore.decision", about(call) | said)
        return outcome


class ApprovalDesk(Service):
    """Where people answer what the gateway asks."""

    async def answer(self, call, outcome, wait):
        """A person reads the question for `wait` seconds and answers."""
        await asyncio.sleep(wait)
        said = {
            "wherefore.decision.outcome": outcome,
            "wherefore.decision.by": "human",
            "wherefore.decision.principal": "user:9b1f",
            "wherefore.decision.scope": "once",
        }
        self.event("wherefore.decision", about(call) | said)


class OnCall(Service):
    """The console of the engineer on call."""

    def halt(self, context, conversation):
        said = {"wherefore.containment": "halt", "gen_ai.conversation.id": conversation}
        self.event("wherefore.containment", said, context)


class Evaluator(Service):
    """Looks at calls before they run and at what came of them."""

    def intent(self, call, label, explanation=None):
        evaluate(self, call, "intent_alignment", label, "pre_action", explanation)

    def check(self, call, name, label, explanation=None):
        evaluate(self, call, name, label, "post_action", explanation)


def evaluate(service, call, name, label, phase, explanation=None):
    """A `gen_ai.evaluation.result`, said by any service."""
    said = {
        "gen_ai.tool.call.id": call.tool_call_id,
        "gen_ai.evaluation.name": name,
        "gen_ai.evaluation.score.label": label,
        "gen_ai.evaluation.explanation": explanation,
        "wherefore.check.phase": phase,
    }
    service.event("gen_ai.evaluation.result", said)


def about(call):
    """The call that a decision is about."""
    return {
        "gen_ai.tool.call.id": call.tool_call_id,
        "gen_ai.tool.name": call.tool_name,
        "gen_ai.tool.call.arguments": json.dumps(call.args_as_dict()),
    }
