/**
 * The short set on a real cluster: one scenario that must pass, and a defect that it must find. CI decides by time and cache
 * whether there is a cluster to try it on (scripts/kind-budget.ts); FAULTLINE_KIND says what it decided.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bundle } from '../../evidence/bundle.ts';
import { contentKey } from '../../kind/cache.ts';
import { clusterStands } from '../../kind/cluster.ts';
import { Engine, findEngine } from '../../kind/engine.ts';
import { goCommands } from '../../kind/go-build.ts';
import { ADD_ONS, PINS, SERVICES } from '../../kind/pins.ts';
import { commandsFrom } from '../../kind/published.ts';
import { readClusterState } from '../../kind/state.ts';
import { optionsOf, PACES } from '../../scripts/pace.ts';
import { bundles, faultline, onlyBundle, verdictOf } from '../faultline.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'faultline/kind');

function make(goal: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    const child = spawn('make', ['--no-print-directory', goal], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => {
        said += text;
        process.stdout.write(text);
      });
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`make ${goal} ended with ${code}:\n${said.slice(-2000)}`)),
    );
  });
}

/** Passwords, cookies and keys that the run made; the access key's name is no secret. */
function secretsOfThePlatform(): string[] {
  const { kubectl } = JSON.parse(readFileSync(join(CACHE, 'faultline.json'), 'utf8')) as { kubectl: string };
  const access = `--kubeconfig=${join(CACHE, 'faultline.kubeconfig')}`;
  const args = ['--namespace=knative-lambda', 'get', 'secrets', '--output=json'];
  const { items } = JSON.parse(execFileSync(kubectl, [access, ...args], { encoding: 'utf8' })) as {
    items: { data: Record<string, string> }[];
  };
  return items
    .flatMap(({ data }) => Object.entries(data ?? {}))
    .filter(([key]) => ['password', 'cookie', 'secret', 'url'].includes(key))
    .map(([, value]) => Buffer.from(value, 'base64').toString());
}

describe.skipIf(process.env.FAULTLINE_KIND !== 'yes')('on a kind cluster', () => {
  let wasThere = false;

  beforeAll(async () => {
    wasThere = await findEngine().then(clusterStands, () => false);
    await make('engine');
    await make('cluster');
  }, 70 * 60_000);
  afterAll(async () => {
    if (wasThere) return;
    await make('cluster-down');
    await make('engine-down');
  }, 5 * 60_000);

  it('kaniko-killed passes, and no secret of the platform is in its bundle', {
    timeout: 12 * 60_000,
  }, async () => {
    const out = bundles();
    const run = faultline(['run', 'kaniko-killed', '--target', 'kind', '--time-scale', '10', '--out', out]);
    await run.says(/timeline starts/);
    const secrets = secretsOfThePlatform();
    const { code, stdout } = await run.ended;
    process.stdout.write(stdout);
    const bundle = onlyBundle(out);
    const verdict = verdictOf(bundle);
    expect([code, verdict.verdict, verdict.reasons]).toEqual([0, 'pass', []]);
    expect(secrets.length).toBeGreaterThan(3);
    const files = readdirSync(bundle, { recursive: true, withFileTypes: true }).filter((e) => e.isFile());
    for (const { name, parentPath } of files) {
      const text = readFileSync(join(parentPath, name), 'latin1');
      expect([name, secrets.filter((secret) => text.includes(secret))]).toEqual([name, []]);
    }
    const { entries } = await Bundle.open(bundle).journal();
    const images = entries.filter((entry) => entry.type === 'image.ran');
    expect(images.map(({ component }) => component)).toEqual(
      expect.arrayContaining(['receiver', 'builder', 'gateway', 'operator', 'rabbitmq', 'build']),
    );
    for (const { id } of images) expect(id).toMatch(/sha256:[0-9a-f]{64}$/);
    // Whom the fault killed took its log along, and the cluster has forgotten the pod.
    const log = (name: string) => readFileSync(join(bundle, 'logs', name), 'utf8');
    const [, killed] = / (\S+) .*kaniko Error, code 137/.exec(log('pods.txt')) ?? [];
    expect(log('builds.log')).toContain(`[${killed}/kaniko]`);
    expect(log('events.txt')).toMatch(/^\S+Z Normal pod\/knative-lambda\/\S+ Started: /m);
  });

  it('takes a command out of an image of a registry by its digest, and leaves the engine as it was', async () => {
    const { engine, registry, images } = readClusterState();
    const [, name, tag] = /\/([^/]+):([^:]+)$/.exec(images.kaniko) ?? [];
    const manifest = await fetch(`http://${registry}/v2/${name}/manifests/${tag}`, {
      method: 'HEAD',
      headers: { accept: 'application/vnd.docker.distribution.manifest.v2+json' },
    });
    const image = `${registry}/${name}:${tag}@${manifest.headers.get('docker-content-digest')}`;
    const source = { ...ADD_ONS.kaniko, published: [{ image, files: { executor: '/kaniko/executor' } }] };
    const docker = new Engine(engine);
    const there = async () => (await docker.docker(['images', '--all', '--quiet'])).trim().split('\n').sort();
    const before = await there();
    const cache = bundles();
    const options = { engine: docker, tell: () => {}, cache };
    const { get, provenance } = commandsFrom('published', options);
    const taken = readFileSync(join(await get('kaniko', source), 'executor'));
    // As the cluster's own image was made from it, whichever way that was had.
    const own = await commandsFrom('auto', { engine: docker, tell: () => {} }).get('kaniko', ADD_ONS.kaniko);
    expect(taken.equals(readFileSync(join(own, 'executor')))).toBe(true);
    expect(provenance.kaniko).toBe(`taken from ${image}`);
    expect(await there()).toEqual(before);

    const wrong = image.replace(/[0-9a-f]{8}$/, '00000000');
    const other = { ...source, published: [{ image: wrong, files: { executor: '/kaniko/executor' } }] };
    await expect(get('kaniko', other)).rejects.toThrow(/can not be pulled: .*manifest unknown/);
  });

  it('compiled nothing that depends on where: no binary names a directory of this machine', () => {
    const built = Object.entries({ ...PINS, ...ADD_ONS, ...SERVICES })
      .map(([name, source]) => join(CACHE, contentKey(name, goCommands(name, source).inputs)))
      .filter((directory) => existsSync(directory));
    const said = execFileSync('go', ['version', '-m', ...built], { encoding: 'utf8' });
    expect(said).toContain('\tpath\t');
    // What begins with no tab is the name of a file here.
    const told = said.split('\n').filter((line) => line.startsWith('\t'));
    expect(told.filter((line) => line.includes(homedir()) || /=>\s+\//.test(line))).toEqual([]);
  });

  // The others take longer: bench/defects.ts.
  it('finds metrics-lie with invocations-steady, for this reason only', {
    timeout: 12 * 60_000,
  }, async () => {
    const out = bundles();
    const pace = PACES.get('invocations-steady');
    if (!pace) throw new Error('scripts/pace.ts has no pace for invocations-steady');
    const args = ['run', 'invocations-steady', '--defect', 'metrics-lie', ...optionsOf(pace), '--out', out];
    const { code, stdout } = await faultline(args).ended;
    process.stdout.write(stdout);
    const { checks } = verdictOf(onlyBundle(out));
    const failed = checks.filter(({ verdict, informational }) => verdict === 'fail' && !informational);
    expect([code, failed.map(({ id }) => id)]).toEqual([1, ['telemetry/invocations-failed']]);
  });
});
