import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { pendingUndos, UndoLog } from '../../../chaos/undo/log.ts';
import { Kubernetes, type Manifest } from '../../../kind/kubernetes.ts';
import { recordUndo } from './undo.ts';

const manifest = (kind: string, name: string): Manifest => ({
  ...{ apiVersion: kind === 'ClusterRole' ? 'rbac.authorization.k8s.io/v1' : 'v1', kind },
  metadata: { name, labels: { of: 'theirs' } },
});

async function recorded(script: string) {
  const directory = mkdtempSync(join(tmpdir(), 'faultline-own-'));
  try {
    const kubectl = join(directory, 'kubectl');
    writeFileSync(kubectl, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const way = { kubectl, kubeconfig: 'x' };
    const log = new UndoLog(directory);
    const where = { namespace: 'lab', recordNamespace: () => {} };
    const applied = await recordUndo(log, way, new Kubernetes(way), where, [
      manifest('Namespace', 'lab'),
      manifest('Namespace', 'lab-tools'),
      manifest('ClusterRole', 'it'),
    ]);
    log.close();
    return { applied, undos: pendingUndos(directory).map(({ undo }) => undo) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

it('marks each other namespace of the platform, and takes away none that has not its mark', async () => {
  const { applied, undos } = await recorded('exit 0');
  const undo = undos.find((one) => one.op === 'delete-object' && one.object === 'namespace/lab-tools');
  const { run } = undo as { run?: string };
  expect(run).toMatch(/^[0-9a-f-]{36}$/);
  expect(applied.map(({ metadata }) => metadata.labels)).toEqual([
    { of: 'theirs' },
    { of: 'theirs', 'faultline.dev/run': run },
    { of: 'theirs' },
  ]);
});

it('takes no warning for an object that is there already', async () => {
  await recorded('echo "Warning: v1 is deprecated" >&2');
  await expect(recorded('case "$*" in *clusterrole*/it*) echo clusterrole/it ;; esac')).rejects.toThrow(
    /the cluster has clusterrole\/it already/,
  );
});
