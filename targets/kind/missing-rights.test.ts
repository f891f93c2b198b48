import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { missingRights } from './missing-rights.ts';

const directory = mkdtempSync(join(tmpdir(), 'faultline-rights-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it('asks for a right on one object by its name, as who has no more than that must be asked', async () => {
  const asked = join(directory, 'asked');
  const kubectl = join(directory, 'kubectl');
  writeFileSync(kubectl, `#!/bin/sh\necho "$@" >>${asked}\necho no\nexit 1\n`);
  chmodSync(kubectl, 0o755);
  const right = { namespace: 'kube-system', group: 'apps', verbs: ['patch'] };
  const rights = [
    { ...right, resources: ['deployments/scale'], names: ['coredns'] },
    { ...right, resources: ['deployments'] },
  ];
  expect(await missingRights(rights, { kubectl, kubeconfig: 'k' }, 'me')).toEqual([
    'patch deployments.apps in kube-system',
    'patch deployments.apps/scale of coredns in kube-system',
  ]);
  expect(readFileSync(asked, 'utf8')).toContain(
    'auth can-i patch deployments.apps/coredns --subresource=scale --namespace=kube-system',
  );
});
