import { HarnessError } from '../../base/errors.ts';

/** The plan refuses faults whose driver a target lacks, so a missing one here is our own mistake. */
export function required<T>(driver: T | undefined, name: string): T {
  if (driver === undefined)
    throw new HarnessError(
      `this target lends no driver for ${name}, and the plan did not refuse the fault: please report this`,
    );
  return driver;
}
