import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePorts } from '../base/ports.ts';
import { objectMissing } from '../chaos/faults/object-missing.ts';
import { resolveTool } from '../tools/resolve.ts';
import { OBJECT_STORE, objectStore } from './local/services.ts';
import { objectDriver } from './object-store.ts';

const KEY = 'global/parser/index.mjs';
const free = () => {};

describe('object-missing with a real object store', () => {
  const directory = mkdtempSync(join(tmpdir(), 'faultline-objects-'));
  let store: ChildProcess;
  let endpoint: string;

  beforeAll(async () => {
    const [port] = await freePorts(1);
    endpoint = `http://127.0.0.1:${port}`;
    const { path } = await resolveTool('versitygw');
    const { command, args, readyUrl } = objectStore(path, directory, port);
    store = spawn(command, args, { stdio: 'ignore' });
    const deadline = Date.now() + 10_000;
    while (!(await fetch(readyUrl).catch(() => undefined))?.ok) {
      if (Date.now() > deadline) throw new Error('the object store did not come up');
      await sleep(50);
    }
  });
  afterAll(async () => {
    const ended = new Promise((resolve) => store.once('exit', resolve));
    store.kill('SIGKILL');
    await ended;
    rmSync(directory, { recursive: true, force: true });
  });

  it('is seen by who asks for the object, and not before and after', async () => {
    const objects = objectDriver({ endpoint, ...OBJECT_STORE });
    await objects.put(KEY, 'export {};');
    const fault = objectMissing.arm('gone', { key: KEY }, { objects });
    expect(await fault.probe()).toEqual({ seen: false, detail: `GET ${KEY}: 200` });
    await fault.inject(free);
    expect(await fault.probe()).toEqual({ seen: true, detail: `GET ${KEY}: 404` });
    expect(await fault.audit()).toEqual([`object ${KEY} is not back: the object store answers 404`]);
    // What is gone already is no error.
    await fault.inject(free);
    await fault.revert();
    expect((await fault.probe()).seen).toBe(false);
    expect(await fault.audit()).toEqual([]);
  });

  it('takes a store that refuses its credentials for no missing object', async () => {
    const objects = objectDriver({ endpoint, ...OBJECT_STORE, secret: 'wrong' });
    const fault = objectMissing.arm('gone', { key: KEY }, { objects });
    expect(await fault.probe()).toEqual({ seen: false, detail: `GET ${KEY}: 403` });
    await expect(fault.inject(free)).rejects.toThrow(/the object store answered 403 to DELETE/);
  });

  it('knows nothing of a store that gives no answer', async () => {
    const [silent] = await freePorts(1);
    const objects = objectDriver({ endpoint: `http://127.0.0.1:${silent}`, ...OBJECT_STORE });
    const fault = objectMissing.arm('gone', { key: KEY }, { objects });
    await expect(fault.probe()).rejects.toThrow();
  });

  it('does nothing that the guardrails do not allow', async () => {
    const objects = objectDriver({ endpoint, ...OBJECT_STORE });
    await objects.put(KEY, 'export {};');
    const refuse = () => {
      throw new Error('frozen');
    };
    await expect(objectMissing.arm('gone', { key: KEY }, { objects }).inject(refuse)).rejects.toThrow(
      'frozen',
    );
    expect(await objects.status(KEY)).toBe(200);
  });
});
