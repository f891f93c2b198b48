import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { V1Pod } from '@kubernetes/client-node';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Follow, LogKeeper, stateOf } from './log-keeper.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'faultline-logs-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const kept = (name: string) =>
  readFileSync(join(directory, `${name}.log`), 'utf8')
    .split('\n')
    .filter(Boolean);
const at = (second: number) => `2026-01-01T00:00:0${second}.000000001Z`;

function pod(name: string, id: string, state: 'running' | 'waiting' = 'running'): V1Pod {
  const container = { name: 'main', image: '', imageID: '', ready: true, restartCount: 0 };
  return {
    metadata: { name },
    status: { containerStatuses: [{ ...container, containerID: id, state: { [state]: {} } }] },
  };
}

it('keeps what a container said before it was killed, and what the next one says', async () => {
  const said: Record<string, string[]> = {
    old: [`${at(1)} I build`, `${at(2)} I am about to`],
    new: [`${at(5)} I am back`],
  };
  const logs = new LogKeeper(directory, async function* ({ pod }) {
    yield* said[pod] ?? [];
  });
  logs.see(pod('new', '', 'waiting'), 'builder');
  logs.see(pod('old', 'a'), 'builder');
  // Each change of a pod is seen again.
  logs.see(pod('old', 'a'), 'builder');
  logs.see(pod('new', 'b'), 'builder');
  expect(await logs.stop()).toEqual([]);
  expect(kept('builder').sort()).toEqual([
    `${at(1)} [old/main] I build`,
    `${at(2)} [old/main] I am about to`,
    `${at(5)} [new/main] I am back`,
  ]);
});

it('goes on where it was when the connection breaks, without a line twice', async () => {
  const asked: (string | undefined)[] = [];
  const follow: Follow = async function* (_, since) {
    asked.push(since);
    yield `${at(1)} one`;
    yield `${at(2)} two`;
    if (asked.length === 1) throw new Error('the connection broke');
    yield `${at(3)} three`;
  };
  const logs = new LogKeeper(directory, follow);
  logs.see(pod('it', 'a'), 'builder');
  await expect.poll(() => asked.length, { timeout: 5000 }).toBe(2);
  await logs.stop();
  expect(asked).toEqual([undefined, at(2)]);
  expect(kept('builder').map((line) => line.split(' ').at(-1))).toEqual(['one', 'two', 'three']);
});

it('tells whom it could not hear, of how many, and not who was only away for a while', async () => {
  const opened: string[] = [];
  const logs = new LogKeeper(directory, async function* ({ pod }, _, signal, onOpen) {
    if (pod === 'refused') throw new Error('/log: 403');
    opened.push(pod);
    if (opened.length === 1) throw new Error('the connection broke');
    onOpen();
    yield* [];
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
  });
  logs.see(pod('silent', 'a'), 'builder');
  logs.see(pod('refused', 'b'), 'builder');
  await expect.poll(() => opened.length, { timeout: 5000 }).toBe(2);
  expect(await logs.stop()).toEqual([
    { file: 'builder.log', reason: '1 of 2 containers were not heard at the end: /log: 403' },
  ]);
});

it('tells of a file that could not be written', async () => {
  const logs = new LogKeeper(join(directory, 'not-there'), async function* () {
    yield `${at(1)} one`;
  });
  logs.see(pod('it', 'a'), 'builder');
  expect(await logs.stop()).toEqual([
    { file: 'builder.log', reason: expect.stringMatching(/^ENOENT: no such file or directory/) },
  ]);
});

it('leaves at the end who goes on talking', async () => {
  const logs = new LogKeeper(directory, async function* (_, __, signal) {
    yield `${at(1)} one`;
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
  });
  logs.see(pod('it', 'a'), 'builder');
  await logs.stop();
  expect(kept('builder')).toHaveLength(1);
});

it('tells how a container is, and how the one before it ended', () => {
  const status = { name: 'main', image: '', imageID: '', ready: false, restartCount: 2 };
  const before = { terminated: { exitCode: 137, reason: 'OOMKilled' } };
  expect(stateOf({ ...status, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: before })).toBe(
    'CrashLoopBackOff (2 restarts, before: OOMKilled, code 137)',
  );
  expect(stateOf({ ...status, restartCount: 0, ready: true, state: { running: {} } })).toBe('ready');
});
