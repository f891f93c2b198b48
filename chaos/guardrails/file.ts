/**
 * The guardrails file, which the user writes: what faults may touch, and what stops everything. Read from `--guardrails`, else
 * `FAULTLINE_GUARDRAILS`, else `${XDG_CONFIG_HOME:-~/.config}/faultline/guardrails.yaml` where that exists.
 */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { readYaml } from '../../base/yaml-file.ts';

const File = z.strictObject({
  apiVersion: z.literal('faultline.dev/v1'),
  kind: z.literal('Guardrails'),
  spec: z.strictObject({
    /** Contexts of clusters that exist (target `cluster`) on which anything may be done at all, by name. */
    contexts: z.array(z.string().min(1)).default([]),
    /** Namespaces whose pods faults may touch, besides those that the run made itself. */
    namespaces: z.array(z.string().min(1)).default([]),
    /** The most that one act of a fault may take, counted right before it; nodes and shares with what other faults of the run have taken by then. */
    blastRadius: z
      .strictObject({
        pods: z.number().int().min(0).optional(),
        nodes: z.number().int().min(0).optional(),
        /** Of each workload's replicas. */
        replicaShare: z.number().min(0).max(1).optional(),
      })
      .default({}),
    /** While a file of this name exists, nothing is started and what runs is stopped. Relative to the guardrails file. */
    freezeFile: z.string().min(1).optional(),
  }),
});

export interface Guardrails {
  /** Undefined: the user has written none, and only freeze files and annotations count. */
  file?: string;
  contexts: string[];
  namespaces: string[];
  blastRadius: { pods?: number; nodes?: number; replicaShare?: number };
  /** Each of them freezes. */
  freezeFiles: string[];
}

/** On a namespace that the run uses: with any value but `false`, it freezes. */
export const FREEZE_ANNOTATION = 'faultline.dev/freeze';

/** @throws RefusedError with file, line and field of what is wrong with it */
export function loadGuardrails(option: string | undefined, env: NodeJS.ProcessEnv = process.env): Guardrails {
  const home = join(
    env.XDG_CONFIG_HOME?.startsWith('/') ? env.XDG_CONFIG_HOME : join(env.HOME || homedir(), '.config'),
    'faultline',
  );
  const usual = join(home, 'guardrails.yaml');
  const file = option ?? (env.FAULTLINE_GUARDRAILS || (existsSync(usual) ? usual : undefined));
  const everybodys = join(home, 'freeze');
  if (file === undefined) return { contexts: [], namespaces: [], blastRadius: {}, freezeFiles: [everybodys] };
  const { contexts, namespaces, blastRadius, freezeFile } = readYaml(file, File).value.spec;
  return {
    file,
    contexts,
    namespaces,
    blastRadius: Object.fromEntries(Object.entries(blastRadius).filter(([, most]) => most !== undefined)),
    freezeFiles: [...(freezeFile ? [resolve(dirname(file), freezeFile)] : []), everybodys],
  };
}
