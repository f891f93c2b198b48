import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { INGRESS_NODE_PORT } from './ingress.ts';
import { Kubernetes, parseManifests } from './kubernetes.ts';

const text = readFileSync(join(import.meta.dirname, 'manifests/ingress.yaml'), 'utf8');

it('puts the images that are built in the place of their names, and leaves others', () => {
  const image = (images: Record<string, string>) =>
    JSON.stringify(parseManifests(text, images)).match(/"image":"([^"]+)"/)?.[1];
  expect(image({ traefik: 'registry:5000/traefik:abc' })).toBe('registry:5000/traefik:abc');
  expect(image({ other: 'x' })).toBe('faultline.dev/traefik');
  expect(
    parseManifests('kind: A\nmetadata: { name: a }\nimage: faultline.dev/traefik:1\n', { traefik: 'x' }),
  ).toEqual([{ kind: 'A', metadata: { name: 'a' }, image: 'faultline.dev/traefik:1' }]);
});

it('reads documents that hold nothing as nothing', () => {
  expect(parseManifests('---\n# only a comment\n---\nkind: A\nmetadata: { name: a }\n')).toHaveLength(1);
});

it('publishes the web where the host looks for it', () => {
  expect(JSON.stringify(parseManifests(text))).toContain(`"nodePort":${INGRESS_NODE_PORT}`);
});

it('says of what does not come up what it said last', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'faultline-kubectl-'));
  try {
    const kubectl = join(directory, 'kubectl');
    const status = {
      name: 'main',
      ready: false,
      restartCount: 2,
      state: { waiting: { reason: 'CrashLoopBackOff' } },
    };
    const pods = { items: [{ metadata: { name: 'it-1' }, status: { containerStatuses: [status] } }] };
    writeFileSync(
      kubectl,
      `#!/bin/sh
case "$*" in
  *"rollout status"*) echo "timed out waiting" >&2; exit 1 ;;
  *"get pods"*) echo '${JSON.stringify(pods)}' ;;
  *"logs it-1 -n lab -c main"*--previous*) echo "panic: conflicting Schema URL" ;;
esac
`,
      { mode: 0o755 },
    );
    await expect(new Kubernetes({ kubectl, kubeconfig: '' }).available('lab', 1)).rejects.toThrow(
      /timed out waiting.*it-1\/main: CrashLoopBackOff: panic: conflicting Schema URL/s,
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});

/** @param script of a kubectl, in a directory of its own, in which `calls` and `stdin` may be written */
async function withKubectl(
  script: string,
  act: (kubernetes: Kubernetes, directory: string) => Promise<void>,
) {
  const directory = mkdtempSync(join(tmpdir(), 'faultline-kubectl-'));
  try {
    const kubectl = join(directory, 'kubectl');
    writeFileSync(kubectl, `#!/bin/sh\ncd "$(dirname "$0")" || exit 1\n${script}\n`, { mode: 0o755 });
    await act(new Kubernetes({ kubectl, kubeconfig: '' }), directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

it('takes no warning for a part of the answer', async () => {
  await withKubectl('echo "Warning: deprecated 7" >&2; echo 3; echo "W1 more" >&2', async (kubernetes) => {
    expect(await kubernetes.do('get', 'it')).toBe('3\n');
  });
  await withKubectl('echo "E1 forbidden" >&2; exit 1', async (kubernetes) => {
    await expect(kubernetes.do('get', 'it')).rejects.toThrow(/E1 forbidden/);
  });
});

it('knows the kinds that are there when the API of others is away, and none when there is no answer', async () => {
  const away = 'echo "error: unable to retrieve the complete list of server APIs" >&2; exit 1';
  await withKubectl(`echo "pods v1 true Pod"; ${away}`, async (kubernetes) => {
    expect(await kubernetes.apiResources('--output=wide')).toBe('pods v1 true Pod\n');
  });
  await withKubectl(away, async (kubernetes) => {
    await expect(kubernetes.apiResources()).rejects.toThrow(/complete list of server APIs/);
  });
});

it('lets no file with what is applied lie about', async () => {
  const manifest = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'it' }, data: { a: 'b' } };
  await withKubectl('echo "$*" >>calls; cat >stdin', async (kubernetes, directory) => {
    await kubernetes.apply([manifest]);
    expect(JSON.parse(readFileSync(join(directory, 'stdin'), 'utf8'))).toMatchObject({ items: [manifest] });
    expect(readFileSync(join(directory, 'calls'), 'utf8')).toMatch(/^--kubeconfig= apply .*-f -\n$/);
  });
});
