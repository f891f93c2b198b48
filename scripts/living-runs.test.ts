import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RefusedError } from '../base/errors.ts';
import { UndoLog } from '../chaos/undo/log.ts';
import { makeWorkDirectory, workRoot } from '../engine/run-directories.ts';
import { livingRuns, refuseWhileRunning } from './living-runs.ts';

const KUBECONFIG = '/cache/faultline.kubeconfig';
let state: string;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'faultline-living-'));
  vi.stubEnv('XDG_STATE_HOME', state);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(state, { recursive: true, force: true });
});

function run(name: string, kubeconfig?: string): string {
  const directory = join(workRoot(), name);
  makeWorkDirectory(directory);
  const undo = new UndoLog(directory);
  undo.record('start processes', { op: 'kill-marked', run: name });
  if (kubeconfig !== undefined)
    undo.record('deploy the platform', {
      ...{ op: 'delete-object', kubectl: 'kubectl', kubeconfig, object: 'namespace/knative-lambda' },
    });
  undo.close();
  return directory;
}

it('names runs that live on the cluster, and no others', () => {
  run('on-it', KUBECONFIG);
  run('on-another', '/elsewhere/kubeconfig');
  run('local');
  const dead = run('dead', KUBECONFIG);
  writeFileSync(join(dead, 'owner'), '999999999 1 -');
  mkdirSync(join(workRoot(), 'begun'));
  expect(livingRuns(KUBECONFIG)).toEqual(['on-it']);
});

it('refuses with each run and what to do', () => {
  expect(() => refuseWhileRunning('make cluster', [])).not.toThrow();
  const refused = () => refuseWhileRunning('make cluster', ['20261128-dr-node-lost-4f2a', 'up']);
  expect(refused).toThrow(RefusedError);
  expect(refused).toThrow(
    /^run 20261128-dr-node-lost-4f2a: is on the cluster, which `make cluster` .*Ctrl-C, then try again\nrun up: .*`faultline down`/,
  );
});
