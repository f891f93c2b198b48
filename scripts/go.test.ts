import { execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';
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
        env: { ...process.env, GOFLAGS: '', CGO_ENABLED: '0' },
        encoding: 'utf8',
      });
    expect(go(join(dirname(command), 'gofmt'), '-l', '.')).toBe('');
    go(command, 'vet', './...');
    expect(go(command, 'test', './...')).toMatch(/^ok|no test files/m);
  },
  300_000,
);

it('finds them', () => {
  expect(modules).toContain('tools/k6');
});
