/** Whose record this database holds: one key signs all of it. */
import { type Pool } from 'pg';
import { queries } from './schema.ts';

/** The fingerprint of the key that signs this record: the one given, where none has signed it yet. */
export async function recordSigner(pool: Pool, keyId: string): Promise<string> {
  await queries(pool)
    .insertInto('laboratory')
    .values({ signer: keyId })
    .onConflict((conflict) => conflict.column('single').doNothing())
    .execute();
  const { signer } = await queries(pool).selectFrom('laboratory').select('signer').executeTakeFirstOrThrow();
  return signer;
}
