/** Pods for the load generator: an Indexed Job whose pods only wait; the harness brings k6 into them. */
import { spawn } from 'node:child_process';
import { HarnessError } from '../../base/errors.ts';
import type { Kubernetes, Way } from '../../kind/kubernetes.ts';
import { ON_CONTROL_PLANE } from '../../kind/placement.ts';
import type { LoadPod } from '../target.ts';

const NAME = 'faultline-load';
const DIRECTORY = '/load';
const READY_WITHIN_S = 120;
/** Of the pods' processors, when others want them too: who measures goes before who is measured. */
const CPU = '500m';
const MEMORY = '1Gi';

/**
 * They stand on the control plane where there is one: no fault takes it. They go with the namespace.
 * @throws HarnessError when they do not come up
 */
export async function makeLoadPods(
  cluster: Kubernetes,
  { kubectl, kubeconfig }: Way,
  where: { namespace: string; image: string; onControlPlane: boolean },
  count: number,
): Promise<LoadPod[]> {
  const { namespace, image, onControlPlane } = where;
  await cluster.apply([
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: NAME, namespace },
      spec: {
        ...{ completionMode: 'Indexed', completions: count, parallelism: count, backoffLimit: 0 },
        template: {
          metadata: { labels: { app: NAME } },
          spec: {
            ...{ restartPolicy: 'Never', automountServiceAccountToken: false, enableServiceLinks: false },
            ...(onControlPlane ? ON_CONTROL_PLANE : {}),
            terminationGracePeriodSeconds: 0,
            securityContext: { fsGroup: 65_532 },
            containers: [
              {
                ...{ name: 'k6', image, command: ['sleep', 'infinity'] },
                resources: { requests: { cpu: CPU, memory: '128Mi' }, limits: { memory: MEMORY } },
                volumeMounts: [{ name: 'load', mountPath: DIRECTORY }],
                securityContext: {
                  ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
                  ...{ runAsNonRoot: true, runAsUser: 65_532, capabilities: { drop: ['ALL'] } },
                  seccompProfile: { type: 'RuntimeDefault' },
                },
              },
            ],
            volumes: [{ name: 'load', emptyDir: {} }],
          },
        },
      },
    },
  ]);
  const inside = ['--namespace', namespace];
  // Its controller makes them one after the other.
  await cluster.do(
    ...inside,
    'wait',
    `job/${NAME}`,
    `--for=jsonpath={.status.ready}=${count}`,
    `--timeout=${READY_WITHIN_S}s`,
  );
  const index = '.metadata.labels.batch\\.kubernetes\\.io/job-completion-index';
  const path = `--output=jsonpath={range .items[*]}{${index}} {.metadata.name}{"\\n"}{end}`;
  const listed = (await cluster.do(...inside, 'get', 'pods', `--selector=job-name=${NAME}`, path))
    .trim()
    .split('\n');
  const names = listed
    .map((line) => line.split(' ') as [string, string])
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, name]) => name);
  if (names.length !== count)
    throw new HarnessError(`${names.length} pods for the load, ${count} were wanted`);
  return names.map((name) => ({
    name,
    directory: DIRECTORY,
    bash(script) {
      const exec = [`--kubeconfig=${kubeconfig}`, ...inside, 'exec', '--stdin', name, '--', 'bash', '-c'];
      return spawn(kubectl, [...exec, `cd ${DIRECTORY}; ${script}`]);
    },
  }));
}
