import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { markOf } from '../base/process-start.ts';
import { UndoLog } from '../chaos/undo/log.ts';
import { hostDirectory, stopHost } from './host.ts';
import { makeWorkDirectory } from './run-directories.ts';

let shared: string;
let owner: ChildProcess | undefined;
const before = process.env.XDG_STATE_HOME;
beforeEach(() => {
  shared = mkdtempSync(join(tmpdir(), 'faultline-host-'));
  process.env.XDG_STATE_HOME = shared;
});
afterEach(() => {
  owner?.kill('SIGKILL');
  if (before === undefined) delete process.env.XDG_STATE_HOME;
  else process.env.XDG_STATE_HOME = before;
  rmSync(shared, { recursive: true, force: true });
});

/** A host that has not said yet that it is up. @param onTerm what it does when it is asked to end @returns `ended`: with its exit code or signal */
async function comingUp(onTerm: string): Promise<{ ended: Promise<unknown> }> {
  const script = `process.on('SIGTERM', () => { ${onTerm} }); setInterval(() => {}, 1000); process.stdout.write('.');`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  owner = child;
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  makeWorkDirectory(hostDirectory(), markOf(child.pid as number));
  return { ended };
}

describe('the end of a target that is still coming up', () => {
  it('is waited for before anything is undone: until then it makes more', async () => {
    const late = join(shared, 'made-late');
    const { ended } = await comingUp(
      `setTimeout(() => { require('node:fs').mkdirSync(${JSON.stringify(late)}); process.exit(7); }, 600);`,
    );
    const undo = new UndoLog(hostDirectory());
    undo.record('make something', { op: 'remove-directory', path: late });
    undo.close();
    expect(await stopHost()).toBe(true);
    expect(await ended).toBe(7);
    expect([existsSync(late), existsSync(hostDirectory())]).toEqual([false, false]);
    expect(await stopHost()).toBe(false);
  });

  it('is forced when it does not come', async () => {
    const { ended } = await comingUp('');
    expect(await stopHost(300)).toBe(true);
    expect(await ended).toBe('SIGKILL');
    expect(existsSync(hostDirectory())).toBe(false);
  });
});
