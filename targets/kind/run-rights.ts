/**
 * What the kubeconfig's user must be allowed to do for a whole run. Faults act as a ServiceAccount that the run makes (common.ts), and
 * their rights are in it all the same: nobody can give what he does not have, and what undoes faults is this user.
 */
import { merged, type Right, rightsManifests } from '../../chaos/rights.ts';
import type { Manifest } from '../../kind/kubernetes.ts';
import type { RunRights, TargetRequest } from '../target.ts';
import { faultsSubject } from './common.ts';

/** Of a run that is not there yet: which kinds of objects it makes does not depend on it. */
export const NO_RUN = {
  ...{ rules: '', webhookUrl: '', defects: [], longestRecoveryMs: 0 },
  ...{ timeScale: 1, scrapeMs: 1000, evaluationMs: 1000 },
} satisfies Partial<TargetRequest>;

export interface WholeRun {
  /** Of the platform. */
  namespace: string;
  /** All that is applied, the platform and what measures it. */
  manifests: readonly Manifest[];
  /** What its faults need. */
  faults: readonly Right[];
  /** The load runs in pods. */
  loadPods: boolean;
  /** What only this platform is done with. */
  besides: readonly Right[];
}

export function runRights({ namespace, manifests, faults, loadPods, besides }: WholeRun): RunRights {
  const subject = faultsSubject(namespace);
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { ...subject } };
  const all = [...manifests, account, ...rightsManifests(faults, subject)];
  const brought = manifests.flatMap(({ kind, metadata }) => (kind === 'Namespace' ? [metadata.name] : []));
  return {
    rights: merged([
      ...faults,
      ...all.flatMap((manifest) => [...toApply(manifest, namespace), ...given(manifest)]),
      ...always(namespace, subject.name),
      ...(loadPods ? [within(namespace, 'batch', 'jobs', 'create', 'patch', 'get', 'list', 'watch')] : []),
      ...besides,
    ]),
    // log-keeper.ts, history.ts
    wished: [within(namespace, '', 'pods/log', 'get'), within(namespace, '', 'events', 'list', 'watch')],
    made: [...new Set([namespace, ...brought])],
  };
}

/** @param resource in the plural, a subresource too */
export const within = (namespace: string, group: string, resource: string, ...verbs: string[]): Right => ({
  ...{ namespace, group, resources: [resource], verbs },
});

/** Beside the objects that are applied. */
function always(namespace: string, account: string): Right[] {
  const inside = (group: string, resource: string, ...verbs: string[]) =>
    within(namespace, group, resource, ...verbs);
  return [
    // The freeze (freeze.ts), what is there before (surroundings.ts, common.ts), and the run's own, which goes at the end.
    { group: '', resources: ['namespaces'], verbs: ['get', 'list', 'watch', 'create'] },
    { group: '', resources: ['namespaces'], names: [namespace], verbs: ['delete'] },
    // The description of the cluster.
    { group: '', resources: ['nodes'], verbs: ['list'] },
    // Faults act as this account (common.ts).
    { ...inside('', 'serviceaccounts', 'impersonate'), names: [account] },
    // Who lives, and for how long (pods.ts).
    inside('', 'pods', 'get', 'list', 'watch'),
    // Whether it is up, and how it is reached (common.ts).
    inside('apps', 'deployments', 'get', 'list', 'watch'),
    inside('', 'services', 'list'),
    inside('', 'pods/exec', 'create'),
  ];
}

/**
 * Where a kind's plural is known without the cluster, which is so of Kubernetes' own. Of others the server says it, when it is let
 * rehearse them. A server-side apply asks for both verbs.
 */
function toApply({ apiVersion, kind, metadata }: Manifest, own: string): Right[] {
  const group = apiVersion.includes('/') ? (apiVersion.split('/')[0] as string) : '';
  if (/\./.test(group) && !group.endsWith('.k8s.io')) return [];
  const { name, namespace } = metadata;
  const what = { ...(namespace ? { namespace } : {}), group, resources: [pluralOf(kind)] };
  if (namespace === own) return [{ ...what, verbs: ['create', 'patch'] }];
  // What is not in the platform's namespace does not go with it: it is looked for before, and taken away after.
  const verbs = ['get', 'patch', 'delete'];
  // Waited for, until the server knows it.
  if (kind === 'CustomResourceDefinition') verbs.push('list', 'watch');
  return [
    { ...what, verbs: ['create'] },
    { ...what, names: [name], verbs },
  ];
}

/** Source: Kubernetes' own guess, apimachinery's `UnsafeGuessKindToResource`, which is true of its own kinds. */
function pluralOf(kind: string): string {
  const singular = kind.toLowerCase();
  if (singular === 'endpoints') return singular;
  if (singular.endsWith('s')) return `${singular}es`;
  return singular.endsWith('y') ? `${singular.slice(0, -1)}ies` : `${singular}s`;
}

interface Rule {
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
  verbs?: string[];
}

/** What a role gives, its maker must have. What it gives without bounds, and a role that is bound only, the server judges at the rehearsal. */
function given({ kind, metadata: { namespace }, rules }: Manifest): Right[] {
  if (kind !== 'Role' && kind !== 'ClusterRole') return [];
  return ((rules ?? []) as Rule[]).flatMap(({ apiGroups = [], resources = [], resourceNames, verbs = [] }) =>
    [...apiGroups, ...resources, ...verbs].some((text) => text.includes('*'))
      ? []
      : apiGroups.map((group) => ({
          ...(namespace ? { namespace } : {}),
          ...{ group, resources, verbs },
          ...(resourceNames?.length ? { names: resourceNames } : {}),
        })),
  );
}

/**
 * As RBAC objects can give them before the run: no Role can be in a namespace that is not there, so that what is needed in those that the
 * run makes is to be given in all.
 */
export function beforehand({ rights, wished, made }: RunRights): Right[] {
  return [...rights, ...wished].map(({ namespace, ...right }) =>
    namespace === undefined || made.includes(namespace) ? right : { ...right, namespace },
  );
}
