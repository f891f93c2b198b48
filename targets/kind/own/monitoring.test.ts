import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadProfile } from '../../profile.ts';
import type { TargetRequest } from '../../target.ts';
import type { Place } from '../place.ts';
import { monitoring } from './monitoring.ts';

const place = {
  nodes: [{ name: 'one', address: '10.0.0.1', worker: true }],
  images: { services: 'r:5000/services:1', kubeStateMetrics: 'r:5000/ksm:1' },
} as Partial<Place> as Place;
const request = {
  ...{ webhookUrl: 'http://10.0.0.9:1/', rules: 'groups: []', timeScale: 10 },
  ...{ scrapeMs: 1000, evaluationMs: 1000 },
} as Partial<TargetRequest> as TargetRequest;
const profile = loadProfile('knative-lambda-operator');
const [component] = Object.keys(profile.components) as [string];

function jobs(replicas: number) {
  const owner = { object: 'deployment/x', replicas, namespace: 'ns', labels: {} };
  const owners = Object.fromEntries(Object.keys(profile.components).map((name) => [name, owner]));
  const targets = { url: (list: string) => `http://10.0.0.9:2/${list}`, close: async () => {} };
  const manifests = monitoring(place, request, profile, { namespace: 'ns', owners, targets });
  const config = manifests.find(
    (m) => m.kind === 'ConfigMap' && m.metadata.name === 'prometheus',
  ) as unknown as {
    data: Record<string, string>;
  };
  const { scrape_configs: found } = parse(config.data['prometheus.yml'] ?? '') as {
    scrape_configs: {
      job_name: string;
      honor_labels?: boolean;
      static_configs?: unknown;
      http_sd_configs?: unknown;
    }[];
  };
  return (name: string | undefined) => found.filter(({ job_name }) => job_name === name);
}
const job = profile.components[component]?.metrics.job;

it('scrapes one replica by way of its Service, several each by itself', () => {
  expect(jobs(1)(job)).toMatchObject([
    { static_configs: [{ targets: [expect.stringContaining(component)] }] },
  ]);
  const [several, ...others] = jobs(2)(job);
  expect(others).toEqual([]);
  expect(several).toMatchObject({
    honor_labels: false,
    http_sd_configs: [{ url: `http://10.0.0.9:2/component/${component}` }],
  });
  expect(several?.static_configs).toBeUndefined();
});

it('scrapes each pod of functions, whose own labels stay', () => {
  expect(jobs(1)(profile.functionMetrics?.job)).toMatchObject([
    { honor_labels: true, http_sd_configs: [{ url: 'http://10.0.0.9:2/functions' }] },
  ]);
});
