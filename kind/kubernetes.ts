/** What is done to the cluster, by kubectl. */
import { parseAllDocuments } from 'yaml';
import { HarnessError } from '../base/errors.ts';
import { type ExecResult, exec, lastLines } from '../tools/exec.ts';
import { interrupt, run } from './command.ts';

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; [field: string]: unknown };
  [field: string]: unknown;
}

const UNDO_WITHIN_MS = 150_000;

/** How a process that knows nothing of the run reaches a cluster. */
export interface Way {
  kubectl: string;
  /** With one context: what is done later must not go elsewhere because somebody switched it meanwhile. */
  kubeconfig: string;
  /** The cluster is Faultline's own: when the kubeconfig is gone, so is the cluster. */
  madeHere?: boolean;
}

/** Kinds that others need to be there first. */
export const FIRST = ['Namespace', 'CustomResourceDefinition'];

export class Kubernetes {
  private readonly kubectl: string;
  /** Options of every call: whose credentials, and as whom. */
  readonly way: readonly string[];

  /** @param as a user whose rights it has instead of the cluster's administrator's */
  constructor({ kubectl, kubeconfig }: Way, as?: string) {
    this.kubectl = kubectl;
    this.way = [`--kubeconfig=${kubeconfig}`, ...(as === undefined ? [] : [`--as=${as}`])];
  }

  /** @returns kubectl's answer, without its warnings @throws HarnessError with its last lines when it fails */
  do(...args: string[]): Promise<string> {
    return run(this.kubectl, [...this.way, ...args]);
  }

  /**
   * Lines of `kubectl api-resources`. Where an API service of others is away (metrics-server), kubectl fails, and prints all other kinds.
   * @throws HarnessError when it names none
   */
  async apiResources(...flags: string[]): Promise<string> {
    const args = [...this.way, 'api-resources', ...flags];
    const { code, stdout, output, failure } = await exec(this.kubectl, args, {
      ...{ timeoutMs: UNDO_WITHIN_MS, signal: interrupt.signal },
    });
    if (code === 0 || (code === 1 && stdout.trim() !== '')) return stdout;
    throw new HarnessError(
      `kubectl api-resources failed (${failure ?? `exit code ${code}`}). Its last lines:\n${lastLines(output)}`,
    );
  }

  /** The same for clean-ups: it never throws, and runs also when everything else is interrupted. */
  undo(...args: string[]): Promise<ExecResult> {
    return exec(this.kubectl, [...this.way, ...args], { timeoutMs: UNDO_WITHIN_MS });
  }

  /** Applies manifests; namespaces and kinds first, and waits until the API knows those. */
  async apply(manifests: Manifest[]): Promise<void> {
    const first = manifests.filter(({ kind }) => FIRST.includes(kind));
    const kinds = first.filter(({ kind }) => kind === 'CustomResourceDefinition');
    if (first.length > 0) await this.applyOnce(first);
    if (kinds.length > 0)
      await this.do(
        'wait',
        '--for=condition=Established',
        '--timeout=60s',
        ...kinds.map((k) => `crd/${k.metadata.name}`),
      );
    const rest = manifests.filter(({ kind }) => !FIRST.includes(kind));
    if (rest.length > 0) await this.applyOnce(rest);
  }

  /** Makes what must not be there. @throws HarnessError with the server's words when it is */
  async create(manifest: Manifest): Promise<void> {
    await this.give([manifest], 'create');
  }

  /** Waits until all Deployments of a namespace run what was last applied. @throws HarnessError with the last words of what does not */
  async available(namespace: string, seconds: number): Promise<void> {
    const wait = ['rollout', 'status', 'deployment', '-n', namespace, `--timeout=${seconds}s`];
    await this.do(...wait).catch(async (error: Error) => {
      throw new HarnessError(`${error.message}\n${await this.lastWords(namespace)}`);
    });
  }

  /** Of the containers that are not ready: why, and what they said last. */
  private async lastWords(namespace: string): Promise<string> {
    const { stdout } = await this.undo('get', 'pods', '-n', namespace, '--output=json');
    const words: string[] = [];
    for (const pod of podsIn(stdout))
      for (const { name, ready, state, restartCount } of pod.status?.containerStatuses ?? []) {
        if (ready) continue;
        const container = [pod.metadata.name, '-n', namespace, '-c', name, '--tail=5'];
        const said = await this.undo('logs', ...container, ...(restartCount > 0 ? ['--previous'] : []));
        const why = state?.waiting?.reason ?? 'not ready';
        words.push(`${pod.metadata.name}/${name}: ${why}: ${said.output.trim().slice(-500)}`);
      }
    return words.join('\n');
  }

  /** Lets the server say whether it would take them: admission, validation and rights, and no change. @throws HarnessError with its words */
  rehearse(manifests: Manifest[]): Promise<void> {
    return this.applyOnce(manifests, ['--dry-run=server']);
  }

  private async applyOnce(items: Manifest[], flags: string[] = []): Promise<void> {
    // By the server: the annotation that kubectl itself would leave is too long for some kinds.
    await this.give(items, 'apply', '--server-side', '--force-conflicts', ...flags);
  }

  /** By its standard input: a file, which may hold secrets, would stay when this process is killed. */
  private give(items: Manifest[], ...verb: string[]): Promise<string> {
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
    return run(this.kubectl, [...this.way, ...verb, '-f', '-'], { input });
  }
}

interface PodStates {
  metadata: { name: string };
  status?: {
    containerStatuses?: {
      name: string;
      ready: boolean;
      restartCount: number;
      state?: { waiting?: { reason?: string } };
    }[];
  };
}

function podsIn(json: string): PodStates[] {
  try {
    return (JSON.parse(json) as { items: PodStates[] }).items;
  } catch {
    // The API has no answer: what was waited for says that much.
    return [];
  }
}

/** The manifests of a YAML text, with images in the place of the names under which it has them: `faultline.dev/<name>`. */
export function parseManifests(text: string, images: Record<string, string> = {}): Manifest[] {
  const named = text.replaceAll(
    /faultline\.dev\/([\w-]+)(?![\w:/-])/g,
    (found, name: string) => images[name] ?? found,
  );
  return parseAllDocuments(named)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest): manifest is Manifest => manifest !== null);
}
