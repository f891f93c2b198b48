import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { thisMachine } from '../tools/machine.ts';
import { findGo } from '../tools/plan-install.ts';

const project = resolve(import.meta.dirname, '..');
const modules = globSync('{kind,tools}/*/go.mod', { cwd: project }).map((file) => dirname(file));

/** The small Go programs have Go tests; this runs them with all others. */
it.each(modules)(
  '%s is formatted, vetted and passes its own tests',
  async (module) => {
    const command = (await findGo(thisMachine()))?.path as string;
    const go = (file: string, ...args: string[]) =>
      execFileSync(file, args, {
        cwd: join(project, module),
        env: { ...process.env, GOFLAGS: '-buildvcs=false', GOWORK: 'off', CGO_ENABLED: '0' },
        encoding: 'utf8',
      });
    expect(go(join(dirname(command), 'gofmt'), '-l', '.')).toBe('');
    go(command, 'vet', './...');
    expect(go(command, 'test', './...')).toMatch(/^ok|no test files/m);
  },
  300_000,
);

it('asks for another number of the records’ output when tools/k6 changes: a k6 that was built before must not be taken for it', () => {
  const files = globSync('tools/k6/{go.mod,**/*.go}', { cwd: project }).filter(
    (f) => !f.endsWith('_test.go'),
  );
  const hash = createHash('sha256');
  for (const file of files.sort()) hash.update(readFileSync(join(project, file)));
  // Raise `Name` in tools/k6/records/output.go, the pin of k6 and engine/load/k6-command.ts, then put the new sum here.
  expect(`records5 ${hash.digest('hex').slice(0, 16)}`).toBe('records5 125e13063d4ee08f');
});

it('finds them', () => {
  expect(modules).toContain('tools/k6');
});
