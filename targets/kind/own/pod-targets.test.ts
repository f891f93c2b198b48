import { expect, it } from 'vitest';
import { type PodTarget, servePodTargets } from './pod-targets.ts';

it('lists what there is at the moment, each list by its name', async () => {
  const replicas: PodTarget[] = [{ address: '10.0.0.1:8080', labels: { pod: 'a' } }];
  const targets = await servePodTargets('127.0.0.1', {
    'component/operator': () => replicas,
    none: () => [],
  });
  try {
    const read = async (url: string) => (await fetch(url)).json();
    expect(await read(targets.url('component/operator'))).toEqual([
      { targets: ['10.0.0.1:8080'], labels: { pod: 'a' } },
    ]);
    replicas.push({ address: '10.0.0.2:8080', labels: { pod: 'b' } });
    expect(await read(targets.url('component/operator'))).toHaveLength(2);
    expect(await read(targets.url('none'))).toEqual([]);
    expect((await fetch(targets.url('other'))).status).toBe(404);
  } finally {
    await targets.close();
  }
});
