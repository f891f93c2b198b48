/**
 * SIGKILL of the harness at random instants of a run: how long until nothing of the run is left (processes, packet
 * filter tables, directories). Bound: 5 s. Usage: node bench/kill.ts [kills] [seed]
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { remains } from '../test/remains.ts';
import { judgeKills, type Kill, killsOf } from './kills/kills.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BOUND_MS = 5000;
/** A short run lasts about this long from start to end, seconds. */
const RUN_S = 28;
const GIVE_UP_MS = 30_000;
/** How a run ends that was none: refused, or failed itself. */
const NO_RUN = [64, 3];

const { kills, random } = killsOf(process.argv.slice(2), 20);

const out = mkdtempSync(join(tmpdir(), 'faultline-bench-kill-'));
const done: Kill[] = [];
for (let i = 0; i < kills; i++) {
  const after = random() * RUN_S;
  const child = spawn(
    join(ROOT, 'bin/faultline'),
    ['run', join(ROOT, 'test/scenarios/short.yaml'), '--out', out],
    { stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4000);
    });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  await new Promise((resolve) => setTimeout(resolve, after * 1000));
  if (child.exitCode !== null && NO_RUN.includes(child.exitCode))
    throw new Error(`the run ended with ${child.exitCode} before it was killed:\n${said}`);
  const there = remains().length;
  const at = performance.now();
  child.kill('SIGKILL');
  await exited;
  let left = remains();
  while (left.length > 0 && performance.now() - at < GIVE_UP_MS) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    left = remains();
  }
  const ms = performance.now() - at;
  done.push({ there, ms });
  console.log(
    `kill ${i + 1} after ${after.toFixed(1)} s: ${there} things there, ${left.length === 0 ? `all gone after ${(ms / 1000).toFixed(2)} s` : `STILL THERE: ${left.join('; ')}`}`,
  );
}
rmSync(out, { recursive: true, force: true });
const { held, said } = judgeKills(done, BOUND_MS);
console.log(said);
process.exitCode = held ? 0 : 1;
