import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EvidenceError, HarnessError } from '../base/errors.ts';
import type { Allow, ArmedFault, Impact } from '../chaos/fault.ts';
import { GuardrailError } from '../chaos/guardrails/guard.ts';
import { pendingUndos, UndoLog } from '../chaos/undo/log.ts';
import { JournalEntry } from '../evidence/journal.ts';
import type { PlannedFault } from '../evidence/plan.ts';
import { FaultLife } from './fault-life.ts';
import { Journal } from './journal.ts';

const IMPACT: Impact = {
  pods: [{ namespace: 'ns', name: 'a' }, { name: 'b' }],
  nodes: ['n'],
  workloads: [{ name: 'w', hit: 1, of: 3 }],
};
const planned = {
  name: 'it',
  kind: 'a-kind',
  params: {},
  undo: 'u',
  probe: 'p',
  injectMs: 0,
  revertMs: 1000,
  effectWithinMs: 300,
  watchEveryMs: null,
} as unknown as PlannedFault;

let directory: string;
let journal: Journal;
let undo: UndoLog;
let done: string[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'faultline-life-'));
  journal = new Journal(join(directory, 'journal.ndjson'));
  undo = new UndoLog(directory);
  done = [];
});
afterEach(() => {
  journal.close();
  undo.close();
  rmSync(directory, { recursive: true });
});

function life(
  inject: ArmedFault['inject'],
  guard: Allow = () => {},
  {
    rehearse,
    invisible,
    failingLooks = 0,
    ...over
  }: Partial<PlannedFault> & {
    rehearse?: () => Promise<void>;
    invisible?: boolean;
    failingLooks?: number;
  } = {},
) {
  const refused: string[] = [];
  let there = false;
  let looks = 0;
  const armed: ArmedFault = {
    undo: [],
    async inject(allow, plannedMs) {
      const detail = await inject(allow, plannedMs);
      done.push('injected');
      there = !invisible;
      return detail;
    },
    async revert() {
      done.push('reverted');
      there = false;
    },
    async probe() {
      if (looks++ < failingLooks) throw new Error('no way in');
      return { seen: there, detail: '' };
    },
    audit: async () => [],
    ...(rehearse ? { rehearse } : {}),
  };
  const onRefused = (why: string) => refused.push(why);
  const fault = new FaultLife({ ...planned, ...over }, armed, journal, undo, { guard, onRefused });
  const goes = () => {
    there = false;
  };
  return { refused, goes, armed, it: fault };
}

const entries = () =>
  readFileSync(join(directory, 'journal.ndjson'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { type: string; t: number; step?: string; message?: string });
const types = () => entries().map(({ type }) => type);

describe('the life of a fault', () => {
  it('says what it takes before it acts, and is told for how long it is to last', async () => {
    let lasts: number | undefined;
    const act: ArmedFault['inject'] = async (allow, plannedMs) => {
      lasts = plannedMs;
      allow(IMPACT);
      return 'done';
    };
    const { it: fault, refused } = life(act, undefined, { injectMs: 400, revertMs: 1000 });
    await fault.begin();
    await fault.end();
    expect(types()).toEqual([
      'fault.undo-recorded',
      'fault.injecting',
      'fault.impact',
      'fault.injected',
      'fault.effect-seen',
      'fault.reverting',
      'fault.reverted',
      'fault.effect-gone',
      'fault.audit',
    ]);
    expect(entries()[2]).toMatchObject({ pods: ['ns/a', 'b'], nodes: ['n'], workloads: IMPACT.workloads });
    expect(refused).toEqual([]);
    expect(lasts).toBe(600);
  });

  it('asks for what it takes together with the faults of the run that are not over', async () => {
    const node = (name: string): Impact => ({ pods: [], nodes: [name], workloads: [] });
    const guard: Allow = ({ nodes }) => {
      if (nodes.length > 1) throw new GuardrailError([`too many: ${nodes.join(', ')}`], 'g.yaml');
    };
    const drain = (name: string, of: string) =>
      life(
        async (allow) => {
          allow(node(name));
          return 'drained';
        },
        guard,
        { name: of },
      );
    const first = drain('one', 'first');
    await first.it.begin();
    const second = drain('two', 'second');
    await second.it.begin();
    expect(second.refused).toEqual([expect.stringContaining('too many: two, one')]);
    // What both take is taken once.
    const again = drain('one', 'again');
    await again.it.begin();
    expect(again.refused).toEqual([]);
    await again.it.end();
    await first.it.end();
    const third = drain('two', 'third');
    await third.it.begin();
    expect(third.refused).toEqual([]);
  });

  describe('that could not be injected', () => {
    const node = (name: string): Impact => ({ pods: [], nodes: [name], workloads: [] });
    const guard: Allow = ({ nodes }) => {
      if (nodes.length > 1) throw new GuardrailError([`too many: ${nodes.join(', ')}`], 'g.yaml');
    };
    const broken = () =>
      life(
        async (allow) => {
          allow(node('one'));
          throw new HarnessError('no way in');
        },
        guard,
        { name: 'broken', effectWithinMs: 50 },
      );
    const later = async () => {
      const second = life(
        async (allow) => {
          allow(node('two'));
          return 'drained';
        },
        guard,
        { name: 'later' },
      );
      await second.it.begin();
      return second.refused;
    };

    it('is undone at once, and what it was allowed to take is there for others', async () => {
      const first = broken();
      await first.it.begin();
      expect(done).toEqual(['reverted']);
      expect(types().slice(-5)).toEqual([
        ...['fault.error', 'fault.reverting', 'fault.reverted', 'fault.effect-gone', 'fault.audit'],
      ]);
      expect(await later()).toEqual([]);
      // At its planned end nothing is left to do.
      await first.it.end();
      expect(types().filter((type) => type === 'fault.reverting')).toHaveLength(1);
    });

    it('goes on counting while something of it is left', async () => {
      const first = broken();
      first.armed.audit = async () => ['one is still closed'];
      await first.it.begin();
      expect(await later()).toEqual([expect.stringContaining('too many: two, one')]);
    });

    it('goes on counting when its revert failed, and no audit knows better', async () => {
      const first = broken();
      first.armed.revert = () => Promise.reject(new Error('no way in either'));
      await first.it.begin();
      expect(await later()).toEqual([expect.stringContaining('too many: two, one')]);
    });

    it('is given back when its recorded undo does what its revert could not', async () => {
      const left = join(directory, 'left');
      mkdirSync(left);
      const first = broken();
      first.armed.revert = () => Promise.reject(new Error('no way in either'));
      first.armed.undo.push({ op: 'remove-directory', path: left });
      await first.it.begin();
      expect(existsSync(left)).toBe(false);
      expect(pendingUndos(directory)).toEqual([]);
      expect(await later()).toEqual([]);
    });
  });

  it('writes no more of what it takes than the journal has room for', async () => {
    const { it: fault } = life(async (allow) => {
      allow({ ...IMPACT, workloads: [{ name: 'w', hit: 1, unready: 1, of: 3 }] });
      return 'done';
    });
    await fault.begin();
    const found = entries().find(({ type }) => type === 'fault.impact');
    expect(JournalEntry.parse(found)).toMatchObject({ workloads: IMPACT.workloads });
  });

  it('says which field is set back, and not to what: some keep tokens there', async () => {
    const { it: fault, armed } = life(async (allow) => {
      allow(IMPACT);
      return 'done';
    });
    armed.undo.push({
      ...{
        op: 'patch-object',
        kubectl: 'k',
        kubeconfig: 'c',
        object: 'deployment/it',
        patch: '{"a":"hunter2"}',
      },
      ...{ field: '{.spec.command}', value: '["--token=hunter2"]' },
    });
    await fault.begin();
    expect(entries()[0]).toMatchObject({ undo: 'set {.spec.command} of deployment/it back to what it was' });
    expect(readFileSync(join(directory, 'journal.ndjson'), 'utf8')).not.toContain('hunter2');
  });

  it('takes one failed look before it for no proof, and looks again', async () => {
    const act = async (allow: Allow) => {
      allow(IMPACT);
      return 'done';
    };
    const once = life(act, undefined, { failingLooks: 2 });
    await once.it.begin();
    await once.it.end();
    expect(types()).not.toContain('fault.error');
    const blind = life(act, undefined, { failingLooks: 1000 });
    await blind.it.begin();
    await blind.it.end();
    expect(entries().find(({ type }) => type === 'fault.error')).toMatchObject({
      ...{ step: 'probe', message: 'nobody could look before the injection: no way in' },
    });
  });

  it('does not act when a guardrail says no, stops the run, and has nothing to revert', async () => {
    const guard = () => {
      throw new GuardrailError(['too much'], 'g.yaml');
    };
    const { it: fault, refused } = life(async (allow) => {
      allow(IMPACT);
      return 'done';
    }, guard);
    await fault.begin();
    expect(refused).toEqual(['too much (guardrails: g.yaml)']);
    expect(entries().filter(({ type }) => type === 'fault.error')).toMatchObject([
      { step: 'guardrail', message: 'too much (guardrails: g.yaml)' },
    ]);
    await fault.end();
    expect(done).toEqual([]);
    expect(types()).not.toContain('fault.injected');
    expect(types()).not.toContain('fault.reverting');
  });

  it('stops the run when a later act is refused, and is reverted', async () => {
    let again: (() => void) | undefined;
    let acts = 0;
    const guard = () => {
      if (++acts > 1) throw new GuardrailError(['too often'], 'g.yaml');
    };
    const { it: fault, refused } = life(async (allow) => {
      allow(IMPACT);
      again = () => allow(IMPACT);
      return 'done';
    }, guard);
    await fault.begin();
    expect(again).toThrow('too often');
    expect(refused).toEqual(['too often (guardrails: g.yaml)']);
    await fault.end();
    expect(done).toEqual(['injected', 'reverted']);
  });

  it('waits at its end for an act that is on its way, and lets no other follow', async () => {
    let land = () => {};
    let again: (() => void) | undefined;
    const { it: fault } = life(async (allow) => {
      allow(IMPACT);
      again = () => allow(IMPACT);
      await new Promise<void>((resolve) => {
        land = resolve;
      });
      return 'done';
    });
    const begun = fault.begin();
    await expect.poll(() => types().includes('fault.impact')).toBe(true);
    const ended = fault.end();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(done).toEqual([]);
    expect(again).toThrow(/the time of fault it is over/);
    land();
    await Promise.all([begun, ended]);
    expect(done).toEqual(['injected', 'reverted']);
    expect(types()).not.toContain('fault.error');
  });

  it('tells what became of an injection that was not complete at its end', async () => {
    let fail = () => {};
    const { it: fault } = life(async (allow) => {
      allow(IMPACT);
      await new Promise<void>((_resolve, reject) => {
        fail = () => reject(new Error('nothing to be killed'));
      });
      return 'done';
    });
    const begun = fault.begin();
    await expect.poll(() => types().includes('fault.impact')).toBe(true);
    const ended = fault.end();
    fail();
    await Promise.all([begun, ended]);
    expect(entries()).toContainEqual(
      expect.objectContaining({ type: 'fault.error', step: 'overtaken', message: 'nothing to be killed' }),
    );
  });

  it('does not begin when its end came while the probe looked', async () => {
    const { it: fault } = life(async (allow) => {
      allow(IMPACT);
      return 'done';
    });
    const begun = fault.begin();
    await fault.end();
    await begun;
    expect(done).toEqual([]);
    expect(types()).toEqual([]);
  });

  it('looks again as long as it is to last, and says when the effect went away by itself', async () => {
    const { it: fault, goes } = life(
      async (allow) => {
        allow(IMPACT);
        return 'done';
      },
      () => {},
      { watchEveryMs: 30 },
    );
    const begun = fault.begin();
    const looks = () => types().filter((type) => type === 'fault.effect-held').length;
    await expect.poll(looks, { timeout: 4000 }).toBeGreaterThan(1);
    expect(types()).not.toContain('fault.effect-lost');
    goes();
    await begun;
    expect(types().at(-1)).toBe('fault.effect-lost');
    await fault.end();
  });

  it('says that the effect was gone when its time is over before the look gave up', async () => {
    const { it: fault, goes } = life(
      async (allow) => {
        allow(IMPACT);
        return 'done';
      },
      () => {},
      { watchEveryMs: 1000, effectWithinMs: 60_000 },
    );
    const begun = fault.begin();
    await expect.poll(() => types().includes('fault.effect-seen')).toBe(true);
    goes();
    await new Promise((resolve) => setTimeout(resolve, 1600));
    await fault.end();
    await begun;
    expect(types().filter((type) => type === 'fault.effect-lost')).toHaveLength(1);
  });

  it('gives a look no longer than until the next one', async () => {
    const { it: fault, goes } = life(
      async (allow) => {
        allow(IMPACT);
        return 'done';
      },
      () => {},
      { watchEveryMs: 200, effectWithinMs: 60_000 },
    );
    const begun = fault.begin();
    await expect.poll(() => types().includes('fault.effect-seen')).toBe(true);
    goes();
    await begun;
    expect(types().at(-1)).toBe('fault.effect-lost');
    await fault.end();
  });

  it('looks for its effect no longer than its time', async () => {
    const { it: fault } = life(
      async (allow) => {
        allow(IMPACT);
        return 'done';
      },
      () => {},
      { effectWithinMs: 60_000, invisible: true },
    );
    const begun = fault.begin();
    await expect.poll(() => types().includes('fault.injected')).toBe(true);
    await fault.end();
    await begun;
    expect(types().filter((type) => type === 'fault.effect-not-seen')).toHaveLength(1);
  });

  it('is proven by several looks in a row where it lasts, from the first of them on', async () => {
    const { it: fault, armed } = life(
      async (allow) => {
        allow(IMPACT);
        return 'done';
      },
      () => {},
      { watchEveryMs: 60_000, effectWithinMs: 3000 },
    );
    const sees = [false, true, true, false, true, true, true];
    let looks = 0;
    const at: number[] = [];
    armed.probe = async () => {
      at.push(performance.now());
      return { seen: sees[looks++] ?? true, detail: String(looks) };
    };
    const begun = fault.begin();
    await expect.poll(() => types().includes('fault.effect-seen')).toBe(true);
    // The first look is the one before the injection; of the others only the last three are in a row.
    expect(looks).toBe(7);
    const [seen, injected] = ['fault.effect-seen', 'fault.injected'].map((type) =>
      entries().find((entry) => entry.type === type),
    );
    expect((seen?.t ?? 0) - (injected?.t ?? 0)).toBeCloseTo((at[4] ?? 0) - (at[1] ?? 0), -1);
    await fault.end();
    await begun;
  });

  describe('by looks of which one alone proves nothing', () => {
    const acts: ArmedFault['inject'] = async (allow) => {
      allow(IMPACT);
      return 'done';
    };
    /** Its looks say what they are told, and take so long; then the last of these again and again. */
    function told(over: Partial<PlannedFault>, lookMs = 0) {
      const { it: fault, armed } = life(acts, undefined, over);
      const at: number[] = [];
      let says = [false, true, true, true];
      armed.probe = async () => {
        at.push(performance.now());
        await new Promise((resolve) => setTimeout(resolve, lookMs));
        const seen = says.length > 1 ? says.shift() : says[0];
        return { seen: seen ?? false, detail: seen ? 'silent' : 'answers' };
      };
      const tell = (...next: boolean[]) => {
        says = next;
      };
      return { fault, armed, at, tell };
    }
    const until = (type: string) => expect.poll(() => types().includes(type), { timeout: 4000 }).toBe(true);

    it('is not held by one slow look among many that find it gone', async () => {
      const { fault, tell } = told({ watchEveryMs: 800, effectWithinMs: 800 });
      const begun = fault.begin();
      await until('fault.effect-seen');
      tell(false, false, true, false, true, true, false);
      await begun;
      expect(types()).not.toContain('fault.effect-held');
      expect(entries().at(-1)).toMatchObject({ type: 'fault.effect-lost', detail: 'answers' });
      await fault.end();
    });

    it('is held although one look was late, from the first of those in a row on', async () => {
      const { fault, at, tell } = told({ watchEveryMs: 600, effectWithinMs: 600 });
      const begun = fault.begin();
      await until('fault.effect-seen');
      const before = at.length;
      tell(true, false, true);
      await until('fault.effect-held');
      const [seen, held] = ['fault.effect-seen', 'fault.effect-held'].map((type) =>
        entries().find((entry) => entry.type === type),
      );
      expect((held?.t ?? 0) - (seen?.t ?? 0)).toBeCloseTo((at[before + 2] ?? 0) - (at[1] ?? 0), -1);
      await fault.end();
      await begun;
      expect(types()).not.toContain('fault.effect-lost');
    });

    it('has the time that slow looks take: those in a row that began in time are taken to their end', async () => {
      const { fault, at } = told({ watchEveryMs: 400, effectWithinMs: 400 }, 200);
      const begun = fault.begin();
      await until('fault.effect-held');
      // The one before the injection, three that saw it, and three that saw it again.
      expect(at.length).toBeLessThanOrEqual(8);
      await fault.end();
      await begun;
      expect(types()).not.toContain('fault.effect-lost');
    });

    it('is looked for again so long after the last time, however long the looks take', async () => {
      const { fault, at } = told({ watchEveryMs: 700, effectWithinMs: 700 }, 100);
      const begun = fault.begin();
      await expect
        .poll(() => types().filter((type) => type === 'fault.effect-held').length, { timeout: 5000 })
        .toBe(2);
      const held = entries().filter(({ type }) => type === 'fault.effect-held');
      expect((held[1]?.t ?? 0) - (held[0]?.t ?? 0)).toBeLessThan(700 + 150);
      expect(at.length).toBeGreaterThanOrEqual(10);
      await fault.end();
      await begun;
    });

    it('is not lost when the looks that its end overtakes saw it more often than not', async () => {
      const { fault, at, tell } = told({ watchEveryMs: 1500, effectWithinMs: 60_000 });
      const begun = fault.begin();
      await until('fault.effect-seen');
      const before = at.length;
      tell(...Array.from({ length: 50 }, (_, i) => i % 3 !== 2));
      await expect.poll(() => at.length, { timeout: 8000 }).toBeGreaterThan(before + 7);
      const ended = fault.end();
      tell(false);
      await Promise.all([ended, begun]);
      expect(types()).not.toContain('fault.effect-lost');
    });

    it('is lost when its end overtakes them, and one of many was slow', async () => {
      const { fault, at, tell } = told({ watchEveryMs: 1500, effectWithinMs: 60_000 });
      const begun = fault.begin();
      await until('fault.effect-seen');
      const before = at.length;
      tell(false, false, false, true, false);
      await expect.poll(() => at.length, { timeout: 8000 }).toBeGreaterThan(before + 5);
      await fault.end();
      await begun;
      expect(types()).toContain('fault.effect-lost');
    });

    it('is not gone by one answer that got through', async () => {
      const { fault, at, tell } = told({ watchEveryMs: 60_000, effectWithinMs: 3000 });
      const begun = fault.begin();
      await until('fault.effect-seen');
      const before = at.length;
      tell(false, true, false, false, true, false);
      await fault.end();
      await begun;
      expect(at.length - before).toBe(8);
      const [reverted, gone] = ['fault.reverted', 'fault.effect-gone'].map((type) =>
        entries().find((entry) => entry.type === type),
      );
      expect((gone?.t ?? 0) - (reverted?.t ?? 0)).toBeCloseTo((at[before + 5] ?? 0) - (at[before] ?? 0), -1);
    });

    it('that strikes is seen by two: what it hit may be back soon, but not between two looks', async () => {
      const { fault, tell } = told({ watchEveryMs: null, effectWithinMs: 500 });
      tell(false, true, false);
      await fault.begin();
      expect(types()).toContain('fault.effect-not-seen');
      await fault.end();
      const again = told({ name: 'again', watchEveryMs: null, effectWithinMs: 500 });
      again.tell(false, false, true, true, false);
      await again.fault.begin();
      expect(types()).toContain('fault.effect-seen');
      await again.fault.end();
      expect(types().filter((type) => type === 'fault.effect-gone')).toHaveLength(2);
    });
  });

  it('does not wait for its next look when its time has come', async () => {
    const { it: fault } = life(
      async (allow) => {
        allow(IMPACT);
        return 'done';
      },
      () => {},
      { watchEveryMs: 60_000 },
    );
    const begun = fault.begin();
    await expect.poll(() => types().includes('fault.effect-seen')).toBe(true);
    await fault.end();
    await begun;
    expect(types()).not.toContain('fault.effect-lost');
  });

  it('carries out its undo at once when its audit finds it still there', async () => {
    const left = join(directory, 'left');
    const { it: fault, armed } = life(async (allow) => {
      allow(IMPACT);
      mkdirSync(left);
      return 'done';
    });
    armed.undo.push({ op: 'remove-directory', path: left });
    armed.audit = async () => (existsSync(left) ? ['it is still there'] : []);
    await fault.begin();
    await fault.end();
    expect(existsSync(left)).toBe(false);
    // The verdict has it all the same: a revert that needs force is no clean one.
    expect(entries().at(-1)).toMatchObject({ type: 'fault.audit', clean: false });
    expect(pendingUndos(directory)).toEqual([]);
  });

  it('is not known to be there when the injector does not say so in time', async () => {
    const { it: fault } = life(async (allow) => {
      allow(IMPACT);
      throw new EvidenceError('not within 30 s');
    });
    await fault.begin();
    expect(entries().filter(({ type }) => type === 'fault.error')).toMatchObject([{ step: 'unfinished' }]);
    await fault.end();
    expect(done).toEqual(['reverted']);
  });

  it('is an error of the harness when it acts without asking', async () => {
    const { it: fault } = life(async () => 'done');
    await fault.begin();
    expect(entries().filter(({ type }) => type === 'fault.error')).toMatchObject([
      { step: 'inject', message: expect.stringMatching(/a-kind did not say what it takes/) },
    ]);
  });

  it('names the fault that the target would not take', async () => {
    const { it: fault } = life(
      async () => '',
      () => {},
      { rehearse: () => Promise.reject(new Error('forbidden')) },
    );
    await expect(fault.rehearse()).rejects.toThrow('the target would not take fault it: forbidden');
  });
});
