/** Verdicts of several runs as a text table for a terminal. */
import type { Verdict, VerdictDocument } from '../evidence/verdict.ts';
import { duration, oneLine, SIGN } from './format.ts';

const COLOUR: Record<Verdict, string> = { pass: '32', fail: '31', unknown: '33', error: '35' };

const cut = (text: string, width: number) => {
  const letters = [...text];
  return letters.length <= width ? text : `${letters.slice(0, Math.max(width - 1, 0)).join('')}…`;
};
const pad = (text: string, width: number) => text + ' '.repeat(Math.max(width - [...text].length, 0));

/** The reason that decides; for a pass, how much was checked. */
function keyReason(v: VerdictDocument): string {
  if (v.verdict !== 'pass') return v.reasons[0] ?? 'no reason was given';
  return `${v.checks.filter((c) => !c.informational).length} checks passed`;
}

/** @param options.width columns of the terminal; reasons are cut to it, and never to less than 20. */
export function renderVerdictTable(
  verdicts: VerdictDocument[],
  options: { colour?: boolean; width?: number } = {},
): string {
  const colour = options.colour ?? (process.stdout.isTTY === true && !process.env.NO_COLOR);
  const width = options.width ?? process.stdout.columns ?? 120;
  const rows = verdicts.map((v) => ({
    verdict: v.verdict,
    scenario: cut(oneLine(v.run.scenario), 40),
    took: duration(v.run.durationMs),
    reason: oneLine(keyReason(v)),
  }));
  const widest = (title: string, texts: string[]) =>
    texts.reduce((most, text) => Math.max(most, [...text].length), title.length);
  const scenario = widest(
    'scenario',
    rows.map((r) => r.scenario),
  );
  const verdict = widest(
    'verdict',
    rows.map((r) => `${SIGN[r.verdict]} ${r.verdict}`),
  );
  const took = widest(
    'run time',
    rows.map((r) => r.took),
  );
  const room = Math.max(width - scenario - verdict - took - 6, 20);
  const paint = (text: string, code: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const head = `${pad('scenario', scenario)}  ${pad('verdict', verdict)}  ${pad('run time', took)}  reason`;
  const lines = rows.map(
    (r) =>
      `${pad(r.scenario, scenario)}  ${paint(pad(`${SIGN[r.verdict]} ${r.verdict}`, verdict), COLOUR[r.verdict])}  ${' '.repeat(took - [...r.took].length)}${r.took}  ${cut(r.reason, room)}`,
  );
  return [paint(head, '1'), ...lines].join('\n');
}
