import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';
import { hideBin } from 'yargs/helpers';
import { reportError } from './exit.ts';
import { outliveReaders, outputWritten } from './output.ts';

// Erasing types and compiling takes longer than judging a small bundle: keep the result between commands.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/faultline/compile', import.meta.url)));

const args = hideBin(process.argv);
const debug = args.includes('--debug');

outliveReaders();

// Not even a bug may end as exit code 1, which means that the platform failed. The reaper undoes what a run has begun.
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error) => process.exit(reportError(error, { debug })));
}

try {
  // Imported here, so that a broken installation is reported, and exits, like any other error.
  const { runCommandLine } = await import('./commands.ts');
  await runCommandLine(args);
} catch (error) {
  process.exitCode = reportError(error, { debug });
}
await outputWritten();
// What a library left open must not keep a finished command from ending.
process.exit(process.exitCode);
