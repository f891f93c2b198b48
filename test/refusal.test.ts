import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bundles, faultline, remains, SHORT } from './faultline.ts';

const short = readFileSync(SHORT, 'utf8');

async function refused(args: string[], env: Record<string, string> = {}): Promise<string> {
  const out = bundles();
  const { code, stderr } = await faultline(['run', ...args, '--out', out], env).ended;
  expect(code).toBe(64);
  // Nothing was started, nothing was written.
  expect(readdirSync(out)).toEqual([]);
  expect(remains()).toEqual([]);
  return stderr;
}

function scenario(text: string | Buffer): string {
  const directory = join(bundles(), 'in');
  mkdirSync(directory);
  const file = join(directory, 'broken.yaml');
  writeFileSync(file, text);
  return file;
}

describe('bad input is refused with exit 64, and nothing is started', () => {
  it.each([
    [
      'an unknown field',
      short.replace('  claim:', '  clame: x\n  claim:'),
      /broken\.yaml:7: spec\.clame: unknown field/,
    ],
    [
      'a wrong unit',
      short.replace('baseline: 4m', 'baseline: 4 minutes'),
      /broken\.yaml:8: spec\.phases\.baseline: expected a duration with a unit/,
    ],
    [
      'an impossible timeline',
      short.replace('at: inject, until: recover', 'at: recover, until: inject'),
      /not after its injection/,
    ],
    ['a duplicate name', short.replace('name: invocations,', 'name: builds,'), /"builds" is used twice/],
    [
      'a fault that the target can not do',
      short.replace('component: rabbitmq', 'component: moon'),
      /can not cut off "moon"/,
    ],
    ['a binary file', Buffer.from([0, 1, 2, 3]), /is a binary file/],
    ['a huge file', `# ${'x'.repeat(2_000_000)}`, /is too large/],
  ])('%s', async (_what, text, message) => {
    expect(await refused([scenario(text)])).toMatch(message);
  });

  it('names the problems of all files at once', async () => {
    const stderr = await refused([scenario(short.replace('baseline: 4m', 'baseline: 4')), scenario('a: [')]);
    expect(stderr).toMatch(/spec\.phases\.baseline[\s\S]*not valid YAML/);
  });

  it.each([
    [['--time-scale', '0'], /--time-scale: expected a number of at least 1/],
    [['--defect', 'gremlins'], /has no defect "gremlins": expected one of ack-before-build/],
    [['--target', 'mars'], /unknown target "mars": expected one of local/],
    [['--platform', 'anywhere'], /--platform: profile reference is of the reference platform/],
    [['--profile', 'knative-lambda-operator'], /--profile: .* expected --platform DIR/],
    [
      ['--profile', 'knative-lambda-operator', '--platform', 'anywhere'],
      /--target: a platform of your own runs on targets kind and cluster: got local/,
    ],
    [['--target', 'cluster'], /--cluster: missing: expected the file that describes your cluster/],
    [['--cluster', 'staging.yaml'], /--cluster: describes a cluster for target cluster: got --target local/],
    [['--target', 'cluster', '--cluster', 'nowhere.yaml'], /nowhere\.yaml: .*no such file/i],
    [['--load-scale', 'builds=0'], /--load-scale: "builds=0": expected a factor above 0/],
    [['--load-pods', '2'], /--load-pods: target local has no pods: expected target kind or cluster/],
    [['--load-pods', '1.5'], /--load-pods: expected a whole number from 0 to 100/],
    [['--load-scale', 'moon=2'], /no stream is called "moon": expected one of builds, /],
    [['--traces', 'jaeger'], /--traces: "jaeger": expected a URL such as http:/],
    [['--spans', 'ftp://a'], /--spans: "ftp:\/\/a": expected a URL/],
    [['--loki', 'http://ann:50%@a'], /--loki: .*expected a URL .* % in user and password as %25/],
    [['--spans', 'http://ann:s3cret@a:4318'], /--spans: has a user: every pod .* expected none/],
    [['--loki', '3100'], /--loki: "3100": expected a URL/],
    [['--logql', '{app="a"}'], /--logql: expected --loki beside it/],
    [['--tagret', 'local'], /[Uu]nknown argument/],
  ])('options %j', async (options, message) => {
    expect(await refused([SHORT, ...options])).toMatch(message);
  });

  it('target kind without a cluster, with what makes one', async () => {
    const nothing = { XDG_CACHE_HOME: bundles() };
    expect(await refused([SHORT, '--target', 'kind'], nothing)).toMatch(
      /no finished cluster: run `make cluster`/,
    );
  });

  it('a rule file with a syntax error, with its line', async () => {
    const directory = join(bundles(), 'profile');
    mkdirSync(directory);
    const shipped = readFileSync('targets/profiles/reference.yaml', 'utf8');
    writeFileSync(
      join(directory, 'rules.yaml'),
      'groups:\n  - name: g\n    rules:\n      - alert: Broken\n        expr: sum(rate(x[5m]\n        labels: { severity: critical }\n',
    );
    const absolute = shipped
      .replaceAll('../../slo/', `${process.cwd()}/slo/`)
      .replace(/rules:\n/, 'rules:\n    - rules.yaml\n');
    writeFileSync(join(directory, 'mine.yaml'), absolute);
    expect(await refused([SHORT, '--profile', join(directory, 'mine.yaml')])).toMatch(
      /rules\.yaml:5: .*expr/,
    );
  });

  it('judge of what is no bundle', async () => {
    const { code, stderr } = await faultline(['judge', bundles()]).ended;
    expect([code, stderr]).toEqual([
      64,
      expect.stringMatching(/is no bundle: expected a directory with plan\.json/),
    ]);
  });
});
