/** The LambdaFunction object: what is wanted (spec), what is (status), and its schema on disk. */
import { z } from 'zod';
import { Runtime, Scaling, Source } from '../events/commands.ts';

export const PHASES = ['Pending', 'Building', 'Deploying', 'Ready', 'Failed', 'Deleting'] as const;
export type Phase = (typeof PHASES)[number];
export const CONDITIONS = [
  'SourceReady',
  'EventingReady',
  'BuildReady',
  'DeployReady',
  'ServiceReady',
] as const;
export type ConditionType = (typeof CONDITIONS)[number];

const Condition = z.object({
  type: z.enum(CONDITIONS),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string(),
  message: z.string(),
  lastTransitionTime: z.string(),
});

/** A command whose terminal event has not been confirmed yet. */
const Cause = z.object({ id: z.string(), type: z.string(), traceparent: z.string() });
export type Cause = z.infer<typeof Cause>;

const Revision = z.object({
  image: z.string(),
  digest: z.string(),
  handler: z.string(),
  registry: z.string(),
});
export type Revision = z.infer<typeof Revision>;

export const LambdaFunction = z.object({
  name: z.string(),
  uid: z.string(),
  generation: z.number().int(),
  spec: z.object({
    runtime: Runtime,
    source: Source,
    scaling: Scaling,
    env: z.record(z.string(), z.string()),
  }),
  status: z.object({
    phase: z.enum(PHASES),
    conditions: z.array(Condition),
    /** What happens to reach the spec: a build is wanted, was asked for, is done and is to be rolled out; or nothing. */
    step: z.enum(['build-wanted', 'build-asked', 'roll-out', 'settled', 'delete']),
    /** Id of the build command that belongs to the present generation. */
    buildId: z.string().optional(),
    /** Commands that are owed an answer, oldest first: one that was overtaken is answered with the one that overtook it. */
    causes: z.array(Cause),
    /** Built, and about to be rolled out. */
    next: Revision.optional(),
    /** Serves. */
    current: Revision.optional(),
    /** Served before, newest first. */
    history: z.array(Revision),
    message: z.string(),
  }),
});
export type LambdaFunction = z.infer<typeof LambdaFunction>;

export function newFunction(name: string, uid: string, spec: LambdaFunction['spec']): LambdaFunction {
  const now = new Date().toISOString();
  return {
    name,
    uid,
    generation: 1,
    spec,
    status: {
      phase: 'Pending',
      step: 'build-wanted',
      history: [],
      causes: [],
      message: '',
      conditions: CONDITIONS.map((type) => ({
        type,
        status: 'Unknown',
        reason: 'Pending',
        message: '',
        lastTransitionTime: now,
      })),
    },
  };
}

export function setCondition(
  fn: LambdaFunction,
  type: ConditionType,
  status: 'True' | 'False' | 'Unknown',
  reason: string,
  message = '',
): void {
  const condition = fn.status.conditions.find((each) => each.type === type);
  if (!condition) return;
  if (condition.status !== status) condition.lastTransitionTime = new Date().toISOString();
  Object.assign(condition, { status, reason, message });
}
