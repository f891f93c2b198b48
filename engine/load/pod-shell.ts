/** One script in a pod, to its end. */
import type { Readable } from 'node:stream';
import { HarnessError } from '../../base/errors.ts';
import type { LoadPod } from '../../targets/target.ts';

const WITHIN_MS = 120_000;

/** @returns what it printed @throws HarnessError with what it said, when it does not end well and in time */
export function inPod(pod: LoadPod, script: string, input?: Readable, withinMs = WITHIN_MS): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = pod.bash(script);
    let out = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), withinMs);
    // A pod that goes away while it is written to: its end says so.
    child.stdin.on('error', () => {});
    if (input) input.pipe(child.stdin);
    else child.stdin.end();
    const failed = (why: string) => {
      clearTimeout(timer);
      reject(
        new HarnessError(
          `in pod ${pod.name}: ${[why, errors.trim(), out.trim().slice(-800)].filter(Boolean).join(': ')}`,
        ),
      );
    };
    child.once('error', (error) => failed(error.message));
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(out);
      else failed(signal ? `no end within ${withinMs / 1000} s` : `exit code ${code}`);
    });
  });
}

export const quoteShell = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
