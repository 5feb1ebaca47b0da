#!/usr/bin/env python3
"""Records the incident of the demo: real agents of a real framework, a gateway, an evaluator and people, all
exporting OTLP through the OpenTelemetry SDK to a receiver on loopback.

    python3 -m venv .venv && .venv/bin/pip install -r demo/requirements.txt
    .venv/bin/python demo/record.py

Writes `incident.jsonl.zst` beside this file (and, to look into, `incident.jsonl`, which git ignores): one export request
per line, in arrival order:

    {"after_ms": 1234, "signal": "traces", "role": "agent", "request": {…OTLP/JSON…}}

`after_ms` counts from the earliest time in the recording. It prints what really happened, call by call, and the sums
that `STORY.md` counts by hand. Order, ids and times differ from one recording to the next; what happens does not.
"""

import asyncio
import json
import re
from collections import Counter
from pathlib import Path

import zstandard

from recorder.agents import World
from recorder.receiver import Receiver
from recorder.services import ApprovalDesk, Evaluator, Gateway, OnCall, Service
from recorder.traffic import play

HERE = Path(__file__).parent


def record():
    receiver = Receiver()
    to = receiver.endpoint
    ops = Service("ops-agent", "2.3.0", "agent", to)
    support = Service("support-agent", "1.14.2", "agent", to)
    docs = Service("docs-agent", "0.9.1", "agent", to)
    gateway = Gateway("tool-gateway", "1.8.0", "gateway", to)
    desk = ApprovalDesk("approval-desk", "3.0.1", "human_channel", to)
    on_call = OnCall("on-call-console", "3.0.1", "human_channel", to)
    evaluator = Evaluator("evaluator", "5.2.0", "evaluator", to)

    async def everything():
        world = World(ops, support, docs, gateway, desk, evaluator)
        await play(world, ops, on_call)
        return world.truth

    truth = asyncio.run(everything())
    for service in (ops, support, docs, gateway, desk, on_call, evaluator):
        service.stop()
    receiver.stop()
    return receiver.received, truth


def times(value):
    """Every time in a request, Unix nanoseconds."""
    if isinstance(value, list):
        for item in value:
            yield from times(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key.endswith("UnixNano"):
                yield int(item)
            else:
                yield from times(item)


def lines(received):
    origin = min(time for one in received for time in times(one["request"]))
    for one in received:
        after = (one["received"] - origin) // 1_000_000
        line = {"after_ms": after, "signal": one["signal"], "role": one["role"], "request": one["request"]}
        yield scrub(json.dumps(line, separators=(",", ":"), ensure_ascii=False))


def scrub(line):
    """Paths of the machine that recorded, as they stand in stack traces, become file names."""
    return re.sub(r'File \\"[^"]*/([^"/]+)\\"', r'File \\"\1\\"', line)


def main():
    received, truth = record()
    text = "\n".join(lines(received)) + "\n"
    (HERE / "incident.jsonl").write_text(text)
    packed = zstandard.ZstdCompressor(level=19).compress(text.encode())
    (HERE / "incident.jsonl.zst").write_bytes(packed)
    for call in truth:
        print("  ".join(f"{word or '-':18}" for word in call))
    print()
    for what, count in sorted(Counter((agent, outcome) for agent, _, _, outcome, *_ in truth).items()):
        print(f"{count:4}  {what[0]} {what[1]}")
    print(f"{len(truth):4}  calls in all; {len(received)} requests, {len(text)} bytes, {len(packed)} packed")


if __name__ == "__main__":
    main()
