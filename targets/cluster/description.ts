/**
 * A cluster that exists, as its user describes it (`--cluster FILE`), and as it says itself that it is. Nothing is asked of a context that
 * the guardrails do not list.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { RefusedError } from '../../base/errors.ts';
import { readYaml } from '../../base/yaml-file.ts';
import type { Guardrails } from '../../chaos/guardrails/file.ts';
import { kindCache } from '../../kind/cache.ts';
import type { Place } from '../kind/place.ts';

const ANSWER_WITHIN_MS = 15_000;
/** Source: kubeadm's label of the control plane; where a provider hides it, no node has it. */
const CONTROL_PLANE = 'node-role.kubernetes.io/control-plane';

const HostPort = z.string().regex(/^[^/\s:]+:\d+$/, 'expected host:port');
const Host = z.string().regex(/^[^/\s:]+$/, 'expected an IP address or a name, without a port');
const Image = z.string().min(1);
const File = z.strictObject({
  apiVersion: z.literal('faultline.dev/v1'),
  kind: z.literal('Cluster'),
  spec: z.strictObject({
    context: z.string().min(1),
    /** Relative to this file. Without it: KUBECONFIG, or kubectl's own default. */
    kubeconfig: z.string().min(1).optional(),
    /** A path is relative to this file. */
    kubectl: z.string().min(1).default('kubectl'),
    hostAddress: Host,
    /** Without it: the internal address of a node, of the control plane where it is one. */
    nodeAddress: Host.optional(),
    registry: z.strictObject({ here: HostPort, inside: HostPort }),
    images: z
      .strictObject({
        ...{ services: Image, kubeStateMetrics: Image },
        ...{ platform: Image, objectStore: Image, kaniko: Image, functionBase: Image },
      })
      .partial({ platform: true, objectStore: true, kaniko: true, functionBase: true }),
    ingress: z.strictObject({ url: z.url({ protocol: /^http$/ }), domain: Host }).optional(),
    shapers: z.array(z.enum(['netem', 'tbf'])).default([]),
  }),
});
type Spec = z.infer<typeof File>['spec'];

export const NOT_DESCRIBED = {
  file: '--cluster',
  message: 'missing: expected the file that describes your cluster (docs/use-your-own-cluster.md)',
};

interface Node {
  metadata: { name: string; labels?: Record<string, string> };
  status: { addresses?: { type: string; address: string }[]; capacity?: { cpu?: string } };
}

/**
 * @param namespace of the platform, which must be allow-listed as well
 * @returns asks the cluster at its first call; throws RefusedError when there is no such context, or no answer
 * @throws RefusedError with file, line and field of what is wrong in the file, and when the guardrails do not list it
 */
export function describedPlace(file: string, guardrails: Guardrails, namespace: string): () => Place {
  const { spec } = readYaml(file, File).value;
  const { contexts, namespaces } = guardrails;
  const listing = guardrails.file ?? 'a guardrails file (see docs/guardrails.md)';
  const refuse = (field: string, message: string) => ({ file, field, message });
  const problems = [
    ...(contexts.includes(spec.context)
      ? []
      : [
          refuse(
            'spec.context',
            `"${spec.context}" is not allow-listed: expected it among spec.contexts of ${listing}`,
          ),
        ]),
    ...(namespaces.includes(namespace)
      ? []
      : [
          refuse(
            'spec.context',
            `namespace ${namespace} is not allow-listed: expected it among spec.namespaces of ${listing}`,
          ),
        ]),
  ];
  if (problems.length > 0) throw new RefusedError(problems);
  let found: Place | undefined;
  return () => {
    found ??= ask(file, spec);
    return found;
  };
}

function ask(file: string, spec: Spec): Place {
  const { context, hostAddress, registry, images, shapers, ingress } = spec;
  // The reaper, in another directory, calls it as well.
  const command = spec.kubectl.includes('/') ? resolve(dirname(file), spec.kubectl) : spec.kubectl;
  const kubectl = (...args: string[]) => {
    try {
      const options = { encoding: 'utf8' as const, timeout: ANSWER_WITHIN_MS, stdio: 'pipe' as const };
      return execFileSync(command, args, options);
    } catch (error) {
      const { code, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string };
      const refusal =
        code === 'ENOENT'
          ? {
              field: 'spec.kubectl',
              message: `${command} is not there: expected kubectl in PATH, or its path here`,
            }
          : {
              field: 'spec.context',
              message: `kubectl ${args[0]} of ${context}: ${stderr?.trim() || message}`,
            };
      throw new RefusedError([{ file, ...refusal }]);
    }
  };
  const whose = spec.kubeconfig ? [`--kubeconfig=${resolve(dirname(file), spec.kubeconfig)}`] : [];
  // One context and what it needs, of its own: whoever switches contexts meanwhile moves no fault to another cluster.
  const alone = kubectl('config', 'view', ...whose, `--context=${context}`, '--minify', '--flatten', '--raw');
  const kubeconfig = keep(context, alone);
  const get = (...args: string[]) =>
    JSON.parse(kubectl(...args, `--kubeconfig=${kubeconfig}`, '--output=json'));
  const { items } = get('get', 'nodes') as { items: Node[] };
  const { serverVersion } = get('version') as { serverVersion: { gitVersion: string } };
  const nodes = items
    .map(({ metadata: { name, labels }, status }) => ({
      name,
      address: status.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '',
      worker: labels?.[CONTROL_PLANE] === undefined,
    }))
    .sort((a, b) => Number(a.worker) - Number(b.worker));
  const named = Object.entries(images).map(([name, image]) => [`image ${name}`, image]);
  return {
    target: 'cluster',
    way: { kubectl: command, kubeconfig },
    nodes,
    cores: items.reduce((sum, { status }) => sum + Number(status.capacity?.cpu ?? 1), 0),
    nodeAddress: spec.nodeAddress ?? nodes[0]?.address ?? '',
    ...{ hostAddress, registry, images, shapers },
    ...(ingress === undefined ? {} : { ingress }),
    versions: { kubernetes: serverVersion.gitVersion },
    detail: { context, ...Object.fromEntries(named) },
  };
}

/**
 * It stays for who undoes what a killed run left. Like kubectl's own, for this user alone. Named by context and cluster: contexts of two clusters may have
 * the same name (`default`), one cluster two contexts, and what one run does must not go to another's cluster.
 */
function keep(context: string, kubeconfig: string): string {
  const { clusters } = parse(kubeconfig) as { clusters?: object[] };
  const directory = join(kindCache(), 'contexts');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = join(
    directory,
    `${createHash('sha256')
      .update(JSON.stringify([context, clusters ?? kubeconfig]))
      .digest('hex')
      .slice(0, 12)}.kubeconfig`,
  );
  writeFileSync(file, kubeconfig, { mode: 0o600 });
  return file;
}
