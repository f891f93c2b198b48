import { readFileSync } from 'node:fs';

/** After the name, which may have spaces: state, parent, ... Source: proc(5), /proc/PID/stat from field 3 on. */
const fieldsOf = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];

/** When a process was started, ticks after boot (field 22). A pid alone may by now be somebody else's. @throws Error when there is none */
export const startTime = (pid: number): string | undefined => fieldsOf(pid)[19];

/** For a file by which others find whether this process still lives. */
export const thisProcess = (): string => `${process.pid} ${startTime(process.pid)}`;

/** @param written what {@link thisProcess} said; of anything else, nobody lives */
export function processLives(written: string): boolean {
  const [pid, started] = written.split(' ');
  try {
    // One that has ended stays until its parent has asked for its end, which some never do.
    return startTime(Number(pid)) === started && !/[ZX]/.test(fieldsOf(Number(pid))[0] ?? '');
  } catch {
    return false;
  }
}
