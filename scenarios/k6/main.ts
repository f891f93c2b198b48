/**
 * The load scripts, one exported function a kind; a stream of a scenario names one of them as its `script`.
 * They export no options: engine/load writes k6's configuration. Endpoints come from env RECEIVER_URL and GATEWAY_URL.
 */
import type { SegmentConfig } from './config.ts';
import { type Request, send } from './request.ts';

const receiver = `${__ENV.RECEIVER_URL}/events`;
const gateway = `${__ENV.GATEWAY_URL}/fn/`;

const number = (c: SegmentConfig, name: string, fallback: number): number =>
  Number(c.params[name] ?? fallback);

/** Request k asks to fail when the running share passes a whole number there: spread evenly, the same in every run. */
function asksToFail(share: number, k: number): boolean {
  return Math.floor((k + 1) * share) > Math.floor(k * share);
}

function functionName(c: SegmentConfig, k: number): string {
  return `${c.params.prefix ?? 'fn'}-${k % number(c, 'functions', 1)}`;
}

/** Body of an invocation: params `workMs` (ms of work in the function) and `failShare` (0..1). */
function invocationBody(c: SegmentConfig, k: number, fail: boolean): string {
  return `{"k":${k},"workMs":${number(c, 'workMs', 0)}${fail ? ',"fail":true' : ''}}`;
}

function build(c: SegmentConfig, k: number): Request {
  const name = `${c.params.prefix ?? 'build'}-${k}`;
  return {
    url: receiver,
    type: 'io.knative.lambda.command.build.start',
    subject: name,
    body: `{"name":"${name}","runtime":{"language":"nodejs","version":"20","handler":"handler"},"source":{"type":"inline","code":"export async function handler(event) {\\n  return { k: ${k}, id: event.id };\\n}\\n"}}`,
    expect: 202,
  };
}

function invocation(c: SegmentConfig, k: number): Request {
  const name = functionName(c, k);
  const fail = asksToFail(number(c, 'failShare', 0), k);
  return {
    url: gateway + name,
    type: 'io.knative.lambda.invoke.sync',
    subject: name,
    body: invocationBody(c, k, fail),
    expect: fail ? 500 : 200,
  };
}

function event(c: SegmentConfig, k: number): Request {
  const name = functionName(c, k);
  const fail = asksToFail(number(c, 'failShare', 0), k);
  return {
    url: receiver,
    type: 'io.knative.lambda.invoke.async',
    subject: name,
    body: invocationBody(c, k, fail),
    expect: 202,
  };
}

/** Build commands for functions `<prefix>-<k>`, each with code of its own. Params: prefix. Ok: 202. */
export function builds(): void {
  send(build);
}

/** Calls of `<prefix>-<k mod functions>` over HTTP. Params: prefix, functions, failShare, workMs. Ok: 200, or 500 where asked for. */
export function invocations(): void {
  send(invocation);
}

/** Invocations as events. Params: prefix, functions, failShare, workMs. Ok: 202. */
export function events(): void {
  send(event);
}
