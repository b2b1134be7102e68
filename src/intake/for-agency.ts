/** Evidence roots and S3 sources are open to the cases of some agencies only. */
import { type ForAgencies } from '../config.ts';

/** An unknown one and one of other agencies are the same to whoever asks. */
export function findFor<T extends { readonly name: string; readonly agencies: ForAgencies }>(
  all: readonly T[],
  name: string,
  agencyId: string,
): T | undefined {
  return all.find((one) => one.name === name && isFor(one, agencyId));
}

export const isFor = ({ agencies }: { readonly agencies: ForAgencies }, agencyId: string): boolean =>
  agencies === null || agencies.includes(agencyId);
