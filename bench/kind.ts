/**
 * SIGKILL of the harness on target `kind` at random instants of fault injection: how long until no Chaos Mesh object of any kind, no
 * workload that is changed (anywhere on the cluster), no limit of the API server, and no lost or cordoned node is left; and until the
 * platform itself is gone. Bound: 30 s for the former. Needs a cluster (make cluster). Usage: node bench/kind.ts [kills] [seed]
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { lostState } from '../chaos/undo/lost-node.ts';
import { isLimited } from '../chaos/undo/processor-limit.ts';
import { kubeconfigPath } from '../kind/cluster.ts';
import { readClusterState } from '../kind/state.ts';
import { judgeKills, type Kill, killsOf } from './kills/kills.ts';

const BOUND_MS = 30_000;
/** All is injected within about this long of the first act, seconds. */
const INJECTION_S = 15;
const GIVE_UP_MS = 300_000;
/** By turns. */
const SCENARIOS = ['kind.yaml', 'kind-system.yaml'];
const { kills, random } = killsOf(process.argv.slice(2), 10);

const { kubectl, engine, nodes } = readClusterState();
const ask = (...args: string[]) =>
  execFileSync(kubectl, [`--kubeconfig=${kubeconfigPath()}`, ...args], { encoding: 'utf8' }).trim();

interface Workload {
  kind: string;
  metadata: { name: string; namespace: string };
  spec: { replicas?: number; template: { spec: unknown } };
}

const PLATFORM = 'knative-lambda';
/** Without those that Chaos Mesh keeps for itself, one a pod. */
const CHAOS_KINDS = ask('api-resources', '--api-group=chaos-mesh.org', '--output=name')
  .split('\n')
  .filter((kind) => /chaos[.]chaos-mesh/.test(kind) && !/^pod(http|io|network)/.test(kind))
  .join(',');

/** Of every workload outside of the platform's namespace, what a fault could change: how many, and of what. */
function workloads(): Map<string, string> {
  const { items } = JSON.parse(
    ask('get', 'deployments,statefulsets,daemonsets', '--all-namespaces', '--output=json'),
  ) as { items: Workload[] };
  return new Map(
    items.map(({ kind, metadata, spec }) => [
      `${kind} ${metadata.namespace}/${metadata.name}`,
      JSON.stringify([spec.replicas, spec.template.spec]),
    ]),
  );
}
const whole = workloads();

/** Those of the platform, which every run makes anew: the reference says how many there are, and what they run. */
function isBroken(name: string, text: string): boolean {
  if (!name.includes(` ${PLATFORM}/`)) return whole.get(name) !== text;
  const component = /Deployment .*\/(builder|receiver|gateway|operator)$/.test(name);
  return (
    text.startsWith('[0,') ||
    /that-is-not-there/.test(text) ||
    (component && !text.includes('"memory":"512Mi"'))
  );
}

function faultsLeft(): string[] {
  const lines = (text: string) => text.split('\n').filter((line) => line !== '');
  const now = workloads();
  const gone = [...whole.keys()].filter((name) => !now.has(name));
  const broken = [...now].filter(([name, text]) => isBroken(name, text)).map(([name]) => name);
  const limited = nodes
    .filter(({ name }) => name.endsWith('control-plane'))
    .filter(({ name }) =>
      isLimited({ container: name, process: 'kube-apiserver', ...(engine ? { engine } : {}) }),
    );
  return [
    ...lines(ask('get', CHAOS_KINDS, '--all-namespaces', '--output=name')),
    ...gone.map((name) => `${name} is gone`),
    ...broken.map((name) => `${name} is changed`),
    ...limited.map(({ name }) => `the API server of ${name} is limited`),
    ...lines(ask('get', 'nodes', '--field-selector=spec.unschedulable=true', '--output=name')),
    ...nodes.flatMap(({ name }) => lostState({ engine, container: name }) ?? []),
  ];
}
if (ask('get', 'namespace', PLATFORM, '--ignore-not-found', '--output=name') !== '')
  throw new Error(
    `namespace ${PLATFORM} is there: what a cluster looks like when it is whole can not be told`,
  );

const out = mkdtempSync(join(tmpdir(), 'faultline-bench-kill-kind-'));
const done: Kill[] = [];
for (let i = 0; i < kills; i++) {
  const after = random() * INJECTION_S;
  const scenario = join(import.meta.dirname, SCENARIOS[i % SCENARIOS.length] as string);
  const child = spawn(
    join(import.meta.dirname, '../bin/faultline'),
    ['run', scenario, '--target', 'kind', '--time-scale', '10', '--out', out],
    { stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  const exited = new Promise((resolve) => child.once('exit', resolve));
  let said = '';
  const injecting = new Promise<boolean>((resolve) => {
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (/phase inject/.test(said)) resolve(true);
      });
    void exited.then(() => resolve(false));
  });
  if (!(await injecting)) throw new Error(`the run ended before its faults:\n${said}`);
  await new Promise((resolve) => setTimeout(resolve, after * 1000));
  const there = faultsLeft();
  const at = performance.now();
  child.kill('SIGKILL');
  await exited;
  let left = there;
  let cleanMs: number | undefined;
  let goneMs: number | undefined;
  while (goneMs === undefined && performance.now() - at < GIVE_UP_MS) {
    left = faultsLeft();
    if (left.length === 0) cleanMs ??= performance.now() - at;
    if (ask('get', 'namespace', PLATFORM, '--ignore-not-found', '--output=name') === '')
      goneMs = performance.now() - at;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  done.push({ there: there.length, ms: cleanMs ?? GIVE_UP_MS });
  const seconds = (ms: number | undefined) => (ms === undefined ? 'NEVER' : `${(ms / 1000).toFixed(1)} s`);
  console.log(
    `kill ${i + 1} (${basename(scenario)}), ${after.toFixed(1)} s into the injection: ${there.length} things there (${there.join('; ')}); faults gone after ${seconds(cleanMs)}, the platform after ${seconds(goneMs)}${left.length > 0 ? `; STILL THERE: ${left.join('; ')}` : ''}`,
  );
}
rmSync(out, { recursive: true, force: true });
const { held, said } = judgeKills(done, BOUND_MS);
console.log(said);
process.exitCode = held ? 0 : 1;
