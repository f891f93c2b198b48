import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { exec } from '../tools/exec.ts';
import { fakeMachine } from '../tools/fake-machine.ts';
import { cacheDirectory } from '../tools/machine.ts';

const project = resolve(import.meta.dirname, '..');
const machine = fakeMachine();
const elsewhere = mkdtempSync(join(tmpdir(), 'faultline-cli-'));
afterAll(() => {
  machine[Symbol.dispose]();
  rmSync(elsewhere, { recursive: true });
});

// bin/faultline itself needs these.
for (const name of ['readlink', 'dirname']) symlinkSync(`/usr/bin/${name}`, join(machine.bin, name));

/** Runs the CLI with a PATH on which there is no tool; those in the system's own directories it may find. */
const faultline = (args: string[], bin = join(project, 'bin/faultline')) =>
  exec(bin, args, { env: machine.env, cwd: elsewhere, timeoutMs: 20_000 });

describe('bin/faultline', () => {
  it('runs from anywhere, through links to links', async () => {
    symlinkSync(join(project, 'bin/faultline'), join(elsewhere, 'one'));
    symlinkSync('one', join(elsewhere, 'two'));
    expect(await faultline(['--version'], join(elsewhere, 'two'))).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });

  it.each([
    ['no command', []],
    ['an unknown command', ['brake']],
    ['an unknown option', ['doctor', '--instal']],
    ['a wrong choice', ['doctor', '--for', 'fun']],
    ['an argument too many', ['doctor', 'now']],
  ])('refuses %s with a message and exit 64', async (_, args) => {
    const { code, output } = await faultline(args);
    expect(code).toBe(64);
    expect(output).toMatch(/^faultline: .+/);
    expect(output).not.toContain('    at ');
  });
});

describe('faultline doctor', () => {
  it('exits 1 when something needed is missing, and says what, where from and what to do', async () => {
    machine.script('prometheus', 'echo "prometheus, version 2.42.0+ds (branch: x)"');
    const { code, output } = await faultline(['doctor']);
    expect(code).toBe(1);
    expect(output).toMatch(
      /^ok +prometheus +2\.42\.0 +>= 2\.42 +PATH +\S+\/prometheus +apt-get install prometheus, or its release 2\.54\.1$/m,
    );
    expect(output).toMatch(/^MISSING +k6 +- +>= 1\.8\.1 +- +- +go install -C tools\/k6 \.$/m);
    expect(output).toContain('Next: `faultline doctor --install`');
    expect(output).toMatch(/^(ok|WARNING) +free disk /m);
  });

  it('says the same as JSON', async () => {
    const { code, output } = await faultline(['doctor', '--json']);
    const document = JSON.parse(output);
    expect(code).toBe(1);
    expect(document).toMatchObject({ ok: false, for: 'run' });
    expect(document.tools).toContainEqual(
      expect.objectContaining({
        name: 'k6',
        found: false,
        needed: true,
        required: '>= 1.8.1',
        problem: 'is missing',
      }),
    );
    expect(document.machine.map((fact: { name: string }) => fact.name)).toContain('node');
  });

  it('exits 64 with what to do when something can neither be found nor installed, and leaves nothing', async () => {
    // No Go on this PATH; one in its usual place is too real for a test to let loose.
    if (existsSync('/usr/local/go/bin/go') || existsSync('/usr/lib/go/bin/go'))
      machine.script('go', 'echo "go version go1.19.8 linux/amd64"');
    const { code, output } = await faultline(['doctor', '--install']);
    expect(code).toBe(64);
    expect(output).toMatch(/^k6: is missing; .*install Go 1\.24 or newer/m);
    expect(existsSync(cacheDirectory(machine))).toBe(false);
  });
});
