/** Runs the CLI as a user does, and looks at what a run leaves on the machine. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';
import type { VerdictDocument } from '../evidence/verdict.ts';

export { remains } from './remains.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const SHORT = join(ROOT, 'test/scenarios/short.yaml');

export interface Ended {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  process: ChildProcess;
  ended: Promise<Ended>;
  /** Resolves when the output has a match; rejects when the command ends without one. */
  says(pattern: RegExp): Promise<void>;
}

export function faultline(args: string[], env: Record<string, string> = {}): Running {
  const child = spawn(join(ROOT, 'bin/faultline'), args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let stdout = '';
  let stderr = '';
  const waiting = new Set<() => void>();
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
    for (const look of waiting) look();
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<Ended>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr })),
  );
  return {
    process: child,
    ended,
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!pattern.test(stdout)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
        void ended.then(({ code }) =>
          reject(new Error(`ended with ${code} without saying ${pattern}:\n${stdout}\n${stderr}`)),
        );
      }),
  };
}

/** A directory for bundles that is removed after the test. */
export function bundles(): string {
  const directory = mkdtempSync(join(tmpdir(), 'faultline-test-'));
  temporary.push(directory);
  return directory;
}

const temporary: string[] = [];
afterEach(() => {
  for (const directory of temporary.splice(0)) rmSync(directory, { recursive: true, force: true });
});

export function onlyBundle(directory: string): string {
  const found = readdirSync(directory, { withFileTypes: true }).filter((e) => e.isDirectory());
  if (found.length !== 1)
    throw new Error(
      `expected one bundle in ${directory}, found ${found.map((e) => e.name).join(', ') || 'none'}`,
    );
  return join(directory, found[0]?.name as string);
}

export function verdictOf(bundle: string): VerdictDocument {
  return JSON.parse(readFileSync(join(bundle, 'verdict.json'), 'utf8')) as VerdictDocument;
}
