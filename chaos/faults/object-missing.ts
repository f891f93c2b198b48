/** An object that builds need is not in the object store any more: the "S3 parser file not found" of the SRE guide. */
import { PARSER_SOURCE } from '../../base/parser-object.ts';
import { checkParams, type FaultKind } from '../fault.ts';
import { required } from './required.ts';

/** S3's answers. Source: Amazon S3 API reference, GetObject. */
const THERE = 200;
const NOT_THERE = 404;

export const objectMissing: FaultKind = {
  kind: 'object-missing',
  refuse: (params, abilities) =>
    checkParams(params, { key: { type: 'string', required: true } }) ??
    (abilities.objectStore
      ? undefined
      : `target ${abilities.target} has no object store of the harness's own`),
  undo: ({ key }) => `object ${key} is put back`,
  probe: ({ key }) => `the object store answers ${NOT_THERE} to who asks for ${key}`,
  lasts: true,
  arm(_name, params, drivers) {
    const objects = required(drivers.objects, 'the object store');
    const key = String(params.key);
    return {
      // The store is made for the run and ends with it.
      undo: [],
      async inject(allow) {
        // No pod, and no node, is touched.
        allow({ pods: [], nodes: [], workloads: [] });
        await objects.remove(key);
        return `object ${key} is deleted`;
      },
      revert: () => objects.put(key, PARSER_SOURCE),
      async probe() {
        const status = await objects.status(key);
        return { seen: status === NOT_THERE, detail: `GET ${key}: ${status}` };
      },
      async audit() {
        const status = await objects.status(key);
        return status === THERE ? [] : [`object ${key} is not back: the object store answers ${status}`];
      },
    };
  },
};
