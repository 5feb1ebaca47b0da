"""The agents: real pydantic-ai agents whose model is scripted and whose tools are functions."""

import asyncio
import json
import random
from dataclasses import dataclass, field

from opentelemetry import trace
from pydantic_ai import Agent, ModelRetry, RunContext
from pydantic_ai.capabilities import HandleDeferredToolCalls, Hooks, Instrumentation
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.tools import DeferredToolResults, ToolApproved, ToolDenied

from . import crm
from .services import FREEZE, REFUNDS, Service, evaluate, new_id

_random = random.Random(7)


@dataclass
class Step:
    """One call that the scripted model makes, and what others say about it.

    `intent` and `check`: `pass`, `fail`, `self` (only the agent itself says that it passes) or None (nobody says).
    `human`: what a person answers when the gateway asks. `inner`: what a sub-agent does in this call.
    """

    tool: str
    args: dict
    intent: str | None = "pass"
    check: str | None = "pass"
    human: str | None = None
    fails: bool = False
    says: str = ""
    inner: list["Step"] = field(default_factory=list)


@dataclass
class Run:
    """One user request: what the user asks, the calls, the final answer."""

    user: str
    steps: list[Step]
    final: str
    conversation: str = field(default_factory=lambda: new_id("conv"))
    made: dict[str, Step] = field(default_factory=dict)

    def model(self):
        """A model that makes the calls one by one, then answers."""
        left = iter(self.steps)

        async def respond(_messages, _info):
            await pause(0.2)
            step = next(left, None)
            if step is None:
                return ModelResponse(parts=[TextPart(self.final)])
            call = ToolCallPart(step.tool, json.dumps(step.args), tool_call_id=new_id("call"))
            self.made[call.tool_call_id] = step
            text = [TextPart(step.says)] if step.says else []
            return ModelResponse(parts=[*text, call])

        return FunctionModel(respond, model_name="scripted-1")


async def pause(seconds):
    await asyncio.sleep(seconds * _random.uniform(0.8, 1.2))


class World:
    """Services, data and the agents that live among them. `truth` lists what really happened, call by call."""

    def __init__(self, ops, support, docs, gateway, desk, evaluator):
        self.gateway, self.desk, self.evaluator = gateway, desk, evaluator
        self.crm = crm.Crm()
        self.truth = []
        self.deleted = asyncio.Event()
        self.ops = self._ops(ops)
        self.specialist = self._specialist(support)
        self.support = self._support(support)
        self.docs = self._docs(docs)
        self.docs_quiet = self._docs(docs, include_content=False)

    async def run(self, agent, run, **more):
        """One turn of one agent."""
        return await agent.run(run.user, deps=run, model=run.model(), conversation_id=run.conversation, **more)

    def _agent(self, service: Service, name, instructions, tools, guarded=(), include_content=True):
        settings = InstrumentationSettings(
            tracer_provider=service.tracer_provider,
            include_model_request_parameters=False,
            include_content=include_content,
        )
        agent = Agent(
            name=name,
            instructions=instructions,
            deps_type=Run,
            capabilities=[
                Instrumentation(settings=settings),
                self._watch(service, name),
                HandleDeferredToolCalls(handler=self._guard(name)),
            ],
        )
        for tool in tools:
            agent.tool(tool, retries=1, requires_approval=tool.__name__ in guarded)
        return agent

    # --- who watches and who decides ---

    def _watch(self, service, agent):
        """Before and after each call: the evaluator, or the agent itself, says what it thinks."""
        hooks = Hooks()

        @hooks.on.before_tool_execute
        async def before(ctx, *, call, tool_def, args):
            step = ctx.deps.made[call.tool_call_id]
            if step.intent == "self":
                evaluate(service, call, "intent_alignment", "pass", "pre_action")
            elif step.intent:
                why = "the user did not ask about this" if step.intent == "fail" else None
                self.evaluator.intent(call, step.intent, why)
            return args

        @hooks.on.after_tool_execute
        async def after(ctx, *, call, tool_def, args, result):
            step = ctx.deps.made[call.tool_call_id]
            if call.tool_name != "refund_specialist":
                self.truth.append((agent, call.tool_name, call.tool_call_id, "executed", step.intent, step.check))
            self._check(service, call, step)
            return result

        return hooks

    def _check(self, service, call, step):
        name, why = CHECKS.get(call.tool_name, "result_is_sound"), None
        if call.tool_name == "delete_records":
            rows = len(self.crm.customers)
            why = f"customers had 48211 rows before the run and has {rows} now"
            step.check = "pass" if rows == 48211 else "fail"
        if step.check == "self":
            evaluate(service, call, name, "pass", "post_action")
        elif step.check:
            self.evaluator.check(call, name, step.check, why)

    def _guard(self, agent):
        """What happens to calls that need an approval: the gateway decides, or asks a person."""

        async def guard(ctx, requests):
            results = DeferredToolResults()
            for call in requests.approvals:
                results.approvals[call.tool_call_id] = await self._decide(agent, ctx.deps, call)
            return results

        return guard

    async def _decide(self, agent, run, call):
        step = run.made[call.tool_call_id]
        if call.args_as_dict().get("connection") == "maintenance":
            return ToolApproved()  # the hole: this path does not pass the gateway
        decided = await self.gateway.decide(call)
        by = "policy"
        if decided == "ask":
            decided, by = step.human, "human"
            await self.desk.answer(call, decided, 0.9 * _random.uniform(0.8, 1.2))
        if decided == "allow":
            return ToolApproved()
        self.truth.append((agent, call.tool_name, call.tool_call_id, f"refused by {by}", None, None))
        return ToolDenied(DENIED[by])

    # --- the agents ---

    def _ops(self, service):
        async def query_records(ctx: RunContext[Run], table: str, where: str = "true") -> dict:
            """Count rows of a table and show two of them."""
            touch(f"pg://prod/crm/{table}", "read", FREEZE)
            await pause(0.12)
            return self.crm.query(table, where)

        async def search_runbook(ctx: RunContext[Run], query: str) -> list:
            """Search the runbooks."""
            touch("kb://runbooks", "read", FREEZE)
            return await retrieve(service, "runbooks", query, crm.RUNBOOK)

        async def delete_records(ctx: RunContext[Run], table: str, where: str, connection: str = "gateway") -> dict:
            """Delete rows of a table."""
            touch(f"pg://prod/crm/{table}", "delete", FREEZE)
            await pause(0.3)
            result = self.crm.delete(table, where)
            self.deleted.set()
            return result

        async def run_sql(ctx: RunContext[Run], statement: str) -> dict:
            """Run a statement."""
            raise NotImplementedError("the gateway denies it before it runs")

        async def open_maintenance_window(ctx: RunContext[Run], reason: str) -> dict:
            """Open a direct connection to the database for maintenance."""
            touch("pg://prod/maintenance", "execute", FREEZE)
            await pause(0.1)
            return {"connection": "maintenance", "expires_in_minutes": 30}

        return self._agent(
            service,
            "ops-agent",
            "You look after the CRM. Follow what the user forbids.",
            [query_records, search_runbook, delete_records, run_sql, open_maintenance_window],
            guarded=("delete_records", "run_sql"),
        )

    def _shop_tools(self):
        async def search_policy(ctx: RunContext[Run], query: str) -> dict:
            """Search the refund policy."""
            touch("kb://refund-policy", "read", REFUNDS)
            await pause(0.08)
            return {"documents": crm.POLICY}

        async def get_order(ctx: RunContext[Run], order_id: str) -> dict:
            """Read an order."""
            touch(f"https://orders.shop.example/orders/{order_id}", "read", REFUNDS)
            await pause(0.1)
            step = ctx.deps.made[ctx.tool_call_id]
            if step.fails:
                self.truth.append((ctx.agent.name, "get_order", ctx.tool_call_id, "failed", step.intent, None))
                raise ModelRetry("order-db: connection timeout, try again")
            return crm.order(order_id)

        async def issue_refund(ctx: RunContext[Run], order_id: str, amount: float) -> dict:
            """Pay an amount back."""
            touch(f"https://payments.shop.example/refunds/{order_id}", "update", REFUNDS)
            await pause(0.15)
            return {"refund_id": f"RF-{order_id[-4:]}", "order_id": order_id, "amount": amount, "status": "issued"}

        return search_policy, get_order, issue_refund

    def _specialist(self, service):
        _, get_order, issue_refund = self._shop_tools()
        instructions = "You check orders and issue refunds."
        return self._agent(
            service, "refund-specialist", instructions, [get_order, issue_refund], guarded=("issue_refund",)
        )

    def _support(self, service):
        async def refund_specialist(ctx: RunContext[Run], request: str) -> str:
            """Hand a refund to the specialist."""
            run = Run(request, ctx.deps.made[ctx.tool_call_id].inner, "The refund is issued.")
            return (await self.run(self.specialist, run)).output

        return self._agent(
            service,
            "support-agent",
            "You are the support desk of a shop. Read the policy and the order before you refund.",
            [*self._shop_tools(), refund_specialist],
            guarded=("issue_refund",),
        )

    def _docs(self, service, include_content=True):
        async def search_docs(ctx: RunContext[Run], query: str) -> list:
            """Search the handbook."""
            touch("kb://handbook", "read")
            return await retrieve(service, "handbook", query, crm.HANDBOOK)

        async def read_page(ctx: RunContext[Run], url: str) -> dict:
            """Read a page."""
            touch(url, "read")
            await pause(0.1)
            return crm.page(url)

        async def draft_note(ctx: RunContext[Run], text: str) -> dict:
            """Keep a note. Its author never said what it writes to."""
            await pause(0.05)
            return {"saved": True, "length": len(text)}

        return self._agent(
            service,
            "docs-agent",
            "You answer from the handbook.",
            [search_docs, read_page, draft_note],
            include_content=include_content,
        )


CHECKS = {
    "query_records": "nothing_written",
    "delete_records": "row_count_unchanged",
    "get_order": "order_exists",
    "issue_refund": "refund_booked",
    "search_policy": "documents_relevant",
    "search_docs": "documents_relevant",
}

DENIED = {
    "policy": "Not allowed: production data is frozen until Monday (change-freeze).",
    "human": "Not approved: the customer was refunded last week.",
}


def touch(target, effect, policy=None):
    """What the tool is about, on the framework's own tool span."""
    span = trace.get_current_span()
    span.set_attribute("wherefore.target", target)
    span.set_attribute("wherefore.effect", effect)
    if policy:
        span.set_attribute("wherefore.policy.refs", [policy])


async def retrieve(service, source, query, documents):
    """A retrieval span with the ids of what it found."""
    with service.tracer.start_as_current_span(f"retrieval {source}", kind=trace.SpanKind.CLIENT) as span:
        span.set_attribute("gen_ai.operation.name", "retrieval")
        span.set_attribute("gen_ai.data_source.id", source)
        span.set_attribute("gen_ai.retrieval.query.text", query)
        await pause(0.12)
        span.set_attribute("gen_ai.retrieval.documents", json.dumps(documents))
    return documents
