import { afterEach, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { formatDiagnostic, HarnessError, RefusedError } from '../base/errors.ts';
import type { Right } from '../chaos/rights.ts';
import { type FakeKubectl, fakeKubectl } from '../targets/kind/fake-kubectl.ts';
import { answer, type RightsOptions, subjectOf } from './rights.ts';
import { type Planned, refuseMissingRights } from './user-rights.ts';

const made: FakeKubectl[] = [];
afterEach(() => {
  for (const kubectl of made.splice(0)) kubectl.remove();
});

const options = {
  ...{ scenarios: ['dr-node-lost', 'my scenario.yaml'], target: 'cluster', cluster: 'staging.yaml' },
  ...{ profile: 'reference', platform: undefined, guardrails: undefined, timeScale: undefined },
  ...{ loadPods: 2, loadScale: ['builds=0.05'] },
  ...{ check: true, wholeRun: false, account: undefined },
} as Partial<RightsOptions> as RightsOptions;

const making: Right = { group: '', resources: ['namespaces'], verbs: ['create'] };

/** One scenario, with one fault, on a cluster where a run needs to make a namespace besides. */
function planned(may: string, ends?: string): Planned & { kubectl: FakeKubectl } {
  const kubectl = fakeKubectl(may, ends);
  made.push(kubectl);
  const { way } = kubectl;
  const owners = { activator: { namespace: 'serving', resource: 'deployments', name: 'activator' } };
  return {
    kubectl,
    target: {
      name: 'cluster',
      way: () => way,
      runRights: (faults: Right[]) => ({ rights: [...faults, making], wished: [], made: ['lab'] }),
    },
    abilities: { cluster: { namespace: 'lab', owners } },
    scenarios: [
      { makePlan: () => ({ faults: [{ kind: 'component-killed', params: { component: 'activator' } }] }) },
    ],
  } as unknown as Planned & { kubectl: FakeKubectl };
}

const refusal = (asked: Promise<unknown>) =>
  asked.then(
    () => expect.unreachable('it was not refused'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(RefusedError);
      return (error as RefusedError).diagnostics.map(formatDiagnostic);
    },
  );

describe('refuseMissingRights', () => {
  it('asks as the user of the kubeconfig for faults and run, and lets pass who may do all', async () => {
    const { kubectl: asked, ...plan } = planned('true');
    expect(await refuseMissingRights(options, plan)).toBe(asked.questions().length);
    expect(asked.calls().flat().join(' ')).not.toContain('--as');
    expect(asked.questions()).toContainEqual({
      ...{ verb: 'patch', group: 'apps', resource: 'deployments', subresource: 'scale' },
      ...{ namespace: 'serving', name: 'activator' },
    });
    expect(asked.questions()).toContainEqual({ verb: 'create', group: '', resource: 'namespaces' });
  });

  it('refuses with each right that is missing on its line, and what gives it', async () => {
    const said = await refusal(
      refuseMissingRights(options, planned("a.subresource !== 'scale' && a.resource !== 'namespaces'")),
    );
    const where = 'staging.yaml: spec.context: its user may not';
    const scale = 'deployments.apps/scale of activator in serving';
    expect(said).toEqual([
      `${where} create namespaces cluster-wide`,
      ...['get', 'patch', 'update'].map((verb) => `${where} ${verb} ${scale}`),
      "Next: `faultline rights dr-node-lost 'my scenario.yaml' --target cluster --cluster staging.yaml --profile reference --load-pods 2 --load-scale builds=0.05 --whole-run --account NAMESPACE/NAME` prints the objects that give a ServiceAccount all that these runs need; for another user, put that among their subjects",
    ]);
  });

  it('does not let pass what could not be asked', async () => {
    await expect(refuseMissingRights(options, planned('true', 'process.exit(1)'))).rejects.toThrow(
      HarnessError,
    );
  });

  it('asks nothing of a target that is no cluster', async () => {
    const plan = { target: { name: 'local' }, abilities: {}, scenarios: [] } as unknown as Planned;
    expect(await refuseMissingRights(options, plan)).toBe(0);
  });
});

describe('faultline rights', () => {
  const account = 'ops/chaos';
  const told = (changes: Partial<RightsOptions>, plan: Planned) =>
    answer({ ...options, ...changes }, subjectOf(changes.account ?? 'lab/faults'), plan);

  it('--check asks about the user of the kubeconfig, as whom runs act', async () => {
    const plan = planned('true');
    expect(await told({}, plan)).toMatch(/^The kubeconfig's user may do what these runs need: \d+ questions/);
    expect(plan.kubectl.calls().flat().join(' ')).not.toContain('--as');
    const [first] = await refusal(told({}, planned("a.resource !== 'namespaces'")));
    expect(first).toBe('staging.yaml: spec.context: its user may not create namespaces cluster-wide');
  });

  it('--check --account asks about that account, what the faults need', async () => {
    const plan = planned("a.resource !== 'namespaces'");
    expect(await told({ account }, plan)).toBe('ops/chaos may do what 1 faults need.\n');
    expect(plan.kubectl.calls()[0]).toContain('--as=system:serviceaccount:ops:chaos');
    expect(
      await refusal(told({ account }, planned("a.subresource !== 'scale' || a.verb !== 'patch'"))),
    ).toEqual(['ops/chaos: may not patch deployments.apps/scale of activator in serving']);
    expect(await refusal(told({ account, wholeRun: true }, planned("a.resource !== 'namespaces'")))).toEqual([
      'ops/chaos: may not create namespaces cluster-wide',
    ]);
  });

  it('prints what the faults need, and with --whole-run what can be given before the run', async () => {
    const plan = planned('true');
    const kinds = async (wholeRun: boolean) =>
      parseAllDocuments(await told({ check: false, wholeRun, account }, plan))
        .map((document) => document.toJS() as { kind: string; metadata: { namespace?: string } })
        .filter(({ kind }) => kind.endsWith('Role'))
        .map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}`);
    expect(await kinds(false)).toEqual(['Role lab', 'Role serving']);
    expect(await kinds(true)).toEqual(['ClusterRole ', 'Role serving']);
    expect(plan.kubectl.calls()).toEqual([]);
  });

  it('refuses an account without a namespace, and a target that is no cluster', async () => {
    expect(() => subjectOf('chaos')).toThrow('expected namespace/name of a ServiceAccount, got "chaos"');
    const local = { target: { name: 'local' }, abilities: {}, scenarios: [] } as unknown as Planned;
    expect(await refusal(told({}, local))).toEqual([
      '--target: target local is no cluster, and needs no rights: expected kind or cluster',
    ]);
  });
});
