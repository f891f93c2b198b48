import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HarnessError, RefusedError } from '../base/errors.ts';
import { GO_BUILD_FLAGS } from '../tools/go-install.ts';
import { contentKey } from './cache.ts';
import { Engine } from './engine.ts';
import { goCommands } from './go-build.ts';
import { ADD_ONS, type GoSource, PINS, SERVICES } from './pins.ts';
import { areCached, commandsFrom, type Origin, originOf, registryOf } from './published.ts';

const IMAGE = `registry.example/kaniko/executor:v1.23.2@sha256:${'a'.repeat(64)}`;
const SOURCE: GoSource = {
  ...{ module: 'example.com/kaniko', version: '1.23.2', commands: ['example.com/kaniko/cmd/executor'] },
  published: [{ image: IMAGE, files: { executor: '/kaniko/executor' } }],
};
const COMPILED = contentKey('kaniko', goCommands('kaniko', SOURCE).inputs);

/** The head of a static program: 64 bytes, no program headers. Source: elf(5). */
function staticProgram(): Buffer {
  const head = Buffer.alloc(64);
  head.writeUInt32BE(0x7f454c46, 0);
  head[4] = 2;
  return head;
}

let cache: string;
let said: string[];
let calls: string[];
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'faultline-published-'));
  said = [];
  calls = [];
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

/** An engine that has nothing; what it does with a pull and a copy is the test's. The real one: test/kind/published.test.ts. */
function engine(act: { pull?: () => void; copy?: (to: string) => void } = {}): Engine {
  return new (class extends Engine {
    override async hasImage(): Promise<boolean> {
      return false;
    }
    override async docker(args: string[]): Promise<string> {
      calls.push(args[0] as string);
      if (args[0] === 'pull') act.pull?.();
      if (args[0] === 'cp') act.copy?.(args.at(-1) as string);
      return '';
    }
    override async undo(args: string[]): Promise<void> {
      calls.push(args[0] as string);
    }
  })(undefined);
}

const noSuchHost = () => {
  throw new HarnessError(
    'docker pull failed (exit code 1). Its last lines:\nError response from daemon: dial tcp: lookup registry.example: no such host',
  );
};
const from = (origin: Origin, using: Engine) =>
  commandsFrom(origin, { engine: using, tell: (line) => said.push(line), cache });

describe('commands of published images', () => {
  it('are taken out by their digest, once, and leave neither container nor image', async () => {
    const { get, provenance } = from('auto', engine({ copy: (to) => writeFileSync(to, staticProgram()) }));
    const directory = await get('kaniko', SOURCE);
    expect(readFileSync(join(directory, 'executor'))).toEqual(staticProgram());
    expect(calls).toEqual(['pull', 'rm', 'create', 'cp', 'rm', 'rmi']);
    expect(provenance).toEqual({ kaniko: `taken from ${IMAGE}` });
    expect(await get('kaniko', SOURCE)).toBe(directory);
    expect(calls).toHaveLength(6);
    expect(areCached('kaniko', SOURCE, cache)).toBe(true);
  });

  it('are built where they can not be pulled, and it is said why', async () => {
    // As if somebody else built it meanwhile: what is tested is the choice, not the compiler.
    const pull = () => {
      mkdirSync(join(cache, COMPILED), { recursive: true });
      noSuchHost();
    };
    const { get, provenance } = from('auto', engine({ pull }));
    expect(await get('kaniko', SOURCE)).toBe(join(cache, COMPILED));
    expect(provenance.kaniko).toMatch(/^built from example[.]com\/kaniko@v1[.]23[.]2 \(.*no such host\)$/);
    expect(said).toContainEqual(
      expect.stringMatching(/^source {3}kaniko: .* can not be pulled: .*no such host$/),
    );
  });

  it('are not asked for again of a registry that can not be reached', async () => {
    const { get } = from('published', engine({ pull: noSuchHost }));
    await expect(get('kaniko', SOURCE)).rejects.toThrow(/no such host/);
    await expect(get('other', { ...SOURCE, module: 'example.com/other' })).rejects.toThrow(/no such host/);
    expect(calls).toEqual(['pull']);
  });

  it('are not asked for where the built ones are there already', async () => {
    mkdirSync(join(cache, COMPILED));
    const { get, provenance } = from('auto', engine({ pull: noSuchHost }));
    expect(await get('kaniko', SOURCE)).toBe(join(cache, COMPILED));
    expect(calls).toEqual([]);
    expect(provenance).toEqual({ kaniko: 'built from example.com/kaniko@v1.23.2' });
  });

  it('are asked for of a registry that lacks one of them', async () => {
    const lacks = () => {
      throw new HarnessError('docker pull failed. Its last lines:\nmanifest unknown');
    };
    const { get } = from('published', engine({ pull: lacks }));
    await expect(get('kaniko', SOURCE)).rejects.toThrow(/manifest unknown/);
    await expect(get('other', { ...SOURCE, module: 'example.com/other' })).rejects.toThrow(
      /manifest unknown/,
    );
    expect(calls).toEqual(['pull', 'pull']);
  });

  it('end the set-up where nothing else was wanted, with the words of the engine and the way out', async () => {
    mkdirSync(join(cache, COMPILED));
    const { get } = from('published', engine({ pull: noSuchHost }));
    await expect(get('kaniko', SOURCE)).rejects.toThrow(/no such host\n.*IMAGES=source builds it/);
  });

  it('are not taken when they would not start: linked dynamically, or no program at all', async () => {
    const bad: [(to: string) => void, RegExp][] = [
      [(to) => copyFileSync(process.execPath, to), /is linked dynamically/],
      [(to) => writeFileSync(to, '#!/bin/sh\n'.repeat(20)), /is no 64-bit program/],
      [(to) => writeFileSync(to, ''), /is no 64-bit program/],
    ];
    for (const [copy, why] of bad) {
      const { get } = from('published', engine({ copy }));
      await expect(get('kaniko', SOURCE)).rejects.toThrow(why);
      expect(existsSync(join(cache, `kaniko-published`))).toBe(false);
      expect(areCached('kaniko', SOURCE, cache)).toBe(false);
      expect(calls.slice(-2)).toEqual(['rm', 'rmi']);
    }
  });

  it('change nothing of what is built when their pin is another', () => {
    const { published: _, ...plain } = SOURCE;
    expect(goCommands('kaniko', plain).inputs).toEqual(goCommands('kaniko', SOURCE).inputs);
  });

  it('are others when the compiler is told otherwise: a cache and an engine of two times would have one key for two binaries', () => {
    expect(goCommands('kaniko', SOURCE).inputs).toContainEqual(GO_BUILD_FLAGS);
  });
});

const PINNED = Object.entries({ ...PINS, ...ADD_ONS, ...SERVICES } as Record<string, GoSource>).filter(
  ([, { published }]) => published !== undefined,
);

it.each(PINNED)(
  'of %s all commands are published, by their digests, under the names that the build gives them',
  (_, source) => {
    // Go names a program after the last part of its path that is no version.
    const built = source.commands.map((path) => basename(path.replace(/\/v\d+$/, '')));
    const names = built.map((name) => source.rename?.[name] ?? name);
    expect((source.published ?? []).flatMap(({ files }) => Object.keys(files)).sort()).toEqual(names.sort());
    for (const { image } of source.published ?? [])
      expect(image).toMatch(/^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$/);
  },
);

it('takes a static program for one', async () => {
  // A real one: what Go links without cgo.
  writeFileSync(join(cache, 'main.go'), 'package main\nfunc main() {}\n');
  const binary = join(cache, 'program');
  execFileSync('go', ['build', '-o', binary, 'main.go'], {
    cwd: cache,
    env: { ...process.env, CGO_ENABLED: '0', GO111MODULE: 'off' },
  });
  const { get } = from('published', engine({ copy: (to) => copyFileSync(binary, to) }));
  expect(existsSync(join(await get('kaniko', SOURCE), 'executor'))).toBe(true);
});

it.each([
  ['registry.k8s.io/kube-apiserver:v1@sha256:00', 'registry.k8s.io'],
  ['traefik:v3.6.7', 'docker.io'],
  ['versity/versitygw:v1', 'docker.io'],
  ['localhost:5000/a/b', 'localhost:5000'],
])('the registry of %s is %s', (image, registry) => expect(registryOf(image)).toBe(registry));

it('refuses an origin that there is not', () => {
  expect(originOf(undefined)).toBe('auto');
  expect(originOf('')).toBe('auto');
  expect(() => originOf('pull')).toThrow(RefusedError);
  expect(() => originOf('pull')).toThrow('IMAGES: "pull": expected auto, published, source');
});
