import { expect, it } from 'vitest';
import type { Kubernetes, Manifest } from '../../kind/kubernetes.ts';
import { makeLoadPods } from './load-pods.ts';

/** The specification of a load pod. */
async function podSpec(onControlPlane: boolean): Promise<Record<string, unknown>> {
  const applied: Manifest[] = [];
  const cluster = {
    apply: async (manifests: Manifest[]) => void applied.push(...manifests),
    do: async (...args: string[]) => (args.includes('wait') ? '' : '0 faultline-load-0-x\n'),
  } as Partial<Kubernetes> as Kubernetes;
  const way = { kubectl: 'kubectl-is-not-asked', kubeconfig: '' };
  const pods = await makeLoadPods(
    cluster,
    way,
    { namespace: 'lab', image: 'i', runId: 'r', onControlPlane },
    1,
  );
  expect(pods.map(({ name }) => name)).toEqual(['faultline-load-0-x']);
  const { spec } = applied[0] as Manifest & { spec: { template: { spec: Record<string, unknown> } } };
  return spec.template.spec;
}

it('keeps the load off the control plane of a cluster that others share', async () => {
  const shared = await podSpec(false);
  expect([shared.affinity, shared.tolerations]).toEqual([undefined, undefined]);
});

it('puts it where no fault takes it on a cluster of the harness’s own', async () => {
  const own = await podSpec(true);
  expect(JSON.stringify([own.affinity, own.tolerations])).toContain('node-role.kubernetes.io/control-plane');
});
