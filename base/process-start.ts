import { readFileSync } from 'node:fs';

/** After the name, which may have spaces: state, parent, ... Source: proc(5), /proc/PID/stat from field 3 on. */
const fieldsOf = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];

/** When a process was started, ticks after boot (field 22). A pid alone may by now be somebody else's. @throws Error when there is none */
const startTime = (pid: number): string | undefined => fieldsOf(pid)[19];

/** A kernel that tells none has no other. */
const NO_BOOT = '-';

/**
 * Anew at each boot: what starts by itself then may well have the pid and the tick of what was there before. Of a container, its host's.
 * Source: random(4), /proc/sys/kernel/random/boot_id.
 */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return NO_BOOT;
  }
}

/** For a file by which others find whether a process still lives, also after a reboot. @throws Error when there is none */
export const markOf = (pid: number): string => `${pid} ${startTime(pid)} ${bootId()}`;

export const thisProcess = (): string => markOf(process.pid);

/** @param written what {@link markOf} said; of anything else, nobody lives */
export function processLives(written: string): boolean {
  const [pid, started, boot] = written.split(' ');
  try {
    // One that has ended stays until its parent has asked for its end, which some never do.
    return (
      boot === bootId() && startTime(Number(pid)) === started && !/[ZX]/.test(fieldsOf(Number(pid))[0] ?? '')
    );
  } catch {
    return false;
  }
}
