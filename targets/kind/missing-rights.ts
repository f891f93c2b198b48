/** Asks a cluster which of these rights somebody does not have. */
import { HarnessError } from '../../base/errors.ts';
import type { Right } from '../../chaos/rights.ts';
import type { Way } from '../../kind/kubernetes.ts';
import { exec, lastLines } from '../../tools/exec.ts';

/** Of one call, whose questions go one after another. */
const ANSWERS_WITHIN_MS = 60_000;
/** Each call is a process that connects, and may log in, anew; each question is a round trip. */
const QUESTIONS_A_CALL = 50;
const CALLS_AT_ONCE = 4;
/** Before each answer: what the API server says besides may have lines of its own. */
const MARK = '\n#';

interface Question {
  namespace: string | undefined;
  group: string;
  resource: string;
  object: string | undefined;
  verb: string;
}

export function questionsOf(rights: readonly Right[]): Question[] {
  return rights.flatMap(({ namespace, group, resources, names = [undefined], verbs }) =>
    resources.flatMap((resource) =>
      names.flatMap((object) => verbs.map((verb) => ({ namespace, group, resource, object, verb }))),
    ),
  );
}

/**
 * As `kubectl auth can-i` asks, but many in one call: an access review is an object that can be made and is kept nowhere. Source:
 * Kubernetes' documentation, "Authorization", checking API access.
 * @param user as the API server knows it; absent: the kubeconfig's own
 * @returns each as `patch deployments.apps/scale in knative-lambda`
 * @throws HarnessError when the cluster does not answer all, with kubectl's words
 */
export async function missingRights(
  rights: readonly Right[],
  { kubectl, kubeconfig }: Way,
  user?: string,
): Promise<string[]> {
  const way = [`--kubeconfig=${kubeconfig}`, ...(user === undefined ? [] : [`--as=${user}`])];
  const create = ['create', '--filename=-', '--validate=false'];
  const answer = `--output=jsonpath={${JSON.stringify(MARK)}}{.status.allowed} {.status.evaluationError}`;
  const left = questionsOf(rights);
  const missing: string[] = [];
  const asker = async () => {
    while (left.length > 0) {
      const asked = left.splice(0, QUESTIONS_A_CALL);
      const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: asked.map(reviewOf) });
      const options = { timeoutMs: ANSWERS_WITHIN_MS, input };
      const { code, stdout, output, failure } = await exec(kubectl, [...way, ...create, answer], options);
      const answers = stdout
        .split(MARK)
        .slice(1)
        .map((text) => /^(true|false)\b(.*)/s.exec(text));
      const given = answers.filter((found) => found !== null);
      if (code !== 0 || answers.length !== asked.length || given.length !== asked.length)
        throw new HarnessError(
          `nobody knows what ${user ?? "the kubeconfig's user"} may do: of ${asked.length} questions the API server answered ${given.length} (kubectl: ${failure ?? `exit code ${code}`}):\n${lastLines(output)}`,
        );
      // An error need not keep the server from knowing: a role that is bound and not there gives one, and no rights.
      for (const [i, [, allowed, said = '']] of given.entries())
        if (allowed === 'false')
          missing.push(
            describe(asked[i] as Question) + (said.trim() === '' ? '' : ` (it said: ${said.trim()})`),
          );
    }
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, asker));
  return missing.sort();
}

function reviewOf({ namespace, group, resource, object, verb }: Question): object {
  const [kind, subresource] = resource.split('/');
  const resourceAttributes = { verb, group, resource: kind, subresource, namespace, name: object };
  return {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes },
  };
}

function describe({ namespace, group, resource, object, verb }: Question): string {
  const [kind, subresource] = resource.split('/');
  const name = `${kind}${group === '' ? '' : `.${group}`}${subresource === undefined ? '' : `/${subresource}`}`;
  const which = object === undefined ? '' : ` of ${object}`;
  return `${verb} ${name}${which} ${namespace === undefined ? 'cluster-wide' : `in ${namespace}`}`;
}
