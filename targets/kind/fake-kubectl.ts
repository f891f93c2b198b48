/** In kubectl's place, for tests: answers access reviews, and keeps what it was asked. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Way } from '../../kind/kubernetes.ts';

/** As a review has them, empty what it leaves out. */
export interface Attributes {
  verb: string;
  group: string;
  resource: string;
  subresource?: string;
  namespace?: string;
  name?: string;
}

export interface FakeKubectl {
  way: Way;
  /** Arguments of each call. */
  calls(): string[][];
  /** In no fixed order between calls. */
  questions(): Attributes[];
  remove(): void;
}

/**
 * @param may an expression over `a`, what is asked for (`Attributes`): `true`, `false`, a text for `false` with an error that says it, or `undefined` for none of these
 * @param ends what the process does after its answers, as JavaScript
 */
export function fakeKubectl(may: string, ends = ''): FakeKubectl {
  const directory = mkdtempSync(join(tmpdir(), 'faultline-kubectl-'));
  const kubectl = join(directory, 'kubectl');
  const log = join(directory, 'asked');
  writeFileSync(
    kubectl,
    `#!${process.execPath}
const { appendFileSync, readFileSync } = require('node:fs');
const args = process.argv.slice(2);
const { items } = JSON.parse(readFileSync(0, 'utf8'));
const asked = items.map(({ spec }) => spec.resourceAttributes);
appendFileSync(${JSON.stringify(log)}, JSON.stringify({ args, asked }) + '\\n');
const says = (may) => (may === undefined ? '' : may === true ? 'true ' : may === false ? 'false ' : 'false ' + may);
for (const a of asked) process.stdout.write('\\n#' + says(${may}));
${ends}
`,
  );
  chmodSync(kubectl, 0o755);
  const lines = (): { args: string[]; asked: Attributes[] }[] =>
    existsSync(log)
      ? readFileSync(log, 'utf8')
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line))
      : [];
  return {
    way: { kubectl, kubeconfig: 'kubeconfig' },
    calls: () => lines().map(({ args }) => args),
    questions: () => lines().flatMap(({ asked }) => asked),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
