import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UNDO_LOG, UndoLog } from './log.ts';
import { killMarked, markedProcesses, RUN_MARK } from './marked.ts';
import { startReaper } from './reaper.ts';

let root: string;
const run = `reaper-test-${process.pid}`;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'faultline-reaper-'));
});
afterEach(async () => {
  await killMarked(run);
  rmSync(root, { recursive: true, force: true });
});

describe('the reaper', () => {
  it('undoes everything when the harness is killed with SIGKILL', async () => {
    const work = join(root, 'work');
    const report = join(root, 'reaper.log');
    mkdirSync(work);
    const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
    const harness = spawn(
      process.execPath,
      [
        '--input-type=module-typescript',
        '-e',
        `import { spawn } from 'node:child_process';
         import { UndoLog } from ${JSON.stringify(here('./log.ts'))};
         import { startReaper } from ${JSON.stringify(here('./reaper.ts'))};
         const log = new UndoLog(${JSON.stringify(work)});
         log.record('directory', { op: 'remove-directory', path: ${JSON.stringify(work)} });
         log.record('processes', { op: 'kill-marked', run: ${JSON.stringify(run)} });
         await startReaper(${JSON.stringify(work)}, ${JSON.stringify(run)}, ${JSON.stringify(report)});
         spawn('sleep', ['300'], { detached: true, stdio: 'ignore', env: { PATH: process.env.PATH, ${RUN_MARK}: ${JSON.stringify(run)} } });
         process.stdout.write('up\\n');
         setInterval(() => {}, 1000);`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await new Promise((resolve) => harness.stdout.once('data', resolve));
    expect(markedProcesses(run)).toHaveLength(1);
    harness.kill('SIGKILL');
    await expect.poll(() => existsSync(report), { timeout: 10_000 }).toBe(true);
    expect(markedProcesses(run)).toEqual([]);
    expect(existsSync(work)).toBe(false);
    expect(JSON.parse(readFileSync(report, 'utf8'))).toMatchObject({ reaped: true, failures: [] });
  });

  it.each([
    ['had not written its log yet', () => {}],
    ['had removed its log already', () => rmSync(join(root, 'work', UNDO_LOG))],
  ])('finds the directory and the processes of a harness that %s', async (_what, lose) => {
    const work = join(root, 'work');
    const report = join(root, 'reaper.log');
    const reaper = await startReaper(work, run, report);
    mkdirSync(work);
    writeFileSync(join(work, UNDO_LOG), '');
    lose();
    const left = spawn('sleep', ['300'], {
      stdio: 'ignore',
      env: { PATH: process.env.PATH, [RUN_MARK]: run },
    });
    reaper.abandon();
    await expect.poll(() => existsSync(report), { timeout: 10_000 }).toBe(true);
    await expect.poll(() => left.signalCode).toBe('SIGKILL');
    expect(existsSync(work)).toBe(false);
  });

  it('ends without acting when it is released', async () => {
    const kept = join(root, 'kept');
    mkdirSync(kept);
    const log = new UndoLog(root);
    log.record('directory', { op: 'remove-directory', path: kept });
    const reaper = await startReaper(root, run, join(root, 'reaper.log'));
    await reaper.release();
    expect(existsSync(kept)).toBe(true);
    expect(() => process.kill(reaper.pid, 0)).toThrow();
    log.close();
  });
});
