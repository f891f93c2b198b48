/**
 * The Kubernetes API as the components need it: typed only where a field is read. Loaded by those that run on a cluster
 * alone, as the client takes half a second of CPU to load.
 */
import {
  ApiException,
  type Informer,
  KubeConfig,
  type KubernetesObject,
  KubernetesObjectApi,
  makeInformer,
  PatchStrategy,
} from '@kubernetes/client-node';

const MANAGER = 'knative-lambda';
const RECONNECT_MS = 1000;

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    generation?: number;
    annotations?: Record<string, string>;
    creationTimestamp?: Date;
    deletionTimestamp?: Date;
    uid?: string;
  };
  // biome-ignore lint/suspicious/noExplicitAny: objects of the API are read where their shape is known
  [field: string]: any;
}

export interface Watching {
  /** What is known now, by name. */
  objects: ReadonlyMap<string, KubeObject>;
  stop(): Promise<void>;
}

export class Cluster {
  readonly namespace: string;
  readonly #config: KubeConfig;
  readonly #api: KubernetesObjectApi;

  /** With the rights of the pod's service account. */
  constructor(namespace: string) {
    this.namespace = namespace;
    this.#config = new KubeConfig();
    this.#config.loadFromCluster();
    this.#api = KubernetesObjectApi.makeApiClient(this.#config);
  }

  /** Creates it, or changes it to what is wanted; fields that others own stay. @returns the object as it is then */
  apply(object: KubeObject): Promise<KubeObject> {
    return this.#api.patch(
      this.#here(object),
      undefined,
      undefined,
      MANAGER,
      true,
      PatchStrategy.ServerSideApply,
    );
  }

  /** Creates it. @returns false when one of that name is there already */
  async create(object: KubeObject): Promise<boolean> {
    try {
      await this.#api.create(this.#here(object), undefined, undefined, MANAGER);
      return true;
    } catch (error) {
      if (codeOf(error) === 409) return false;
      throw error;
    }
  }

  async list(apiVersion: string, kind: string, labels?: string): Promise<KubeObject[]> {
    const rest = [undefined, undefined, undefined, undefined] as const;
    const { items } = await this.#api.list(apiVersion, kind, this.namespace, ...rest, labels);
    return items as KubeObject[];
  }

  /** Deletes it, and what it owns after it. No error when it is not there. */
  async delete(apiVersion: string, kind: string, name: string): Promise<void> {
    const object = this.#here({ apiVersion, kind, metadata: { name } });
    try {
      await this.#api.delete(object, undefined, undefined, undefined, undefined, 'Background');
    } catch (error) {
      if (codeOf(error) !== 404) throw error;
    }
  }

  /** Follows the objects of a kind. A broken watch is begun again; what changed meanwhile is heard then. */
  watch(
    options: { apiVersion: string; kind: string; plural: string; labels?: string },
    onChange: (object: KubeObject, gone: boolean) => void,
  ): Watching {
    const { apiVersion, kind, plural, labels } = options;
    const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const path = `${root}/namespaces/${this.namespace}/${plural}`;
    const objects = new Map<string, KubeObject>();
    const informer: Informer<KubernetesObject> = makeInformer(
      this.#config,
      path,
      async () => {
        const rest = [undefined, undefined, undefined, undefined] as const;
        return (await this.#api.list(apiVersion, kind, this.namespace, ...rest, labels)) as never;
      },
      labels,
    );
    let stopped = false;
    const changed = (gone: boolean) => (told: KubernetesObject) => {
      const object = told as KubeObject;
      if (gone) objects.delete(object.metadata.name);
      else objects.set(object.metadata.name, object);
      onChange(object, gone);
    };
    informer.on('add', changed(false));
    informer.on('update', changed(false));
    informer.on('delete', changed(true));
    const begin = () => {
      if (stopped) return;
      informer.start().catch(() => setTimeout(begin, RECONNECT_MS));
    };
    informer.on('error', () => setTimeout(begin, RECONNECT_MS));
    begin();
    return {
      objects,
      stop() {
        stopped = true;
        return informer.stop();
      },
    };
  }

  #here(object: KubeObject): KubeObject {
    return { ...object, metadata: { ...object.metadata, namespace: this.namespace } };
  }
}

/** The API's status code of an error, when it is one of the API's answers. */
export function codeOf(error: unknown): number | undefined {
  return error instanceof ApiException ? error.code : undefined;
}

/** A condition of an object's status. */
export function condition(
  object: KubeObject,
  type: string,
): { status: string; reason?: string; message?: string } {
  const conditions = (object.status?.conditions ?? []) as { type: string; status: string }[];
  return conditions.find((each) => each.type === type) ?? { status: 'Unknown' };
}
