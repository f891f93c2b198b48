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

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BOUND_MS = 5000;
/** A short run lasts about this long from start to end, seconds. */
const RUN_S = 28;
const kills = Number(process.argv[2] ?? 20);
let seed = Number(process.argv[3] ?? 1);

/** Lehmer's generator: the same instants again with the same seed. */
const random = () => {
  seed = (seed * 48271) % 2147483647;
  return seed / 2147483647;
};

const out = mkdtempSync(join(tmpdir(), 'faultline-bench-kill-'));
const times: number[] = [];
for (let i = 0; i < kills; i++) {
  const after = random() * RUN_S;
  const child = spawn(
    join(ROOT, 'bin/faultline'),
    ['run', join(ROOT, 'test/scenarios/short.yaml'), '--out', out],
    { stdio: 'ignore', detached: true },
  );
  const exited = new Promise((resolve) => child.once('exit', resolve));
  await new Promise((resolve) => setTimeout(resolve, after * 1000));
  const most = remains().length;
  const at = performance.now();
  child.kill('SIGKILL');
  await exited;
  let left = remains();
  while (left.length > 0 && performance.now() - at < 30_000) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    left = remains();
  }
  const ms = performance.now() - at;
  times.push(ms);
  console.log(
    `kill ${i + 1} after ${after.toFixed(1)} s: ${most} things there, ${left.length === 0 ? `all gone after ${(ms / 1000).toFixed(2)} s` : `STILL THERE: ${left.join('; ')}`}`,
  );
}
rmSync(out, { recursive: true, force: true });
times.sort((a, b) => a - b);
const worst = times.at(-1) ?? 0;
console.log(
  `${kills} kills: median ${((times[Math.floor(kills / 2)] ?? 0) / 1000).toFixed(2)} s, worst ${(worst / 1000).toFixed(2)} s, bound ${BOUND_MS / 1000} s: ${worst <= BOUND_MS ? 'held' : 'NOT HELD'}`,
);
process.exitCode = worst <= BOUND_MS ? 0 : 1;
