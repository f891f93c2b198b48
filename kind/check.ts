/**
 * Does the cluster do what the platform and its faults need of it? One function, all the way: Kaniko builds its image and
 * pushes it, Knative runs it, it answers through the ingress, it is scaled to zero, and it answers again. And three faults:
 * Chaos Mesh cuts the network between two pods, loads the processor of one, and kills it; each is seen from outside of
 * Chaos Mesh, and so is its end.
 */
import axios from 'axios';
import { HarnessError } from '../base/errors.ts';
import type { BuildImages } from './add-ons.ts';
import type { Tell } from './cache.ts';
import { interrupt } from './command.ts';
import { DOMAIN } from './knative.ts';
import { type Kubernetes, parseManifests } from './kubernetes.ts';
import { IMAGES } from './pins.ts';
import { REGISTRY } from './registry.ts';

const NAMESPACE = 'faultline-check';
const FUNCTION = 'hello';
const REMOVE = ['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--timeout=120s'];
const CODE = `export const handler = () => 'hello from Knative';\n`;

/** @param ingress where the host reaches the ingress: http://address:port @throws HarnessError at the first step that fails */
export async function checkCluster(
  cluster: Kubernetes,
  ingress: string,
  images: BuildImages,
  tell: Tell,
): Promise<void> {
  const step = async (what: string, act: () => Promise<unknown>) => {
    const began = performance.now();
    await act();
    tell(`ok       ${what} (${((performance.now() - began) / 1000).toFixed(2)} s)`);
  };
  const inside = (...args: string[]) => cluster.do('--namespace', NAMESPACE, ...args);
  await cluster.do(...REMOVE);
  try {
    const image = `${REGISTRY}/check/${FUNCTION}:${Date.now()}`;
    await step('Kaniko builds an image and pushes it', async () => {
      await cluster.apply(parseManifests(build(image, images)));
      await inside('wait', '--for=condition=Complete', 'job/build', '--timeout=120s');
    });
    await step('a Knative Service is Ready', async () => {
      await cluster.apply(parseManifests(service(image)));
      await inside('wait', '--for=condition=Ready', `ksvc/${FUNCTION}`, '--timeout=120s');
    });
    await step('it answers through the ingress', () => answer(ingress, 60_000));
    await step('it is scaled to zero', () => noPods(inside, 180_000));
    await step('it answers from zero', () => answer(ingress, 60_000));
    await step('a client and a server are Ready', async () => {
      await cluster.apply(parseManifests(pods(image)));
      await inside('wait', '--for=condition=Ready', 'pod/client', 'pod/server', '--timeout=60s');
    });
    await step('the client reaches the server', () => untilReached(inside, true));
    await cluster.apply(parseManifests(PARTITION));
    await step('Chaos Mesh cuts them off from each other', () => untilReached(inside, false));
    await inside('delete', 'networkchaos/partition', '--timeout=60s');
    await step('they meet again after the fault is gone', () => untilReached(inside, true));
    await cluster.apply(parseManifests(STRESS));
    await step('Chaos Mesh keeps a core of the server busy', () => untilBusy(inside, (cores) => cores > 0.5));
    await inside('delete', 'stresschaos/stress', '--timeout=60s');
    await step('it is idle again after the fault is gone', () => untilBusy(inside, (cores) => cores < 0.1));
    await cluster.apply(parseManifests(KILL));
    await step('Chaos Mesh kills the server', () =>
      inside('wait', '--for=delete', 'pod/server', '--timeout=60s'),
    );
  } finally {
    // Also when interrupted; and what it says must not hide why the check failed.
    const { code, output } = await cluster.undo(...REMOVE);
    if (code !== 0) tell(`LEFT     namespace ${NAMESPACE}: ${output.trim()}`);
  }
}

/** Asks until the answer is right: the ingress may learn of a route a moment after Knative calls it Ready. */
async function answer(ingress: string, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  let last = '';
  while (performance.now() < deadline) {
    interrupt.signal.throwIfAborted();
    try {
      const { status, data } = await axios.get(ingress, {
        headers: { Host: `${FUNCTION}.${NAMESPACE}.${DOMAIN}` },
        ...{ timeout: withinMs, validateStatus: () => true, responseType: 'text', proxy: false },
        signal: interrupt.signal,
      });
      if (status === 200 && data === 'hello from Knative') return;
      last = `${status} ${String(data).slice(0, 200)}`;
    } catch (error) {
      last = (error as Error).message;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new HarnessError(`the function did not answer within ${withinMs / 1000} s; last: ${last}`);
}

async function noPods(inside: (...args: string[]) => Promise<string>, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  const selector = `serving.knative.dev/service=${FUNCTION}`;
  while (performance.now() < deadline) {
    if ((await inside('get', 'pods', '--selector', selector, '--output=name')).trim() === '') return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new HarnessError(`the function still has pods after ${withinMs / 1000} s without a request`);
}

/** curl's code for a time-out: nothing was refused and nothing came back, as when packets vanish. */
const TIMED_OUT = 28;
/** So often in a row must the client not get through: once may be a busy machine's doing. */
const MISSES = 3;

async function untilReached(
  inside: (...args: string[]) => Promise<string>,
  reached: boolean,
  withinMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  const address = (await inside('get', 'pod/server', '--output=jsonpath={.status.podIP}')).trim();
  const ask = `curl -s -o /dev/null --max-time 1 http://${address}:8080/health; echo "code=$?"`;
  let misses = 0;
  let last = '';
  while (performance.now() < deadline) {
    last = await inside('exec', 'client', '--', 'sh', '-c', ask);
    const code = Number(/code=(\d+)/.exec(last)?.[1] ?? Number.NaN);
    if (reached && code === 0) return;
    misses = code === TIMED_OUT ? misses + 1 : 0;
    if (!reached && misses === MISSES) return;
  }
  throw new HarnessError(
    `the client ${reached ? 'does not reach' : 'still reaches'} the server after ${withinMs / 1000} s; last: ${last.trim()}`,
  );
}

/** Waits until the server uses as much of the processor as wanted, by its own cgroup's account. */
async function untilBusy(
  inside: (...args: string[]) => Promise<string>,
  wanted: (cores: number) => boolean,
  withinMs = 30_000,
): Promise<void> {
  // Nanoseconds on cgroup v1, microseconds on v2; one second lies between the two readings.
  const usage =
    'cat /sys/fs/cgroup/cpuacct/cpuacct.usage 2>/dev/null || sed -n "s/usage_usec \\(.*\\)/\\1000/p" /sys/fs/cgroup/cpu.stat';
  const deadline = performance.now() + withinMs;
  let cores = Number.NaN;
  while (performance.now() < deadline) {
    const text = await inside('exec', 'server', '--', 'sh', '-c', `${usage}; sleep 1; ${usage}`);
    const [before, after] = text.trim().split('\n').map(Number) as [number, number];
    cores = (after - before) / 1e9;
    if (wanted(cores)) return;
  }
  throw new HarnessError(`the server uses ${cores.toFixed(2)} cores after ${withinMs / 1000} s`);
}

const STRESS = `
apiVersion: chaos-mesh.org/v1alpha1
kind: StressChaos
metadata: { name: stress, namespace: ${NAMESPACE} }
spec:
  mode: all
  selector: { namespaces: [${NAMESPACE}], labelSelectors: { app: server } }
  stressors: { cpu: { workers: 1, load: 100 } }
`;

const PARTITION = `
apiVersion: chaos-mesh.org/v1alpha1
kind: NetworkChaos
metadata: { name: partition, namespace: ${NAMESPACE} }
spec:
  action: partition
  mode: all
  direction: both
  selector: { namespaces: [${NAMESPACE}], labelSelectors: { app: client } }
  target: { mode: all, selector: { namespaces: [${NAMESPACE}], labelSelectors: { app: server } } }
`;

const KILL = `
apiVersion: chaos-mesh.org/v1alpha1
kind: PodChaos
metadata: { name: kill, namespace: ${NAMESPACE} }
spec:
  action: pod-kill
  mode: all
  gracePeriod: 0
  selector: { namespaces: [${NAMESPACE}], labelSelectors: { app: server } }
`;

/** On different nodes, so that the network between them is the cluster's. */
function pods(image: string): string {
  return `
apiVersion: v1
kind: Pod
metadata: { name: server, namespace: ${NAMESPACE}, labels: { app: server } }
spec:
  containers:
    - name: server
      image: ${image}
      env: [{ name: PORT, value: "8080" }]
      readinessProbe: { httpGet: { path: /health, port: 8080 }, periodSeconds: 1 }
---
apiVersion: v1
kind: Pod
metadata: { name: client, namespace: ${NAMESPACE}, labels: { app: client } }
spec:
  terminationGracePeriodSeconds: 0
  affinity:
    podAntiAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 100
          podAffinityTerm: { topologyKey: kubernetes.io/hostname, labelSelector: { matchLabels: { app: server } } }
  containers:
    - { name: client, image: "${IMAGES.volumeHelper}", imagePullPolicy: Never, command: [sleep, infinity] }
`;
}

function build(image: string, images: BuildImages): string {
  return `
apiVersion: v1
kind: Namespace
metadata: { name: ${NAMESPACE} }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: context, namespace: ${NAMESPACE} }
data:
  Dockerfile: |
    FROM ${images.functionBase}
    COPY handler.mjs /function/handler.mjs
    ENV LAMBDA_CODE=/function/handler.mjs
  handler.mjs: ${JSON.stringify(CODE)}
---
apiVersion: batch/v1
kind: Job
metadata: { name: build, namespace: ${NAMESPACE} }
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      initContainers:
        # The files of a ConfigMap are links, which Kaniko would copy as links.
        - name: context
          image: ${IMAGES.volumeHelper}
          imagePullPolicy: Never
          command: [sh, -c, "cp -L /config/* /context/"]
          volumeMounts: [{ name: config, mountPath: /config }, { name: context, mountPath: /context }]
      containers:
        - name: kaniko
          image: ${images.kaniko}
          args: ["--context=dir:///context", "--destination=${image}", --insecure, --insecure-pull]
          volumeMounts: [{ name: context, mountPath: /context }]
      volumes:
        - { name: config, configMap: { name: context } }
        - { name: context, emptyDir: {} }
`;
}

function service(image: string): string {
  return `
apiVersion: serving.knative.dev/v1
kind: Service
metadata: { name: ${FUNCTION}, namespace: ${NAMESPACE} }
spec:
  template:
    metadata:
      # The shortest window that Knative takes, for a short check.
      annotations: { autoscaling.knative.dev/window: 6s }
    spec:
      # Also the grace of its pods, and a namespace goes no earlier than half of the longest grace in it.
      timeoutSeconds: 10
      containers:
        - image: ${image}
          ports: [{ containerPort: 8080 }]
          readinessProbe: { httpGet: { path: /health } }
          resources: { requests: { cpu: 20m, memory: 48Mi } }
`;
}
