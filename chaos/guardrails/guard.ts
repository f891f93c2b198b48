/** Checks what a fault is about to take against the user's guardrails, and whether everything is frozen. */
import { existsSync } from 'node:fs';
import type { Impact } from '../fault.ts';
import type { Guardrails } from './file.ts';

/** An act that the guardrails do not allow. It was not done. */
export class GuardrailError extends Error {
  constructor(reasons: string[], file: string | undefined) {
    super(`${reasons.join('; ')}${file === undefined ? '' : ` (guardrails: ${file})`}`);
    this.name = 'GuardrailError';
  }
}

/**
 * @param own namespaces that the run made itself: allowed without being listed
 * @throws GuardrailError with everything that is not allowed
 */
export function allow(guardrails: Guardrails, own: readonly string[], impact: Impact): void {
  if (impact.frozen !== undefined) throw new GuardrailError([`frozen: ${impact.frozen}`], guardrails.file);
  // Without a file, nobody has said what may be touched; a target that is not the run's own demands one.
  if (guardrails.file === undefined) return;
  const { namespaces, blastRadius } = guardrails;
  const reasons: string[] = [];
  const { besides = [] } = impact;
  const would = `${besides.length > 0 ? `with what fault ${besides.join(', ')} has taken, ` : ''}it would take`;
  const listed = new Set([...namespaces, ...own]);
  const strangers = impact.pods.filter(({ namespace }) => namespace !== undefined && !listed.has(namespace));
  if (strangers.length > 0) {
    const which = [...new Set(strangers.map(({ namespace }) => namespace))].sort().join(', ');
    const names = strangers.map(({ namespace, name }) => `${namespace}/${name}`);
    reasons.push(`${would} pods of ${which}, which spec.namespaces does not list: ${some(names)}`);
  }
  const { pods, nodes, replicaShare } = blastRadius;
  if (pods !== undefined && impact.pods.length > pods)
    reasons.push(
      `${would} ${impact.pods.length} pods, and spec.blastRadius.pods is ${pods}: ${some(impact.pods.map(({ name }) => name))}`,
    );
  if (nodes !== undefined && impact.nodes.length > nodes)
    reasons.push(
      `${would} ${impact.nodes.length} nodes, and spec.blastRadius.nodes is ${nodes}: ${some(impact.nodes)}`,
    );
  if (replicaShare !== undefined)
    for (const { name, hit, unready = 0, of } of impact.workloads)
      if (hit + unready > replicaShare * of)
        reasons.push(
          `${would} ${hit} of ${of} of ${name}${unready > 0 ? ` besides ${unready} missing or not ready already` : ''}, and spec.blastRadius.replicaShare is ${replicaShare}`,
        );
  if (reasons.length > 0) throw new GuardrailError(reasons, guardrails.file);
}

/**
 * What is gone when an act comes on top of what other faults have taken: nodes, and replicas of the workloads that it hits. What is not
 * ready is left out: it may be just what they hit.
 * @param impact of the act @param others of faults of the run that are not over, by their name
 */
export function together(impact: Impact, others: ReadonlyMap<string, Impact>): Impact {
  const pods = new Set(impact.pods.map(keyOf));
  const nodes = new Set(impact.nodes);
  const workloads = impact.workloads.map(({ name, hit, of }) => ({ name, hit, of }));
  for (const other of others.values()) {
    for (const node of other.nodes) nodes.add(node);
    const common = other.pods.filter((pod) => pods.has(keyOf(pod))).length;
    for (const known of workloads)
      for (const { name, hit } of other.workloads)
        if (name === known.name) known.hit = Math.min(known.hit + Math.max(0, hit - common), known.of);
    for (const pod of other.pods) pods.add(keyOf(pod));
  }
  return { pods: impact.pods, nodes: [...nodes], workloads, besides: [...others.keys()] };
}

const keyOf = ({ namespace, name }: Impact['pods'][number]) => `${namespace ?? ''}/${name}`;

/** Why everything is frozen, or undefined. */
export function frozen(guardrails: Guardrails): string | undefined {
  const file = guardrails.freezeFiles.find((path) => existsSync(path));
  return file === undefined ? undefined : `${file} exists: remove it to go on`;
}

const SHOWN = 5;
const some = (names: string[]) =>
  names.length > SHOWN
    ? `${names.slice(0, SHOWN).join(', ')} and ${names.length - SHOWN} more`
    : names.join(', ');
