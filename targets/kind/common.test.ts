import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Kubernetes } from '../../kind/kubernetes.ts';
import { refuseUnreachableHost } from './common.ts';
import type { Place } from './place.ts';

it('takes the words of a command that failed for no proof that this host is reached', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'f-'));
  const kubectl = join(directory, 'k');
  const place = { target: 'kind', hostAddress: '10.0.0.9' } as Place;
  const look = () =>
    refuseUnreachableHost(new Kubernetes({ kubectl, kubeconfig: 'x' }), 'lab', place, 'http://10.0.0.9:81/');
  const says = (script: string) => writeFileSync(kubectl, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  says('echo "command terminated with exit code 1" >&2; exit 1');
  await expect(look()).rejects.toThrow(
    /can not reach this host at 10\.0\.0\.9:81.*terminated with exit code 1/s,
  );
  says('echo "bash: the host can not be reached" >&2; exit 1');
  await expect(look()).rejects.toThrow(/can not reach this host/);
  says('echo "Defaulted container" >&2; echo reached');
  await look();
  rmSync(directory, { recursive: true });
});
