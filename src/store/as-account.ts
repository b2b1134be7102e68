/** Reads with the eyes of an account: PostgreSQL itself shows no row that the account must not see (migrations/0003-service.ts). */
import { type Pool, type PoolClient } from 'pg';
import { transaction } from './transaction.ts';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** One read-only transaction in the role of the API. What `read` throws ends it. */
export async function asAccount<T>(pool: Pool, accountId: string, read: (client: PoolClient) => Promise<T>): Promise<T> {
  if (!uuid.test(accountId)) throw new TypeError(`'${accountId}' is no id of an account`); // stands in a statement that takes no parameters
  return transaction(pool, read, `begin read only; set local role custodia_api; set local custodia.account = '${accountId}'`);
}
