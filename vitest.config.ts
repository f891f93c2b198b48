import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { cacheDirectory, goBinDirectories, thisMachine } from './tools/machine.ts';

/** With the tools that `make setup` built: platform/ knows the harness's cache as little as the harness, and finds its object store on PATH. */
function pathWithTools(): string {
  const machine = thisMachine();
  const cache = cacheDirectory(machine);
  const built = existsSync(cache) ? readdirSync(cache).map((name) => join(cache, name)) : [];
  return [process.env.PATH, ...built, ...goBinDirectories(machine)].join(delimiter);
}

const exclude = ['**/node_modules/**', 'reports/runs/**'];

/** Three projects: `unit` beside the code; `blackbox`, which runs the CLI with real services, one file at a time; `kind`, the same on a cluster. */
export default defineConfig({
  test: {
    pool: 'forks',
    reporters: ['default', 'json'],
    // scripts/test.ts counts from this; without it, a run leaves its report where git does not look.
    outputFile: { json: 'node_modules/.cache/faultline/vitest.json' },
    projects: [
      {
        test: {
          name: 'unit',
          env: { PATH: pathWithTools() },
          include: ['*/**/*.test.ts'],
          exclude: [...exclude, 'test/**'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'blackbox',
          include: ['test/**/*.test.ts'],
          exclude: [...exclude, 'test/kind/**'],
          fileParallelism: false,
          testTimeout: 10 * 60_000,
          hookTimeout: 5 * 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'kind',
          include: ['test/kind/**/*.test.ts'],
          exclude,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
