import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { HarnessError } from '../../base/errors.ts';
import { freePorts } from '../../base/ports.ts';
import type { Kubernetes } from '../../kind/kubernetes.ts';
import { exec } from '../../tools/exec.ts';
import { KNATIVE_OWNERS } from './chaos.ts';
import { clusterDriver, reachOf } from './cluster-driver.ts';
import type { Place } from './place.ts';
import type { PodWatch } from './pods.ts';

const pod = (name: string, ready: boolean): V1Pod => ({
  metadata: { name },
  status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
});

/** @param answer of the cluster to whatever it is asked with these rights */
function driver(pods: V1Pod[], answer: (args: string[]) => string = () => '3') {
  const asked: string[] = [];
  const cluster = (who: string) =>
    ({
      async do(...args: string[]) {
        asked.push([who, ...args].join(' '));
        return answer(args);
      },
    }) as Kubernetes;
  const access = {
    ...{ cluster: cluster('faults'), watching: cluster('run') },
    place: { way: {}, nodes: [] } as unknown as Place,
    ...{ namespace: 'lab', owners: KNATIVE_OWNERS, readyUrl: () => '' },
    pods: { of: () => pods } as unknown as PodWatch,
  };
  return { ...clusterDriver(access), asked };
}
const PODS = [pod('a-1', true), pod('a-2', false), pod('a-3', true)];
const NAME = 'knative-serving/activator';

it('counts what serves nobody already beside what is hit, and names workloads as a node has them', async () => {
  const { impactOfPods, asked } = driver(PODS);
  expect((await impactOfPods('activator', ['a-1'])).workloads).toEqual([
    { name: NAME, hit: 1, unready: 1, of: 3 },
  ]);
  expect((await impactOfPods('activator')).workloads).toEqual([{ name: NAME, hit: 3, of: 3 }]);
  // A fault needs no right of its own for it.
  expect(asked[0]).toBe(
    'run --namespace knative-serving get deployment/activator --output=jsonpath={.spec.replicas}',
  );
});

it('counts against what its owner wants: pods that were never made are missing', async () => {
  const { impactOfPods } = driver(PODS, () => '10');
  expect((await impactOfPods('activator', ['a-1'])).workloads).toEqual([
    { name: NAME, hit: 1, unready: 8, of: 10 },
  ]);
});

it('takes no part of a workload of which no pod is hit', async () => {
  expect((await driver([]).impactOfPods('activator')).workloads).toEqual([]);
});

it('says so when nobody says how many there should be', async () => {
  await expect(driver(PODS, () => '').impactOfPods('activator')).rejects.toThrow(
    /how many replicas deployment\/activator has is not known/,
  );
});

it('counts what goes with a node against what is wanted in the whole cluster', async () => {
  const { impactOfNode, asked } = driver([], (args) =>
    args.includes('pods')
      ? 'payments\tweb-1\tone\tReplicaSet\tweb-7c9\t\tRunning\tTrue\n'
      : 'Deployment\tpayments\tweb\t\t\t4\nReplicaSet\tpayments\tweb-7c9\tDeployment\tweb\t4\n',
  );
  expect((await impactOfNode('one')).workloads).toEqual([
    { name: 'payments/web', hit: 1, unready: 3, of: 4 },
  ]);
  expect(asked[0]).toMatch(
    /^faults .*get deployments\.apps,replicasets\.apps,statefulsets\.apps --all-namespaces --output=jsonpath/,
  );
});

describe('what a pod said of a connection that it tried', () => {
  const WHAT = 'connect to rabbitmq:5672 from receiver-1:';
  const refusing = (words: string) =>
    `bash: connect: ${words}\nbash: line 1: /dev/tcp/10.0.0.7/5672: ${words}\ncode=1\n`;
  it.each([
    ['open', 'code=0\n', 'open'],
    ['silent', 'code=124\n', 'no answer in 400 ms, nothing refused'],
    ['refused', refusing('Connection refused'), 'Connection refused'],
    ['refused', refusing('No route to host'), 'No route to host'],
  ])('%s', (state, said, words) => {
    expect(reachOf(said, WHAT)).toEqual({ state, detail: `${WHAT} ${words}` });
  });

  it('is read of a real bash', async () => {
    const [port] = await freePorts(1);
    const command = `bash -c ": >/dev/tcp/127.0.0.1/${port}"; echo code=$?`;
    const { output } = await exec('bash', ['-c', command], { timeoutMs: 5000 });
    expect(reachOf(output, WHAT).state).toBe('refused');
  });

  it.each([
    ['no bash', "timeout: failed to run command 'bash': No such file or directory\ncode=127\n"],
    ['may not be run', "timeout: failed to run command 'bash': Permission denied\ncode=126\n"],
    ['killed for its memory', 'Killed\ncode=137\n'],
    ['killed without a word', 'code=137\n'],
    ['no network of its own', refusing('Network is unreachable')],
    ['no file to be had', 'bash: line 1: /dev/tcp/10.0.0.7/5672: Too many open files\ncode=1\n'],
    ['did not get into the pod', 'error: unable to upgrade connection: container not found ("receiver")\n'],
    ['no address', ''],
  ])('is no look at all where nobody could look: %s', (_why, said) => {
    const words = said.split(/\n|code/)[0] || (said === '' ? 'its name is not resolved' : 'code 137');
    expect(() => reachOf(said, WHAT)).toThrow(HarnessError);
    expect(() => reachOf(said, WHAT)).toThrow(words);
  });
});
