import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { EvidenceError, HarnessError, RefusedError } from '../base/errors.ts';
import { InterruptedError, reportError, UsageError } from './exit.ts';

let said: string;
beforeEach(() => {
  said = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += text;
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

it('gives each error its exit code', () => {
  const debug = false;
  expect(reportError(new RefusedError([]), { debug })).toBe(64);
  expect(reportError(new UsageError('no'), { debug })).toBe(64);
  expect(reportError(new EvidenceError('no series'), { debug })).toBe(2);
  expect(reportError(new HarnessError('no broker'), { debug })).toBe(3);
  expect(reportError(new InterruptedError('stopped'), { debug })).toBe(130);
  expect(reportError(new TypeError('undefined is not a function'), { debug })).toBe(3);
  expect(reportError('a string', { debug })).toBe(3);
});

it('says all diagnostics of a refusal, one a line', () => {
  const diagnostics = [
    { file: 'a.yaml', line: 3, field: 'spec.load', message: 'unknown field' },
    { file: 'b.yaml', message: 'is not a text file' },
  ];
  reportError(new RefusedError(diagnostics), { debug: true });
  expect(said).toBe('a.yaml:3: spec.load: unknown field\nb.yaml: is not a text file\n');
});

it('shows the stack of an unexpected error, and its cause, only when asked to', () => {
  const error = new Error('outer', { cause: new Error('inner') });
  reportError(error, { debug: false });
  expect(said).not.toContain('exit.test.ts');
  expect(said).toContain('Faultline failed unexpectedly: Error: outer\nNext: ');
  said = '';
  reportError(error, { debug: true });
  expect(said).toContain('exit.test.ts');
  expect(said).toContain('Caused by: Error: inner');
});
