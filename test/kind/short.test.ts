/**
 * The short set on a real cluster: one scenario that must pass, and a defect that it must find. CI decides by time and cache
 * whether there is a cluster to try it on (scripts/kind-budget.ts); FAULTLINE_KIND says what it decided.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundles, faultline, onlyBundle, verdictOf } from '../faultline.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'faultline/kind');

function make(goal: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    const child = spawn('make', ['--no-print-directory', goal], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => {
        said += text;
        process.stdout.write(text);
      });
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`make ${goal} ended with ${code}:\n${said.slice(-2000)}`)),
    );
  });
}

describe.skipIf(process.env.FAULTLINE_KIND !== 'yes')('on a kind cluster', () => {
  const wasThere = existsSync(join(CACHE, 'faultline.kubeconfig'));

  beforeAll(async () => {
    await make('engine');
    await make('cluster');
  }, 70 * 60_000);
  afterAll(async () => {
    if (wasThere) return;
    await make('cluster-down');
    await make('engine-down');
  }, 5 * 60_000);

  const run = async (...options: string[]) => {
    const out = bundles();
    const target = ['--target', 'kind', '--time-scale', '10', '--out', out];
    const { code, stdout } = await faultline(['run', 'kaniko-killed', ...target, ...options]).ended;
    process.stdout.write(stdout);
    return { code, verdict: verdictOf(onlyBundle(out)) };
  };

  it('kaniko-killed passes', { timeout: 12 * 60_000 }, async () => {
    const { code, verdict } = await run();
    expect([code, verdict.verdict, verdict.reasons]).toEqual([0, 'pass', []]);
  });
});
