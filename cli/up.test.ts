import { afterEach, expect, it, vi } from 'vitest';
import { startHost } from '../engine/host.ts';
import { reportError } from './exit.ts';
import { upCommand } from './up.ts';

vi.mock('../engine/host.ts');

afterEach(() => vi.restoreAllMocks());

it.each(['SIGINT', 'SIGTERM'] as const)('says on %s that the target is still coming up', async (signal) => {
  let said = '';
  const asked = Promise.withResolvers<void>();
  vi.mocked(startHost).mockImplementation(() => {
    asked.resolve();
    return new Promise(() => {});
  });
  const up = upCommand.handler({
    ...{ target: 'local', profile: 'reference', defect: [], _: [], $0: '' },
  } as never);
  const ended = Promise.resolve(up).then(
    () => expect.unreachable('it came up'),
    (error: unknown) => error,
  );
  await asked.promise;
  expect(process.emit(signal)).toBe(true);
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += text;
    return true;
  });
  expect(reportError(await ended, { debug: false })).toBe(130);
  expect(said).toBe('Interrupted: the target is still coming up; `faultline down` ends it.\n');
  expect(process.listenerCount(signal)).toBe(0);
});
