import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { clusterFacts } from '../targets/kind/doctor.ts';
import { findTools } from '../tools/find.ts';
import { installTools } from '../tools/resolve.ts';
import { doctorCommand } from './doctor.ts';
import { InterruptedError } from './exit.ts';

vi.mock('../targets/kind/doctor.ts');
vi.mock('../tools/find.ts');
vi.mock('../tools/machine-facts.ts', () => ({ machineFacts: async () => [] }));
vi.mock('../tools/resolve.ts');

let said: string;
beforeEach(() => {
  said = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += text;
    return true;
  });
  vi.mocked(findTools).mockImplementation(async (names) =>
    names.map(
      (name) =>
        ({
          name,
          tool: { name, path: `/bin/${name}`, version: '9.0.0', source: 'path' },
          unfit: [],
        }) as never,
    ),
  );
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

const doctor = (options: object) =>
  doctorCommand.handler({
    ...{ json: false, install: false, quiet: false, for: 'run', target: 'kind', _: [], $0: '' },
    ...options,
  } as never);

describe('where all tools are there, and the cluster will not do', () => {
  beforeEach(() => {
    vi.mocked(clusterFacts).mockResolvedValue([{ name: 'cluster', ok: false, value: 'there is none' }]);
  });

  it('says so in JSON', async () => {
    await doctor({ json: true });
    expect([JSON.parse(said).ok, process.exitCode]).toEqual([false, 1]);
  });

  it.each([false, true])('is not quiet, with install %s', async (install) => {
    await doctor({ quiet: true, install });
    expect(said).toContain('! cluster');
    expect(process.exitCode).toBe(1);
  });
});

it('is quiet where all is there', async () => {
  vi.mocked(clusterFacts).mockResolvedValue([{ name: 'cluster', ok: true, value: '3 nodes' }]);
  await doctor({ quiet: true });
  await doctor({ quiet: true, install: true });
  expect([said, process.exitCode]).toEqual(['', undefined]);
});

it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('ends an installation in order on %s', async (signal) => {
  vi.mocked(installTools).mockImplementation(
    (_names, _tell, options) =>
      new Promise((_, fail) => options?.signal?.addEventListener('abort', () => fail(new Error('ended')))),
  );
  const ended = expect(doctor({ install: true })).rejects.toThrow(InterruptedError);
  expect(process.emit(signal)).toBe(true);
  await ended;
  expect(process.listenerCount(signal)).toBe(0);
});
