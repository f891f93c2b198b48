/** What runs leave on this machine: looked at by tests and by bench/kill.ts. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RUN_MARK } from '../chaos/undo/marked.ts';
import { workRootPath } from '../engine/run-directories.ts';

/** What was here before: of somebody else's run, or of one that was killed together with the machine's last test. */
const before = new Set(everything());

/** What runs since this module was loaded have left: processes, packet filter tables, work directories. */
export function remains(): string[] {
  return everything().filter((thing) => !before.has(thing));
}

function everything(): string[] {
  const left: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const run = readFileSync(`/proc/${pid}/environ`, 'utf8')
        .split('\0')
        .find((pair) => pair.startsWith(`${RUN_MARK}=`));
      if (run !== undefined)
        left.push(
          `process ${pid} of ${run}: ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').slice(0, 80)}`,
        );
    } catch {
      // Gone meanwhile.
    }
  }
  const tables = execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes('faultline'));
  left.push(...tables);
  const work = workRootPath();
  try {
    left.push(...readdirSync(work).map((name) => `directory ${join(work, name)}`));
  } catch {
    // Never made.
  }
  return left;
}
