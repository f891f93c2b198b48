import { defineConfig } from 'vitest/config';

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
