/**
 * Fault to proven effect, and revert to its end, per kind of fault and target: median and worst, from bundles that are there.
 * Both from the journal: the effect is what a probe saw that does not trust the injector.
 * Usage: node bench/effects.ts [directory of bundles ...]   (default: reports/runs)
 */
import { globSync } from 'node:fs';
import { dirname } from 'node:path';
import { Bundle } from '../evidence/bundle.ts';
import type { JournalEntry } from '../evidence/journal.ts';

interface Times {
  /** From the beginning of the injection, ms. */
  seen: number[];
  /** From the end of the revert, ms. */
  gone: number[];
  notSeen: number;
}

const given = process.argv.slice(2);
const roots = given.length > 0 ? given : ['reports/runs'];
const files = roots.flatMap((root) =>
  globSync(['*/journal.ndjson', 'journal.ndjson', '*/*/journal.ndjson'].map((p) => `${root}/${p}`)),
);
const kinds = new Map<string, Times>();
for (const directory of new Set(files.map((file) => dirname(file)))) {
  const bundle = Bundle.open(directory);
  const { entries } = await bundle.journal();
  for (const { name, kind } of bundle.plan.faults) {
    const at = (type: JournalEntry['type']) =>
      entries.find((entry) => entry.type === type && 'fault' in entry && entry.fault === name)?.t;
    const [injecting, seen, reverted, gone] = [
      at('fault.injecting'),
      at('fault.effect-seen'),
      at('fault.reverted'),
      at('fault.effect-gone'),
    ];
    if (injecting === undefined) continue;
    const key = `${bundle.plan.target.name} ${kind}`;
    const times = kinds.get(key) ?? { seen: [], gone: [], notSeen: 0 };
    kinds.set(key, times);
    if (seen !== undefined) times.seen.push(seen - injecting);
    else times.notSeen++;
    if (reverted !== undefined && gone !== undefined) times.gone.push(gone - reverted);
  }
}

const seconds = (ms: number | undefined) => (ms === undefined ? '' : (ms / 1000).toFixed(2));
const median = (all: number[]) => seconds(all.toSorted((a, b) => a - b)[Math.floor((all.length - 1) / 2)]);
const worst = (all: number[]) => seconds(all.length > 0 ? Math.max(...all) : undefined);
if (kinds.size === 0) {
  console.error(`no bundles with faults in ${roots.join(', ')}: give the directory of --out`);
  process.exit(64);
}
console.table(
  Object.fromEntries(
    [...kinds]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([kind, { seen, gone, notSeen }]) => [
        kind,
        {
          times: seen.length,
          'seen, median s': median(seen),
          'worst s': worst(seen),
          'never seen': notSeen,
          'gone, median s': median(gone),
          'worst s ': worst(gone),
        },
      ]),
  ),
);
