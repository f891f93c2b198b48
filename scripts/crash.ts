/**
 * Import first, where an exit code is a verdict's: 1 means that the platform broke its promise, and Node ends with it when a script throws
 * what nobody expected. That is an error of the harness: 3.
 */
import { outliveReaders } from '../cli/output.ts';

// Nor does it end where nobody hears it: a terminal that is closed must not keep a cluster from going.
outliveReaders();

for (const event of ['uncaughtException', 'unhandledRejection'] as const)
  process.on(event, (error: unknown) => {
    console.error(error instanceof Error ? (error.stack ?? error.message) : error);
    process.exit(3);
  });
