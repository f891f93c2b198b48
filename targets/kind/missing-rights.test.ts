import { afterEach, describe, expect, it } from 'vitest';
import { HarnessError } from '../../base/errors.ts';
import { type FakeKubectl, fakeKubectl } from './fake-kubectl.ts';
import { missingRights } from './missing-rights.ts';

let kubectl: FakeKubectl | undefined;
afterEach(() => kubectl?.remove());
const faked = (may: string, ends?: string): FakeKubectl => {
  kubectl = fakeKubectl(may, ends);
  return kubectl;
};

const coredns = { namespace: 'kube-system', group: 'apps', verbs: ['patch'] };
const rights = [
  { ...coredns, resources: ['deployments/scale'], names: ['coredns'] },
  { ...coredns, resources: ['deployments'] },
  { group: '', resources: ['nodes'], verbs: ['get', 'list'] },
];

describe('missingRights', () => {
  it('asks for a right on one object by its name, as who has no more than that must be asked', async () => {
    const { way, questions } = faked("a.verb === 'get'");
    expect(await missingRights(rights, way)).toEqual([
      'list nodes cluster-wide',
      'patch deployments.apps in kube-system',
      'patch deployments.apps/scale of coredns in kube-system',
    ]);
    expect(questions()).toEqual([
      {
        ...{ verb: 'patch', group: 'apps', resource: 'deployments', subresource: 'scale' },
        ...{ namespace: 'kube-system', name: 'coredns' },
      },
      { verb: 'patch', group: 'apps', resource: 'deployments', namespace: 'kube-system' },
      { verb: 'get', group: '', resource: 'nodes' },
      { verb: 'list', group: '', resource: 'nodes' },
    ]);
  });

  it("asks as the kubeconfig's own user, unless another is named", async () => {
    const { way, calls } = faked('true');
    expect(await missingRights(rights, way)).toEqual([]);
    expect(await missingRights(rights, way, 'system:serviceaccount:ops:chaos')).toEqual([]);
    expect(calls().map((args) => args.filter((arg) => arg.startsWith('--as')))).toEqual([
      [],
      ['--as=system:serviceaccount:ops:chaos'],
    ]);
    expect(calls()[0]).toContain('--kubeconfig=kubeconfig');
  });

  it('asks many in one call, each once', async () => {
    const { way, calls, questions } = faked('!/7$/.test(a.name)');
    const names = Array.from({ length: 120 }, (_, i) => `n${i}`);
    const many = [{ group: '', resources: ['nodes'], names, verbs: ['get'] }];
    expect(await missingRights(many, way)).toHaveLength(12);
    expect(calls()).toHaveLength(3);
    expect(
      questions()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(names.sort());
  });

  it('starts nothing where there is nothing to ask', async () => {
    const { way, calls } = faked('true');
    expect(await missingRights([], way)).toEqual([]);
    expect(calls()).toEqual([]);
  });

  it('takes what the server could not decide for missing, with what it said', async () => {
    const { way } = faked(`'clusterrole "gone" not found\\n'`);
    expect(await missingRights(rights.slice(1, 2), way)).toEqual([
      'patch deployments.apps in kube-system (it said: clusterrole "gone" not found)',
    ]);
  });

  it.each([
    ['an error after its answers', 'true', "console.error('the server is away'); process.exit(1)", 4],
    ['an answer that says neither', "a.verb === 'list' ? undefined : true", '', 3],
    ['no answer at all', 'process.exit(0)', '', 0],
  ])('does not take %s for a right', async (_what, may, ends, answers) => {
    const { way } = faked(may, ends);
    const asked = missingRights(rights, way);
    await expect(asked).rejects.toThrow(HarnessError);
    await expect(asked).rejects.toThrow(
      `nobody knows what the kubeconfig's user may do: of 4 questions the API server answered ${answers}`,
    );
  });
});
