// The OpenTelemetry JavaScript SDK as a sender, over HTTP with JSON: an order desk's turn as spans whose messages are
// attributes.
//
//     node sdk.mjs ENDPOINT
//
// Prints as JSON the actions that happened: what a reader of the telemetry has to find, no more and no less.

import { SpanKind, SpanStatusCode, context, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';

const [endpoint] = process.argv.slice(2);

const REQUEST = 'Order 17 came broken. Please refund it.';

const CALLS = [
  { tool: 'get_order', id: 'call-1', arguments: { order: 17 }, outcome: 'executed' },
  { tool: 'issue_refund', id: 'call-2', arguments: { order: 17, cents: 1999 }, outcome: 'failed' },
  { tool: 'delete_order', id: 'call-3', arguments: { order: 17 }, outcome: null },
];

const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'desk', 'service.namespace': 'javascript' }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: `${endpoint}/v1/traces` }))],
});
const tracer = provider.getTracer('desk');

// A span around some work.
function within(parent, name, options, work) {
  const span = tracer.startSpan(name, options, parent);
  work(span, trace.setSpan(parent, span));
  span.end();
}

function ask(parent) {
  const calls = CALLS.map((call) => ({ type: 'tool_call', id: call.id, name: call.tool, arguments: call.arguments }));
  const attributes = {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': 'gpt-5',
    'gen_ai.usage.input_tokens': 17,
    'gen_ai.input.messages': JSON.stringify([
      { role: 'user', parts: [{ type: 'text', content: REQUEST }] },
    ]),
    'gen_ai.output.messages': JSON.stringify([{ role: 'assistant', parts: calls, finish_reason: 'tool_call' }]),
  };
  within(parent, 'chat gpt-5', { kind: SpanKind.CLIENT, attributes }, () => {});
}

// The tool call itself, where there was one.
function run(parent, call) {
  const done = { tool: call.tool, call_id: call.id, state: call.outcome ?? 'proposed', intent: REQUEST };
  if (call.outcome === null) return done;
  const attributes = {
    'gen_ai.operation.name': 'execute_tool',
    'gen_ai.tool.name': call.tool,
    'gen_ai.tool.call.id': call.id,
    'gen_ai.tool.call.arguments': JSON.stringify(call.arguments),
  };
  within(parent, `execute_tool ${call.tool}`, { attributes }, (span) => {
    const { traceId, spanId } = span.spanContext();
    done.span = [traceId, spanId];
    if (call.outcome === 'failed') {
      span.setAttribute('error.type', 'TimeoutError');
      span.setStatus({ code: SpanStatusCode.ERROR, message: 'the bank did not answer' });
    } else {
      span.setAttribute('gen_ai.tool.call.result', JSON.stringify({ status: 'delivered' }));
    }
  });
  return done;
}

const actions = [];
const agent = {
  'gen_ai.operation.name': 'invoke_agent',
  'gen_ai.agent.name': 'desk',
  'gen_ai.conversation.id': 'desk-4711',
};
within(context.active(), 'invoke_agent desk', { attributes: agent }, (_, here) => {
  ask(here);
  actions.push(...CALLS.map((call) => run(here, call)));
});
await provider.shutdown();
console.log(JSON.stringify({ actions }));
