/**
 * The load scripts, one exported function a kind; a stream of a scenario names one of them as its `script`.
 * They export no options: engine/load writes k6's configuration.
 *
 * Where requests go comes from the environment, by the way in which the platform is spoken to (targets/front.ts):
 * commands: RECEIVER_URL takes CloudEvents, GATEWAY_URL calls;
 * objects: OBJECTS_URL takes what a build is asked for with, BUILD_OBJECT with {{name}} and {{id}} in it; INGRESS_URL takes calls, by the
 * Host `<function>${INGRESS_DOMAIN}`.
 */
import type { SegmentConfig } from './config.ts';
import { type Script, send } from './request.ts';

const receiver = `${__ENV.RECEIVER_URL}/events`;
const gateway = `${__ENV.GATEWAY_URL}/fn/`;
const { OBJECTS_URL, BUILD_OBJECT, INGRESS_URL, INGRESS_DOMAIN } = __ENV;

const number = (c: SegmentConfig, name: string, fallback: number): number =>
  Number(c.params[name] ?? fallback);

/** `<prefix>-0` .. `<prefix>-<functions - 1>`. */
function functionNames(c: SegmentConfig): string[] {
  return Array.from({ length: number(c, 'functions', 1) }, (_, i) => `${c.params.prefix ?? 'fn'}-${i}`);
}

/** Tells which requests ask to fail: k does when the running share passes a whole number there. Spread evenly, the same in every run. */
function asksToFail(share: number, k: number): boolean {
  return Math.floor((k + 1) * share) > Math.floor(k * share);
}

function build(c: SegmentConfig): Script {
  const prefix = c.params.prefix ?? 'build';
  const key = c.params.source;
  const stored = key === undefined ? undefined : JSON.stringify({ type: 's3', key });
  const inline = (k: number) =>
    `{"type":"inline","code":"export async function handler(event) {\\n  return { k: ${k}, id: event.id };\\n}\\n"}`;
  const request = { url: receiver, subject: '', body: '', expect: 202 };
  return {
    type: 'io.knative.lambda.command.build.start',
    request,
    turn: (k) => {
      request.subject = `${prefix}-${k}`;
      request.body = `{"name":"${request.subject}","runtime":{"language":"nodejs","version":"20","handler":"handler"},"source":${stored ?? inline(k)}}`;
    },
  };
}

/** The same request, as an object of the cluster. */
function buildObject(c: SegmentConfig): Script {
  const prefix = c.params.prefix ?? 'build';
  const request = { url: OBJECTS_URL as string, subject: '', body: '', expect: 201 };
  return {
    type: 'io.knative.lambda.command.build.start',
    request,
    turn: (k, id) => {
      request.subject = `${prefix}-${k}`;
      request.body = (BUILD_OBJECT as string)
        .replaceAll('{{name}}', request.subject)
        .replaceAll('{{id}}', id);
    },
  };
}

function invocation(c: SegmentConfig): Script {
  const names = functionNames(c);
  const urls = names.map((name) => (INGRESS_URL === undefined ? gateway + name : `${INGRESS_URL}/`));
  const failShare = number(c, 'failShare', 0);
  const work = `,"workMs":${number(c, 'workMs', 0)}`;
  const request = { url: '', subject: '', body: '', expect: 200, host: '' };
  return {
    type: 'io.knative.lambda.invoke.sync',
    request,
    turn: (k) => {
      const i = k % names.length;
      const fail = failShare > 0 && asksToFail(failShare, k);
      request.url = urls[i] as string;
      request.subject = names[i] as string;
      if (INGRESS_DOMAIN !== undefined) request.host = request.subject + INGRESS_DOMAIN;
      request.body = `{"k":${k}${work}${fail ? ',"fail":true}' : '}'}`;
      request.expect = fail ? 500 : 200;
    },
  };
}

function event(c: SegmentConfig): Script {
  const names = functionNames(c);
  const work = `,"workMs":${number(c, 'workMs', 0)}`;
  const request = { url: receiver, subject: '', body: '', expect: 202 };
  return {
    type: 'io.knative.lambda.invoke.async',
    request,
    turn: (k) => {
      request.subject = names[k % names.length] as string;
      request.body = `{"k":${k}${work}}`;
    },
  };
}

function update(c: SegmentConfig): Script {
  const names = functionNames(c);
  const request = { url: receiver, subject: '', body: '', expect: 202 };
  return {
    type: 'io.knative.lambda.command.service.update',
    request,
    turn: (k) => {
      request.subject = names[k % names.length] as string;
      // Something changes every time, so that the operator has to reconcile; nothing that needs a build.
      const maxScale = 10 + (Math.floor(k / names.length) % 2);
      request.body = `{"name":"${request.subject}","scaling":{"minScale":${number(c, 'minScale', 0)},"maxScale":${maxScale},"targetConcurrency":10}}`;
    },
  };
}

/** Builds of functions `<prefix>-<k>`, each with code of its own. Params: prefix. Ok: 202, or 201 for an object. */
export function builds(): void {
  send(OBJECTS_URL === undefined ? build : buildObject);
}

/** Calls of `<prefix>-<k mod functions>` over HTTP. Params: prefix, functions, failShare, workMs. Ok: 200, or 500 where asked for. */
export function invocations(): void {
  send(invocation);
}

/** Invocations as events. Params: prefix, functions, workMs. Ok: 202. */
export function events(): void {
  send(event);
}

/** Changes of the scaling of `<prefix>-<k mod functions>`. Params: prefix, functions, minScale. Ok: 202. */
export function updates(): void {
  send(update);
}
