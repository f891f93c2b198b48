import { resolve } from 'node:path';
import type { CommandModule } from 'yargs';
import { loadCatalog } from '../engine/catalog.ts';
import { startHost, stopHost } from '../engine/host.ts';
import { InterruptedError } from './exit.ts';
import { checkOptions, type TargetOptions, targetOptions } from './prepare.ts';

export const upCommand: CommandModule<object, TargetOptions> = {
  command: 'up',
  describe: 'Bring the target up and leave it up, to look around; ends with `faultline down`',
  builder: (y) => targetOptions(y) as never,
  async handler(options) {
    const { target, profile, guardrails, timeScale } = checkOptions(options);
    const { catalog, rules } = loadCatalog({
      profile,
      timeScale,
      abilities: await target.abilities(),
      rules: target.rules?.() ?? [],
    });
    const starting = startHost({
      target: target.name,
      profile: resolve(profile.file),
      ...(options.platform === undefined ? {} : { platform: resolve(options.platform) }),
      ...(options.cluster === undefined ? {} : { cluster: resolve(options.cluster) }),
      ...(guardrails.file === undefined ? {} : { guardrails: resolve(guardrails.file) }),
      timeScale,
      defects: options.defect,
      rules,
      scrapeMs: catalog.scrapeMs,
      evaluationMs: catalog.evaluationMs,
    });
    const { endpoints } = await unlessInterrupted(starting);
    for (const [name, url] of Object.entries(endpoints)) process.stdout.write(`${name.padEnd(14)} ${url}\n`);
    process.stdout.write('The target is up. `faultline down` ends it.\n');
  },
};

/** Nobody but `faultline down` ends what comes up: it has a process of its own, which Ctrl-C does not reach. @throws InterruptedError */
async function unlessInterrupted<T>(starting: Promise<T>): Promise<T> {
  const interrupted = Promise.withResolvers<never>();
  const stop = () =>
    interrupted.reject(
      new InterruptedError('Interrupted: the target is still coming up; `faultline down` ends it.'),
    );
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    return await Promise.race([starting, interrupted.promise]);
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

export const downCommand: CommandModule<object, object> = {
  command: 'down',
  describe: 'End the target that `faultline up` left up',
  async handler() {
    process.stdout.write((await stopHost()) ? 'The target is down.\n' : 'No target is up.\n');
  },
};
