/** What an alert reads by way of recorded series: its durations are its own as well. */
import { parser } from '@prometheus-io/lezer-promql';

/** Expressions by the name that they are recorded as: several where labels tell them apart. */
type Recorded = ReadonlyMap<string, readonly string[]>;

/**
 * The expression with what each recorded series is made of in its place, and so on, so that its windows and metrics can be found. Only for
 * that: Prometheus knows no `(rate(a[1m]))[5m]`, and the matchers of a recorded series are lost. A name within itself stays.
 */
export function writtenOut(expr: string, recorded: Recorded, within: readonly string[] = []): string {
  const found: { from: number; to: number; text: string }[] = [];
  parser.parse(expr).iterate({
    enter({ name: kind, node }) {
      if (kind !== 'VectorSelector' || node.firstChild?.name !== 'Identifier') return;
      const name = expr.slice(node.firstChild.from, node.firstChild.to);
      const sources = within.includes(name) ? undefined : recorded.get(name);
      if (!sources) return;
      const parts = sources.map((source) => `(${writtenOut(source, recorded, [...within, name])}\n)`);
      found.push({ from: node.from, to: node.to, text: `(${parts.join(' or ')})` });
    },
  });
  return found.reduceRight((text, part) => text.slice(0, part.from) + part.text + text.slice(part.to), expr);
}
