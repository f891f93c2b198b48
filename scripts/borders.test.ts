import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exec } from '../tools/exec.ts';
import { checkBorders } from './rooms.ts';

let project: string;
beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'faultline-borders-'));
  write('base/DEPS.list', '# nothing\n');
  write('slo/DEPS.list', 'base # the ground floor\n');
  write('chaos/DEPS.list', 'base\n');
  write('base/a.ts', 'export const a = 1;\nexport type A = number;\n');
  write('chaos/b.ts', "import { a } from '../base/a.ts';\nexport const b = a;\nexport type B = number;\n");
});
afterEach(() => rmSync(project, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(join(project, dirname(path)), { recursive: true });
  writeFileSync(join(project, path), text);
}

describe('borders', () => {
  it('lets a room import itself, what its list allows, and packages', () => {
    write(
      'slo/c.ts',
      "import { a } from '../base/a.ts';\nimport './d.ts';\nimport 'node:fs';\nimport 'zod';\nexport { a };\n",
    );
    write('slo/d.ts', 'export {};\n');
    expect(checkBorders(project)).toEqual({ files: 4, violations: [] });
  });

  it.each([
    ['a static import', "import { b } from '../chaos/b.ts';\nb;"],
    ['an import for its effect', "import '../chaos/b.ts';"],
    ['a type import', "import type { B } from '../chaos/b.ts';\nexport type C = B;"],
    ['an inline type import', "import { type B } from '../chaos/b.ts';\nexport type C = B;"],
    ['an import type', "export type C = import('../chaos/b.ts').B;"],
    ['a re-export', "export { b } from '../chaos/b.ts';"],
    ['a re-export of types', "export type { B } from '../chaos/b.ts';"],
    ['a re-export of everything', "export * from '../chaos/b.ts';"],
    ['a dynamic import', "export const c = async () => (await import('../chaos/b.ts')).b;"],
    ['a dynamic import of a template', 'export const c = () => import(`../chaos/b.ts`);'],
    ['a require', "declare const require: (x: string) => unknown;export const c = require('../chaos/b.ts');"],
    ['an import assignment', "import b = require('../chaos/b.ts');\nexport { b };"],
    ['a path that takes a detour', "import '../slo/../base/../chaos/b.ts';"],
  ])('finds %s', (_, text) => {
    write('slo/c.ts', `// a comment\n\n${text}\n`);
    expect(checkBorders(project).violations).toEqual([
      expect.objectContaining({
        file: 'slo/c.ts',
        line: 3,
        message: expect.stringContaining('slo -> chaos is not in slo/DEPS.list'),
      }),
    ]);
  });

  it('is not misled by comments and strings', () => {
    write('slo/c.ts', `// import '../chaos/b.ts';\nexport const text = "import '../chaos/b.ts'";\n`);
    expect(checkBorders(project).violations).toEqual([]);
  });

  it('finds a room without a list, a list with an unknown room, a way out, and a file that does not parse', () => {
    write('attic/e.ts', 'export {};\n');
    write('slo/DEPS.list', 'base\ncellar\n');
    write('slo/f.ts', "import '../../elsewhere.ts';\n");
    write('slo/g.ts', 'const = ;\n');
    const found = checkBorders(project).violations.map(
      ({ file, line, message }) => `${file}:${line}: ${message}`,
    );
    expect(found).toEqual([
      "slo/DEPS.list:2: there is no room 'cellar'",
      'attic/e.ts:1: attic/ has no DEPS.list: write down what it may import',
      "slo/f.ts:1: leaves the project (import of '../../elsewhere.ts')",
      expect.stringMatching(/^slo\/g\.ts:1: cannot be parsed: /),
    ]);
  });

  it('exits 1 and names file, line and rooms when there is a violation, else 0', async () => {
    const run = () =>
      exec(process.execPath, [join(import.meta.dirname, 'borders.ts'), project], { timeoutMs: 20_000 });
    expect(await run()).toMatchObject({ code: 0, output: 'borders: 2 files, 0 violations\n' });
    write('base/h.ts', "import '../chaos/b.ts';\n");
    const { code, output } = await run();
    expect(code).toBe(1);
    expect(output).toContain('base/h.ts:1: base -> chaos');
  });
});
