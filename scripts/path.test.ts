import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type FakeMachine, fakeMachine } from '../tools/fake-machine.ts';
import { which } from '../tools/machine.ts';
import { wholePath } from './path.ts';

let machine: FakeMachine;
beforeEach(() => {
  machine = fakeMachine();
});
afterEach(() => machine[Symbol.dispose]());

it('has Go where its installer puts it and the system’s programs, which sudo leaves out, after what the user has', async () => {
  const go = join(machine.directory, 'usr/local/go/bin');
  mkdirSync(go, { recursive: true });
  machine.script(join(go, 'go'), 'echo "go version go1.26.1 linux/amd64"');
  machine.script(join(machine.directory, 'usr/sbin/debootstrap'), '');
  const path = await wholePath(machine);
  expect(path.startsWith(`${machine.env.PATH}:`)).toBe(true);
  const whole = { ...machine, env: { PATH: path } };
  expect(which(whole, 'go')).toBe(join(go, 'go'));
  expect(which(whole, 'debootstrap')).toBe(join(machine.directory, 'usr/sbin/debootstrap'));
});

it('says nothing twice, and misses no Go where there is none', async () => {
  const once = await wholePath(machine);
  expect(await wholePath({ ...machine, env: { PATH: once } })).toBe(once);
});
