import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const HANDLER = JSON.stringify(join(import.meta.dirname, 'crash.ts'));

/** Of a script that imports it first. */
function exitOf(body: string): [number | null, string] {
  const script = `import ${HANDLER};\n${body}`;
  const args = ['--input-type=module', '--eval', script];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 20_000 });
  return [status, stderr];
}

it.each([
  ['thrown', "throw new TypeError('what nobody expected');"],
  ['rejected', "void Promise.reject(new TypeError('what nobody expected')); setTimeout(() => {}, 5000);"],
  ['thrown later', "setTimeout(() => { throw new TypeError('what nobody expected'); }, 10);"],
  ['awaited', "await Promise.reject(new TypeError('what nobody expected'));"],
])('what is %s ends with 3, not with the 1 of a platform that failed', (_, body) => {
  expect(exitOf(body)).toEqual([3, expect.stringContaining('TypeError: what nobody expected')]);
});

it('goes on where nobody hears it any more', () => {
  const body = "setInterval(() => process.stdout.write('x'), 20); setTimeout(() => process.exit(7), 1000);";
  const script = `import ${HANDLER};\n${body}`;
  const { status, stderr } = spawnSync(
    'bash',
    ['-c', '"$0" --input-type=module --eval "$1" | true; exit $PIPESTATUS', process.execPath, script],
    { encoding: 'utf8', timeout: 20_000 },
  );
  expect([status, stderr]).toEqual([7, '']);
});
