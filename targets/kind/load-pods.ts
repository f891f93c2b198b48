/** Pods for the load generator: an Indexed Job whose pods only wait; the harness brings k6 into them. */
import { spawn } from 'node:child_process';
import { HarnessError } from '../../base/errors.ts';
import { RUN_MARK } from '../../chaos/undo/marked.ts';
import type { Kubernetes, Way } from '../../kind/kubernetes.ts';
import { RATHER_ON_CONTROL_PLANE } from '../../kind/placement.ts';
import type { LoadPod } from '../target.ts';

const NAME = 'faultline-load';
const DIRECTORY = '/load';
const READY_WITHIN_S = 120;
/** Little, so that they find room beside what measures; they may use what is there. */
const CPU = '50m';
const MEMORY_MIB = 1024;

/**
 * They go with the namespace.
 * @param onControlPlane where there is room: no fault takes them there. Not on a cluster of others, whose control plane would be loaded too
 * @throws HarnessError when they do not come up, with what the cluster says of it
 */
export async function makeLoadPods(
  cluster: Kubernetes,
  { kubectl, kubeconfig }: Way,
  {
    namespace,
    image,
    runId,
    onControlPlane,
  }: { namespace: string; image: string; runId: string; onControlPlane: boolean },
  count: number,
): Promise<LoadPod[]> {
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
            ...(onControlPlane ? RATHER_ON_CONTROL_PLANE : {}),
            terminationGracePeriodSeconds: 0,
            securityContext: { fsGroup: 65_532 },
            containers: [
              {
                ...{ name: 'k6', image, command: ['sleep', 'infinity'] },
                resources: {
                  requests: { cpu: CPU, memory: '128Mi' },
                  limits: { memory: `${MEMORY_MIB}Mi` },
                },
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
  const own = ['--namespace', namespace, 'get', 'pods', `--selector=job-name=${NAME}`];
  const ready = `--for=jsonpath={.status.ready}=${count}`;
  const wait = ['--namespace', namespace, 'wait', `job/${NAME}`, ready, `--timeout=${READY_WITHIN_S}s`];
  await cluster.do(...wait).catch(async () => {
    const why = '--output=jsonpath={.items[*].status.conditions[?(@.status=="False")].message}';
    const said = await cluster.do(...own, why).catch((error: Error) => error.message);
    throw new HarnessError(
      `${count} pods for the load did not come up in ${READY_WITHIN_S} s: ${said.slice(0, 500)}`,
    );
  });
  const index = '.metadata.labels.batch\\.kubernetes\\.io/job-completion-index';
  const path = `--output=jsonpath={range .items[*]}{${index}} {.metadata.name}{"\\n"}{end}`;
  const listed = (await cluster.do(...own, path)).trim().split('\n');
  const names = listed
    .map((line) => line.split(' ') as [string, string])
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, name]) => name);
  if (names.length !== count)
    throw new HarnessError(`${names.length} pods for the load, ${count} were wanted`);
  return names.map((name) => ({
    name,
    directory: DIRECTORY,
    memoryMiB: MEMORY_MIB,
    bash(script) {
      const exec = [`--kubeconfig=${kubeconfig}`, `--namespace=${namespace}`, 'exec', '--stdin', name];
      return spawn(kubectl, [...exec, '--', 'bash', '-c', `cd ${DIRECTORY}; ${script}`], {
        // Whoever undoes what this run left ends it, too.
        env: { ...process.env, [RUN_MARK]: runId },
      });
    },
  }));
}
