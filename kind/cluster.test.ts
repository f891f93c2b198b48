import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RefusedError } from '../base/errors.ts';
import { kindCache } from './cache.ts';
import {
  clusterStands,
  createCluster,
  forgetCluster,
  keepKubectl,
  kubeconfigPath,
  removeNodes,
} from './cluster.ts';
import { FakeEngine } from './fake-engine.ts';

let directory: string;
let said: string[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'faultline-cluster-'));
  vi.stubEnv('XDG_CACHE_HOME', directory);
  mkdirSync(kindCache(), { recursive: true });
  said = [];
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true, force: true });
});

/** A command that keeps what it was called with. */
function script(name: string, body: string): string {
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\necho "${name} $*" >>${directory}/log\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}
const log = () => readFileSync(join(directory, 'log'), 'utf8').split('\n');

const TAG = 'faultline.dev/node:0123456789ab';
const KIND = `case "$1 $2" in
"get clusters") echo faultline ;;
"get nodes") echo faultline-worker; echo faultline-control-plane; echo faultline-worker2 ;;
esac`;
const image = (kubectl = 'exit 0') => ({
  ...{ tag: TAG, kind: script('kind', KIND), kubectl: script('kubectl', kubectl) },
});
const engine = (nodeImage = TAG) => new FakeEngine(() => `${nodeImage}\n`.repeat(3));

const create = (of: ReturnType<typeof image>, on: FakeEngine, workers: number, beforeReplaced: () => void) =>
  createCluster(on, of, { workers, readyWithinSeconds: 1, beforeReplaced }, (line) => said.push(line));

describe('a cluster that is there', () => {
  const inUse = () => {
    throw new RefusedError([{ file: 'run x', message: 'is on the cluster' }]);
  };

  it('is taken as it is when it is whole: nobody is asked', async () => {
    await create(image(), engine(), 2, inUse);
    expect(said).toEqual(['cached   cluster faultline']);
  });

  it.each([
    ['has a node that is not Ready', 2, 'exit 1', TAG],
    ['is of another size', 1, 'exit 0', TAG],
    ['is of an older image', 2, 'exit 0', 'faultline.dev/node:ba9876543210'],
  ])('is not taken away from under a run when it %s', async (_, workers, kubectl, nodeImage) => {
    await expect(create(image(kubectl), engine(nodeImage), workers, inUse)).rejects.toThrow(RefusedError);
    expect(log().filter((line) => /kind (delete|create)/.test(line))).toEqual([]);
  });

  it('is made anew when nobody minds', async () => {
    let asked = 0;
    await create(image(), engine(), 1, () => asked++);
    const calls = log().filter((line) => /kind (delete|create)/.test(line));
    expect([asked, calls.length]).toEqual([1, 2]);
  });
});

describe('kubectl', () => {
  it('stays where undo logs have it, whatever becomes of what it was built as', () => {
    const older = script('older', '');
    const kept = keepKubectl(older);
    const { ino } = statSync(kept);
    rmSync(older);
    expect(kept.startsWith(kindCache())).toBe(true);
    expect(keepKubectl(script('newer', ''))).toBe(kept);
    expect(readFileSync(kept, 'utf8')).toContain('newer');
    // Who runs the older one goes on with it.
    expect(statSync(kept).ino).not.toBe(ino);
    expect(statSync(kept).mode & 0o111).toBe(0o111);
    expect(readdirSync(kindCache())).toEqual(['faultline.kubectl']);
  });

  it('goes with the kubeconfig when the cluster is gone', () => {
    const kept = keepKubectl(script('any', ''));
    writeFileSync(kubeconfigPath(), '');
    forgetCluster();
    expect([existsSync(kept), existsSync(kubeconfigPath())]).toEqual([false, false]);
  });
});

it.each([
  ['', false],
  ['0123456789ab\nba9876543210\n', true],
])('stands when the engine has nodes of it that are up: %j', async (containers, stands) => {
  const asked = new FakeEngine(() => containers);
  writeFileSync(kubeconfigPath(), 'of a cluster that is gone');
  expect(await clusterStands(asked)).toBe(stands);
  expect(asked.calls).toEqual(['ps --quiet --filter label=io.x-k8s.kind.cluster=faultline']);
});

it('loses its nodes with the engine, also those that have ended: an engine starts them anew', async () => {
  const ended = ['0123456789ab', 'ba9876543210'];
  const asked = new FakeEngine((call) => (/^ps .*--all\b/.test(call) ? ended.join('\n') : undefined));
  expect(await removeNodes(asked)).toBe(true);
  expect(asked.calls.at(-1)).toBe(`rm --force --volumes ${ended.join(' ')}`);
});

it('of which an engine has none', async () => {
  const asked = new FakeEngine();
  expect(await removeNodes(asked)).toBe(false);
  expect(asked.calls).toHaveLength(1);
});
