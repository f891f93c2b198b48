import { beforeEach, expect, it } from 'vitest';
import { EvidenceError } from '../../base/errors.ts';
import type { ClusterDriver } from '../../chaos/drivers.ts';
import type { UndoOperation } from '../../chaos/undo/operations.ts';
import { componentDriver, KNATIVE_OWNERS, networkDriver } from './chaos.ts';

/** What kubectl says of the Deployment and of its pods. */
let replicas: string;
let pods: string;
let asked: string[];
beforeEach(() => {
  replicas = '4';
  pods = 'activator-1 activator-2';
  asked = [];
});

const cluster = {
  labelsOf: () => ({ app: 'activator' }),
  async kubectl(...args: string[]) {
    asked.push(args.join(' '));
    return args[1] === 'pods' ? pods : replicas;
  },
  undo: {
    scale: (object: string, to: number) => ({ op: 'scale-object', object, replicas: to }) as UndoOperation,
  },
} as unknown as ClusterDriver;
const driver = () => componentDriver(cluster, KNATIVE_OWNERS, 'receiver', () => '');

it('restores as many as there were right before', async () => {
  const components = driver();
  await components.look?.('activator');
  expect(components.undoOf('activator')).toMatchObject([{ replicas: 4 }]);
  replicas = '0';
  await components.release('activator');
  expect(asked.at(-1)).toContain('scale deployment/activator --replicas=4');
});

it('leaves alone what an autoscaler, or its owner, has scaled meanwhile', async () => {
  replicas = '7';
  await driver().release('activator');
  expect(asked.some((call) => call.startsWith('scale'))).toBe(false);
});

it('acts on nobody of whom the guardrails could not hear', async () => {
  expect((await driver().impact('activator')).pods).toHaveLength(2);
  pods = '';
  await expect(driver().impact('activator')).rejects.toThrow(EvidenceError);
});

it('counts against what the Deployment wants, not against what is there of it', async () => {
  expect((await driver().impact('activator')).workloads).toEqual([
    { name: 'knative-serving/activator', hit: 2, unready: 2, of: 4 },
  ]);
  replicas = '';
  await expect(driver().impact('activator')).rejects.toThrow(/how many replicas .* is not known/);
});

it('takes nothing for a number of replicas that is none', async () => {
  for (const answer of ['', 'Warning: deprecated\n4']) {
    replicas = answer;
    await expect(driver().look?.('activator')).rejects.toThrow(
      /how many replicas deployment\/activator has is not known: kubectl answered "/,
    );
  }
});

it('cuts off for as long as is planned and ten minutes, whoever is left to end it', async () => {
  let duration: unknown;
  const inject = async ({ spec }: { spec: { duration?: unknown } }) => {
    duration = spec.duration;
  };
  await networkDriver({ inject } as unknown as ClusterDriver).blackhole('f', 'rabbitmq', 90_000);
  expect(duration).toBe('690s');
});
