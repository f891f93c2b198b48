/** Checks what a fault is about to take against the user's guardrails, and whether everything is frozen. */
import { existsSync } from 'node:fs';
import type { Impact } from '../fault.ts';
import type { Guardrails } from './file.ts';

/** An act that the guardrails do not allow. It was not done. */
export class GuardrailError extends Error {
  constructor(reasons: string[], file: string | undefined) {
    super(`${reasons.join('; ')} (guardrails: ${file})`);
    this.name = 'GuardrailError';
  }
}

/**
 * @param own namespaces that the run made itself: allowed without being listed
 * @throws GuardrailError with everything that is not allowed
 */
export function allow(guardrails: Guardrails, own: readonly string[], impact: Impact): void {
  // Without a file, nobody has said what may be touched; a target that is not the run's own demands one.
  if (guardrails.file === undefined) return;
  const { namespaces, blastRadius } = guardrails;
  const reasons: string[] = [];
  const listed = new Set([...namespaces, ...own]);
  const strangers = impact.pods.filter(({ namespace }) => namespace !== undefined && !listed.has(namespace));
  if (strangers.length > 0) {
    const which = [...new Set(strangers.map(({ namespace }) => namespace))].sort().join(', ');
    const names = strangers.map(({ namespace, name }) => `${namespace}/${name}`);
    reasons.push(`it would take pods of ${which}, which spec.namespaces does not list: ${some(names)}`);
  }
  const { pods, nodes, replicaShare } = blastRadius;
  if (pods !== undefined && impact.pods.length > pods)
    reasons.push(
      `it would take ${impact.pods.length} pods, and spec.blastRadius.pods is ${pods}: ${some(impact.pods.map(({ name }) => name))}`,
    );
  if (nodes !== undefined && impact.nodes.length > nodes)
    reasons.push(
      `it would take ${impact.nodes.length} nodes, and spec.blastRadius.nodes is ${nodes}: ${some(impact.nodes)}`,
    );
  if (replicaShare !== undefined)
    for (const { name, hit, of } of impact.workloads)
      if (hit > replicaShare * of)
        reasons.push(
          `it would take ${hit} of ${of} of ${name}, and spec.blastRadius.replicaShare is ${replicaShare}`,
        );
  if (reasons.length > 0) throw new GuardrailError(reasons, guardrails.file);
}

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
