/** X-Forwarded-For is believed from proxies that the operator named, and from nobody else. Addresses: RFC 5737. */
import { afterEach, describe, expect, it } from 'vitest';
import { readTrustedProxies } from '../../src/http/proxies.ts';
import { openService, type TestService } from '../support/service.ts';

let service: TestService | undefined;
afterEach(async () => {
  await service?.close();
  service = undefined;
});

/** What the audit log holds for an address after a request that tells of another one. */
async function addressSeen(trustedProxies: readonly string[], forwarded: string): Promise<string | null> {
  service = await openService({ trustedProxies });
  const { token } = await service.person(await service.agency(), ['auditor']);
  const headers = { 'x-forwarded-for': forwarded, 'x-real-ip': '203.0.113.9', forwarded: 'for=203.0.113.9' };
  expect((await service.ask('/api/v1/self', { token, headers })).status).toBe(200);
  const { items } = (await service.ask('/api/v1/audit?action=self.read', { token })).json;
  return items[0].who.address;
}

it('believes no stranger', async () => {
  expect(await addressSeen([], '203.0.113.7')).toBe('127.0.0.1');
});

it('believes no one beside the proxies that were named', async () => {
  expect(await addressSeen(['192.0.2.0/24'], '203.0.113.7')).toBe('127.0.0.1');
});

it('believes a proxy that was named, as far as proxies go: what a stranger put in front stays unheard', async () => {
  expect(await addressSeen(['127.0.0.1', '192.0.2.0/24'], '198.51.100.1, 203.0.113.7, 192.0.2.5')).toBe('203.0.113.7');
});

describe('CUSTODIA_TRUST_PROXY', () => {
  const read = (text?: string) => readTrustedProxies(text === undefined ? {} : { CUSTODIA_TRUST_PROXY: text });

  it('names addresses and networks, or nobody', () => {
    expect([read(), read(''), read('192.0.2.1, 2001:db8::/32,10.0.0.0/8')]).toEqual([[], [], ['192.0.2.1', '2001:db8::/32', '10.0.0.0/8']]);
  });

  it.each(['true', '*', 'loopback', 'proxy.example', '0.0.0.0/0', '::/0', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0'])(
    'refuses %s',
    (text) => {
      expect(() => read(text)).toThrow('CUSTODIA_TRUST_PROXY: found');
    },
  );
});
