/**
 * Which pods stand where: the workers carry what is under test, and Chaos Mesh's controller; the control plane everything else, so that
 * a worker that a fault takes leaves with nothing that others need.
 */
import type { Manifest } from './kubernetes.ts';

/** Source: kubeadm's label and taint of the control plane. */
const CONTROL_PLANE = 'node-role.kubernetes.io/control-plane';

export const TOLERATES_CONTROL_PLANE = { key: CONTROL_PLANE, operator: 'Exists', effect: 'NoSchedule' };

/** Part of a pod's specification. */
export const ON_CONTROL_PLANE = {
  nodeSelector: { [CONTROL_PLANE]: '' },
  tolerations: [TOLERATES_CONTROL_PLANE],
};

/** The same where there is room; else anywhere. */
export const RATHER_ON_CONTROL_PLANE = {
  affinity: {
    nodeAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 100, preference: { matchExpressions: [{ key: CONTROL_PLANE, operator: 'Exists' }] } },
      ],
    },
  },
  tolerations: [TOLERATES_CONTROL_PLANE],
};

/** What each asks for that asks for processor time: all fit on a control plane of two cores. What they may use is not touched. */
const CPU = '100m';

interface PodSpec {
  containers?: { resources?: { requests?: { cpu?: string } } }[];
}

/** Deployments go to the control plane. Changes the manifests. */
export function onControlPlane(manifests: Manifest[]): Manifest[] {
  for (const spec of podSpecs(manifests, 'Deployment')) {
    Object.assign(spec, ON_CONTROL_PLANE);
    for (const { resources } of spec.containers ?? [])
      if (resources?.requests?.cpu) resources.requests.cpu = CPU;
  }
  return manifests;
}

/** DaemonSets stand on the control plane too. Changes the manifests. */
export function onEveryNode(manifests: Manifest[]): Manifest[] {
  for (const spec of podSpecs(manifests, 'DaemonSet'))
    Object.assign(spec, { tolerations: [TOLERATES_CONTROL_PLANE] });
  return manifests;
}

function podSpecs(manifests: Manifest[], kind: string): PodSpec[] {
  return manifests
    .filter((manifest) => manifest.kind === kind)
    .flatMap(({ spec }) => (spec as { template?: { spec?: PodSpec } })?.template?.spec ?? []);
}
