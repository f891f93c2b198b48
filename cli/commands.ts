import { readFileSync } from 'node:fs';
import yargs from 'yargs';
import { cleanCommand } from './clean.ts';
import { doctorCommand } from './doctor.ts';
import { UsageError } from './exit.ts';
import { type KnownOptions, refuseGivenTwice } from './given-twice.ts';
import { judgeCommand } from './judge.ts';
import { planCommand } from './plan.ts';
import { reportCommand } from './report.ts';
import { rightsCommand } from './rights.ts';
import { runCommand } from './run.ts';
import { downCommand, upCommand } from './up.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Runs one command line; throws what `reportError` (cli/exit.ts) tells the user. */
export async function runCommandLine(args: string[]): Promise<void> {
  await yargs(args)
    .scriptName('faultline')
    .usage(
      '$0 <command>\n\nBreaks a Knative Lambda platform on purpose, and says with evidence whether it held.',
    )
    .command(runCommand)
    .command(planCommand)
    .command(judgeCommand)
    .command(reportCommand)
    .command(upCommand)
    .command(downCommand)
    .command(doctorCommand)
    .command(rightsCommand)
    .command(cleanCommand)
    .option('debug', { type: 'boolean', default: false, describe: 'Show stacks of unexpected errors' })
    .demandCommand(1, 'Which command?')
    .recommendCommands()
    .strict()
    .check((_, options) => {
      // Its types say that these are aliases; they are all that yargs knows of the options.
      refuseGivenTwice(args, options as unknown as KnownOptions);
      return true;
    })
    .version(version)
    .alias('h', 'help')
    .epilogue('Exit codes: 0 pass, 1 fail, 2 unknown, 3 error, 64 refused, 130 interrupted.')
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .exitProcess(false)
    .fail((message: string | null, error: Error | undefined) => {
      // A YError is of yargs itself: of the usage as well.
      throw error === undefined || error.name === 'YError' ? new UsageError(message ?? 'wrong usage') : error;
    })
    .parseAsync();
}
