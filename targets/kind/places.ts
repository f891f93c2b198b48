/** For what is to be known before anything is up: which right goes where, and to which object. */
import type { Abilities } from '../../chaos/fault.ts';
import { type Owners, ownerOf, placesOf } from './chaos.ts';

export function namedPlaces(owners: Owners): NonNullable<Abilities['cluster']>['owners'] {
  return Object.fromEntries(
    Object.entries(placesOf(owners)).map(([component, place]) => {
      const [, name = ''] = ownerOf(owners, component).object.split('/');
      return [component, { ...place, name }];
    }),
  );
}
