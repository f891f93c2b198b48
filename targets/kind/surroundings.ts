/** What the cluster and its registries say before a platform comes. */
import { imageName, MANIFEST_TYPES } from '../../base/image-name.ts';
import type { Kubernetes } from '../../kind/kubernetes.ts';
import type { Place } from './place.ts';

const ANSWER_WITHIN_MS = 5000;

/** What is there without the platform. */
export interface Surroundings {
  /** `apiVersion/Kind` that the cluster serves. */
  kinds: ReadonlySet<string>;
  namespaces: ReadonlySet<string>;
  storage: StorageClasses;
  /** Why an image can not be pulled by the nodes; undefined when it can, or nobody can tell. */
  imageProblem(image: string): Promise<string | undefined>;
  /** The same for a registry, `host:port`. */
  registryProblem(registry: string): Promise<string | undefined>;
}

/** Classes of volumes; undefined when whoever asks may not know. */
export type StorageClasses =
  | {
      names: ReadonlySet<string>;
      /** What a claim gets that names none. */
      byDefault?: string;
      /** Those that keep a volume when its claim is gone; absent: none. */
      keeping?: ReadonlySet<string>;
    }
  | undefined;

/** A run's volumes go with its namespace, or they are left for ever. */
export const keepsVolumes = (name: string) =>
  `StorageClass ${name} keeps volumes whose claims are gone (reclaimPolicy Retain), so each run would leave its own behind: expected one with reclaimPolicy Delete`;

type Registry = Place['registry'];

/** @param registry the cluster's own */
export async function surroundings(cluster: Kubernetes, registry: Registry): Promise<Surroundings> {
  const [kinds, namespaces, storage] = await Promise.all([
    // The last two columns are there for every resource; short names are not.
    cluster.apiResources('--no-headers', '--output=wide'),
    cluster.do('get', 'namespaces', '--output=jsonpath={.items[*].metadata.name}'),
    storageClasses(cluster),
  ]);
  return {
    kinds: new Set(kinds.split('\n').flatMap((line) => kindOf(line) ?? [])),
    namespaces: new Set(namespaces.split(/\s+/)),
    storage,
    imageProblem: (image) => imageProblem(image, registry),
    // Pods resolve the names of Services, this host does not; nodes, which pull images, do not either.
    registryProblem: async (name) =>
      /\.svc(?=[.:]|$)/.test(name) ? undefined : registryProblem(name, registry),
  };
}

export function isDefaultClass({ kind, metadata }: { kind: string; metadata: object }): boolean {
  const { annotations = {} } = metadata as { annotations?: Record<string, string> };
  return (
    kind === 'StorageClass' &&
    ['', 'beta.'].some((age) => annotations[`storageclass.${age}kubernetes.io/is-default-class`] === 'true')
  );
}

async function storageClasses(cluster: Kubernetes): Promise<StorageClasses> {
  try {
    const [classes, volumes] = await Promise.all([
      cluster.do('get', 'storageclasses', '--output=json'),
      cluster.do('get', 'persistentvolumes', '--output=jsonpath={.items[*].spec.storageClassName}'),
    ]);
    return storageOf(classes, volumes);
  } catch (error) {
    // They are of the whole cluster: who may do all in some namespaces need not see them.
    if (/forbidden/i.test((error as Error).message)) return undefined;
    throw error;
  }
}

/** @param list of StorageClasses, in JSON @param ofVolumes names of classes that volumes have, with spaces between them. Sources: Kubernetes' documentation, "Change the default StorageClass", "Storage Classes" (reclaimPolicy) */
export function storageOf(list: string, ofVolumes = ''): Exclude<StorageClasses, undefined> {
  const { items } = JSON.parse(list) as {
    items: {
      metadata: { name: string; annotations?: Record<string, string> };
      reclaimPolicy?: string;
    }[];
  };
  const keeping = items.filter(keepsItsVolumes).map(({ metadata }) => metadata.name);
  const byDefault = items.find((item) => isDefaultClass({ kind: 'StorageClass', ...item }))?.metadata.name;
  return {
    names: new Set([
      ...items.map(({ metadata }) => metadata.name),
      ...ofVolumes.split(/\s+/).filter(Boolean),
    ]),
    ...(byDefault === undefined ? {} : { byDefault }),
    ...(keeping.length === 0 ? {} : { keeping: new Set(keeping) }),
  };
}

/** Without a policy, they are deleted. */
export const keepsItsVolumes = (storageClass: object) =>
  (storageClass as { reclaimPolicy?: string }).reclaimPolicy === 'Retain';

/** `apps/v1/Deployment` of a line of `kubectl api-resources`. */
export function kindOf(line: string): string | undefined {
  const [, apiVersion, kind] = /\s(\S*v\d\S*)\s+(?:true|false)\s+(\S+)/.exec(line) ?? [];
  return apiVersion === undefined ? undefined : `${apiVersion}/${kind}`;
}

/** Of an image without a host, Docker Hub's. */
export function partsOf(image: string): { host: string; path: string; reference: string } {
  const { host, path, reference } = imageName(image);
  if (host !== undefined) return { host, path, reference };
  return { host: 'docker.io', path: path.includes('/') ? path : `library/${path}`, reference };
}

async function imageProblem(image: string, registry: Registry): Promise<string | undefined> {
  if (image === '') return 'no image is named';
  const { host, path, reference } = partsOf(image);
  const unreachable = await registryProblem(host, registry);
  if (unreachable !== undefined) return unreachable;
  const response = await ask(`${baseOf(host, registry)}/v2/${path}/manifests/${reference}`);
  // Who wants a token is not asked further: the nodes may have one.
  return response instanceof Response && response.status === 404
    ? `the registry has no such image (404)`
    : undefined;
}

async function registryProblem(host: string, registry: Registry): Promise<string | undefined> {
  if (/^localhost\b|^127\./.test(host))
    return `on a node, ${host} is the node itself, where no registry is: the cluster's is ${registry.inside}`;
  const response = await ask(`${baseOf(host, registry)}/v2/`);
  return response instanceof Response ? undefined : `its registry gives no answer (${response})`;
}

const baseOf = (host: string, registry: Registry) =>
  host === registry.inside
    ? `http://${registry.here}`
    : `https://${host === 'docker.io' ? 'registry-1.docker.io' : host}`;

async function ask(url: string): Promise<Response | string> {
  try {
    return await fetch(url, {
      method: 'HEAD',
      headers: { accept: MANIFEST_TYPES },
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
  } catch (error) {
    const { cause, message } = error as Error & { cause?: Error };
    return cause?.message || message;
  }
}
