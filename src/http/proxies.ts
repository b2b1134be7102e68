/** Which proxies stand in front: only they are believed what they tell of whom they ask for (X-Forwarded-For, -Proto, -Host). */
import { isIP } from 'node:net';
import { ConfigError } from '../config.ts';

/** `CUSTODIA_TRUST_PROXY`: addresses and networks, separated by commas; none: nobody is believed. Throws ConfigError. */
export function readTrustedProxies(environment: NodeJS.ProcessEnv): readonly string[] {
  const given = (environment.CUSTODIA_TRUST_PROXY ?? '').split(',').map((text) => text.trim());
  const proxies = given.filter((text) => text !== '');
  const wrong = proxies.find((text) => !isNetwork(text));
  if (wrong !== undefined)
    throw new ConfigError(`CUSTODIA_TRUST_PROXY: found '${wrong}', expected addresses or networks: 192.0.2.1,2001:db8::/32`);
  return proxies;
}

/** All addresses of the world are no proxy. */
function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}
