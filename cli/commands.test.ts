import { expect, it } from 'vitest';
import { RefusedError } from '../base/errors.ts';
import { runCommandLine } from './commands.ts';

const refusal = (line: string) =>
  runCommandLine(line.split(' ')).then(
    () => expect.unreachable('it was not refused'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(RefusedError);
      return (error as RefusedError).message;
    },
  );

it.each([
  ['plan steady-control --time-scale 60 --time-scale 1', '--time-scale'],
  ['plan steady-control --timeScale 60 --time-scale=1', '--time-scale'],
  ['run steady-control --out a --out=b', '--out'],
  ['run steady-control --guardrails a --guardrails b', '--guardrails'],
  ['doctor --target local --target kind', '--target'],
  ['clean --dry-run --no-dry-run', '--dry-run'],
  ['judge a --json --json', '--json'],
])('refuses an option that is given twice: %s', async (line, option) => {
  expect(await refusal(line)).toBe(`${option}: given twice: expected one`);
});

it('takes lists as often as they are given, and what stands after -- for no option', async () => {
  expect(await refusal('plan no-such --defect a --load-scale 2 --defect b --load-scale builds=1')).toMatch(
    /^--defect: .*"a"[\s\S]*"b"/,
  );
  expect(await refusal('judge a --json -- --json')).toMatch(/^a: is no bundle/);
});

const PLANNED = [
  ...['target', 'profile', 'platform', 'cluster', 'guardrails', 'time-scale', 'defect'],
  ...['seed', 'load-pods', 'load-scale'],
];
it.each([
  ...PLANNED.map((o) => ['plan no-such', o]),
  ...['out', 'traces', 'spans', 'loki', 'logql'].map((o) => ['run no-such', o]),
  ...['for', 'target', 'cluster', 'profile', 'guardrails'].map((o) => ['doctor', o]),
  ...[
    ['rights no-such', 'account'],
    ['clean', 'host'],
  ],
])('%s refuses --%s without a value', async (command, option) => {
  for (const line of [`${command} --${option}`, `${command} --${option} --debug`])
    expect(await refusal(line)).toMatch(new RegExp(`^faultline: .*: ${option}$`));
});
