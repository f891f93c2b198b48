/** Target `kind`: the reference platform on the kind cluster that `make cluster` made. */
import { kindPlace } from './place.ts';
import { referencePlatform } from './reference.ts';

export const kindTarget = referencePlatform('kind', kindPlace);
