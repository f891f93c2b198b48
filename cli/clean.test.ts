import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RefusedError } from '../base/errors.ts';
import { thisProcess } from '../base/process-start.ts';
import { UndoLog } from '../chaos/undo/log.ts';
import { cleanCommand } from './clean.ts';

let state: string;
let victim: string;
let output: string;
const before = process.env.XDG_STATE_HOME;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'faultline-clean-'));
  process.env.XDG_STATE_HOME = state;
  victim = join(state, 'victim');
  mkdirSync(victim);
  output = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    output += text;
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  if (before === undefined) delete process.env.XDG_STATE_HOME;
  else process.env.XDG_STATE_HOME = before;
  rmSync(state, { recursive: true, force: true });
});

/** @returns what it said */
async function clean(host?: string): Promise<string> {
  output = '';
  const named = host === undefined ? {} : { host };
  await cleanCommand.handler({ ...named, dryRun: false, _: [], $0: '' });
  return output;
}

/** A run that a power cut has ended: nobody came to undo it. @returns its work directory */
function left(host: string, owner: string): string {
  const work = join(state, 'faultline', host, 'run');
  mkdirSync(work, { recursive: true, mode: 0o700 });
  writeFileSync(join(work, 'owner'), owner);
  const log = new UndoLog(work);
  log.record('make the work directory', { op: 'remove-directory', path: work });
  log.record('break', { op: 'remove-directory', path: victim });
  log.close();
  return work;
}

const [pid, started] = thisProcess().split(' ');
const BEFORE = '00000000-0000-0000-0000-000000000000';

it('undoes after a reboot what a run had done before it, though another process has its pid', async () => {
  const work = left(hostname(), `${pid} ${started} ${BEFORE}`);
  expect(await clean()).toMatch(new RegExp(`  remove ${victim}\\n.*Cleaned up after 1 run`, 's'));
  expect([existsSync(victim), existsSync(work)]).toEqual([false, false]);
});

it('leaves alone who lives', async () => {
  left(hostname(), thisProcess());
  expect(await clean()).toMatch(/Nothing was left behind/);
  expect(existsSync(victim)).toBe(true);
});

it('leaves alone what another machine has in the same home directory, until it is told that that is gone', async () => {
  left('elsewhere', `${pid} ${started} ${BEFORE}`);
  expect(await clean()).toMatch(/Not looked at: runs of elsewhere.*--host elsewhere/);
  await expect(clean('nobody')).rejects.toThrow(RefusedError);
  await expect(clean('nobody')).rejects.toThrow(/--host: .*expected one of elsewhere/);
  expect(existsSync(victim)).toBe(true);
  expect(await clean('elsewhere')).toMatch(/Cleaned up after 1 run/);
  expect(existsSync(victim)).toBe(false);
});

it('is refused where nothing lasts', async () => {
  writeFileSync(join(state, 'faultline'), '');
  await expect(clean()).rejects.toThrow(/no directory.*XDG_STATE_HOME/);
});
