import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePorts } from '../base/ports.ts';
import { componentKilled } from '../chaos/faults/component-killed.ts';
import { componentPaused } from '../chaos/faults/component-paused.ts';
import { probeSilence } from '../chaos/silence-probe.ts';
import { killMarked, markedProcesses } from '../chaos/undo/marked.ts';
import { type ComponentSpec, Supervisor } from './supervisor.ts';
import type { ComponentEvent } from './target.ts';

const runId = `supervisor-test-${process.pid}`;
let logs: string;
let events: ComponentEvent[];
let supervisor: Supervisor;

beforeEach(() => {
  logs = mkdtempSync(join(tmpdir(), 'faultline-supervisor-'));
  events = [];
  supervisor = new Supervisor({
    runId,
    logDirectory: logs,
    backoffMs: 20,
    onEvent: (event) => events.push(event),
  });
});
afterEach(async () => {
  await supervisor.stopAll(500);
  await killMarked(runId);
  rmSync(logs, { recursive: true, force: true });
});

/** A server that also starts a child, as the builder starts its jobs. */
const SERVER = `require('child_process').spawn('sleep', ['300'], { stdio: 'ignore' });
require('http').createServer((q, s) => s.end('ok')).listen(+process.env.PORT, '127.0.0.1');`;

async function server(over: Partial<ComponentSpec> = {}): Promise<ComponentSpec> {
  const [port] = await freePorts(1);
  return {
    name: 'server',
    command: process.execPath,
    args: ['-e', SERVER],
    env: { PORT: String(port) },
    readyUrl: `http://127.0.0.1:${port}/`,
    restart: 'always',
    blame: 'evidence',
    ...over,
  };
}

const drivers = () => ({
  components: {
    names: () => supervisor.names(),
    rehearse: async () => {},
    impact: async (name: string) => ({ pods: [{ name }], nodes: [], workloads: [] }),
    undoOf: () => [],
    async hold(name: string) {
      await supervisor.hold(name);
      return 'held';
    },
    release: (name: string) => supervisor.release(name),
    pause: async (name: string) => supervisor.signal(name, 'SIGSTOP'),
    resume: async (name: string) => supervisor.signal(name, 'SIGCONT'),
    probe: (name: string) => probeSilence(supervisor.get(name).readyUrl),
  },
});

/** As the kernel's OOM killer would: nobody tells the supervisor. */
async function killIt(): Promise<void> {
  const pid = supervisor.pid('server') as number;
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => events.some((e) => e.type === 'exited' && e.pid === pid)).toBe(true);
}

describe('Supervisor', () => {
  it('brings a component back that died by itself, and says that it died', async () => {
    supervisor.start(await server());
    await supervisor.ready(10_000);
    const before = supervisor.pid('server');
    await killIt();
    await supervisor.ready(10_000);
    expect(supervisor.pid('server')).not.toBe(before);
    expect(events.filter((e) => e.type === 'exited')).toMatchObject([{ signal: 'SIGKILL', expected: false }]);
  });

  it('gives up on a crash loop and says with which words the component died', async () => {
    supervisor.start(await server({ args: ['-e', 'console.error("no such database"); process.exit(3)'] }));
    await expect
      .poll(() => events.find((e) => e.type === 'lost'), { timeout: 10_000 })
      .toMatchObject({ component: 'server', reason: expect.stringMatching(/code 3.*no such database/s) });
  });

  it('says of what does not come up that it ended, and why, as soon as it is lost', async () => {
    supervisor.start(await server({ args: ['-e', 'console.error("port 1 is taken"); process.exit(3)'] }));
    await expect(supervisor.ready(20_000)).rejects.toThrow(
      /server ended by itself while it was starting, 4 times, last \(code 3\): [\s\S]*port 1 is taken/,
    );
  });

  it('says why even when the run was stopped for it meanwhile', async () => {
    const stop = new AbortController();
    supervisor = new Supervisor({
      ...{ runId, logDirectory: logs, backoffMs: 20 },
      onEvent: (event) => event.type === 'lost' && stop.abort(new Error('stopped')),
    });
    supervisor.start(await server({ args: ['-e', 'console.error("port 1 is taken"); process.exit(3)'] }));
    await expect(supervisor.ready(20_000, stop.signal)).rejects.toThrow(/port 1 is taken/);
  });

  it('does not call ready what answered once and ended', async () => {
    const marker = join(logs, 'answered');
    const once = `const fs = require('fs');
      if (fs.existsSync('${marker}')) setInterval(() => {}, 1000);
      else require('http').createServer((q, s) => s.end('ok', () => {
        fs.writeFileSync('${marker}', ''); setTimeout(() => process.exit(3), 50);
      })).listen(+process.env.PORT, '127.0.0.1');`;
    supervisor.start(await server({ name: 'once', args: ['-e', once] }));
    const late = `setTimeout(() => require('http').createServer((q, s) => s.end('ok')).listen(+process.env.PORT, '127.0.0.1'), 700)`;
    supervisor.start(await server({ name: 'late', args: ['-e', late] }));
    await expect(supervisor.ready(2000)).rejects.toThrow(/not ready after 2 s: once\n/);
  });

  it('loses a component that is never restarted with its first end', async () => {
    supervisor.start(await server({ restart: 'never' }));
    await supervisor.ready(10_000);
    await killIt();
    await expect.poll(() => events.at(-1)).toMatchObject({ type: 'lost', blame: 'evidence' });
  });

  it('names what does not come up', async () => {
    supervisor.start(
      await server({ args: ['-e', 'setInterval(() => {}, 1000); console.log("waiting for godot")'] }),
    );
    await expect(supervisor.ready(700)).rejects.toThrow(
      /not ready after 0.7 s: server\nserver: waiting for godot/,
    );
  });
});

describe('component-killed', () => {
  it('is seen, takes the component’s children along, holds it, and lets it come back', async () => {
    supervisor.start(await server());
    await supervisor.ready(10_000);
    const fault = componentKilled.arm('kill', { component: 'server' }, drivers());
    expect((await fault.probe()).seen).toBe(false);
    await fault.inject(() => {});
    expect(await fault.probe()).toMatchObject({
      seen: true,
      detail: expect.stringContaining('ECONNREFUSED'),
    });
    expect(markedProcesses(runId)).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect((await fault.probe()).seen).toBe(true);
    await fault.revert();
    await expect.poll(async () => (await fault.probe()).seen, { timeout: 10_000 }).toBe(false);
  });
});

describe('component-paused', () => {
  it('is seen as silence, and goes', async () => {
    supervisor.start(await server());
    await supervisor.ready(10_000);
    const fault = componentPaused.arm('pause', { component: 'server' }, drivers());
    await fault.inject(() => {});
    expect(await fault.probe()).toMatchObject({ seen: true, detail: expect.stringContaining('timeout') });
    await fault.revert();
    await expect.poll(async () => (await fault.probe()).seen, { timeout: 10_000 }).toBe(false);
  });
});
