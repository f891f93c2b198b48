/** Asks a cluster which of the rights that faults need somebody does not have. */
import { HarnessError } from '../../base/errors.ts';
import type { Right } from '../../chaos/rights.ts';
import type { Way } from '../../kind/kubernetes.ts';
import { exec } from '../../tools/exec.ts';

const ANSWER_WITHIN_MS = 20_000;
const AT_ONCE = 4;

/**
 * @param user as the API server knows it
 * @returns each as `patch deployments.apps/scale in knative-lambda`
 * @throws HarnessError when the cluster gives no answer, with kubectl's words
 */
export async function missingRights(
  rights: readonly Right[],
  { kubectl, kubeconfig }: Way,
  user: string,
): Promise<string[]> {
  const way = [`--kubeconfig=${kubeconfig}`, `--as=${user}`];
  const questions = rights.flatMap(({ namespace, group, resources, names = [undefined], verbs }) =>
    resources.flatMap((resource) =>
      names.flatMap((object) => verbs.map((verb) => ({ namespace, group, resource, object, verb }))),
    ),
  );
  const missing: string[] = [];
  const asker = async () => {
    for (let q = questions.shift(); q; q = questions.shift()) {
      const [kind, subresource] = q.resource.split('/') as [string, string | undefined];
      const name = q.group === '' ? kind : `${kind}.${q.group}`;
      const where = q.namespace === undefined ? ['--all-namespaces'] : [`--namespace=${q.namespace}`];
      const sub = subresource === undefined ? [] : [`--subresource=${subresource}`];
      const what = q.object === undefined ? name : `${name}/${q.object}`;
      const asked = ['auth', 'can-i', q.verb, what, ...sub, ...where];
      const { code, stdout, output } = await exec(kubectl, [...way, ...asked], {
        timeoutMs: ANSWER_WITHIN_MS,
      });
      const answer = /^(yes|no)\b/m.exec(stdout)?.[1];
      if (answer === undefined)
        throw new HarnessError(`kubectl ${asked.join(' ')} gave no answer (code ${code}): ${output.trim()}`);
      if (answer === 'no')
        missing.push(
          `${q.verb} ${name}${subresource === undefined ? '' : `/${subresource}`}${q.object === undefined ? '' : ` of ${q.object}`} in ${q.namespace ?? 'all namespaces'}`,
        );
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, asker));
  return missing.sort();
}
