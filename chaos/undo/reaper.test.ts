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

  /** A harness that has left one object on a cluster, and is gone. @param script of kubectl, in the run's directory */
  async function abandoned(script: string) {
    const work = join(root, 'work');
    mkdirSync(work);
    const kubectl = join(work, 'kubectl');
    const kubeconfig = join(work, 'kubeconfig');
    writeFileSync(kubectl, `#!/bin/sh\ncd "$(dirname "$0")" || exit 1\n${script}\n`, { mode: 0o755 });
    writeFileSync(kubeconfig, 'clusters:\n- cluster:\n    server: https://a:6443\n');
    const log = new UndoLog(work);
    const way = { kubectl, kubeconfig };
    log.record('platform', { op: 'delete-object', ...way, object: 'namespace/lab', run: 'ours' });
    log.close();
    const report = join(root, 'reaper.log');
    const before = process.cwd();
    process.chdir(root);
    // As `--out` has it; the reaper is in another directory.
    const reaper = await startReaper(work, run, 'reaper.log').finally(() => process.chdir(before));
    reaper.abandon();
    const attempts = (): { failures: string[]; againInMs?: number }[] =>
      existsSync(report)
        ? readFileSync(report, 'utf8')
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line))
        : [];
    return { work, attempts, lives: () => existsSync(`/proc/${reaper.pid}`) };
  }

  it('tries again while a cluster gives no answer', async () => {
    const { work, attempts } = await abandoned(
      'if [ ! -e tried ]; then touch tried; echo refused >&2; exit 1; fi',
    );
    await expect.poll(attempts, { timeout: 15_000 }).toHaveLength(2);
    expect(attempts()).toMatchObject([
      { failures: [expect.stringMatching(/^platform: .*refused/s)], againInMs: 1000 },
      { failures: [] },
    ]);
    expect(existsSync(work)).toBe(false);
  });

  it('ends when somebody else has undone it meanwhile', async () => {
    const { work, attempts, lives } = await abandoned('exit 1');
    await expect.poll(attempts, { timeout: 10_000 }).toHaveLength(1);
    rmSync(work, { recursive: true });
    await expect.poll(lives, { timeout: 10_000 }).toBe(false);
    expect(attempts().at(-1)).toMatchObject({ failures: [] });
  });

  it('does not wait for what another run has by now', async () => {
    const { attempts, lives } = await abandoned('echo lab/theirs');
    await expect.poll(attempts, { timeout: 10_000 }).toHaveLength(1);
    await expect.poll(lives, { timeout: 5000 }).toBe(false);
    expect(attempts()).toEqual([expect.not.objectContaining({ againInMs: expect.anything() })]);
    expect(attempts()[0]?.failures).toEqual([expect.stringMatching(/another run's now/)]);
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
