/** Signing in through an OpenID provider: only the one that the operator names. */
import { readFileSync } from 'node:fs';
import { ConfigError } from '../config.ts';
import { isId } from './route.ts';

export interface OidcSettings {
  readonly issuer: URL;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Where browsers find this service: the provider sends them back below it. */
  readonly publicUrl: URL;
  /** In which agency an account is made for who has none; null: nobody's account is made. */
  readonly agencyId: string | null;
}

/** Null where no provider is named. Throws ConfigError. Without TLS only on this machine, and only where `CUSTODIA_OIDC_INSECURE=loopback` asks for it. */
export function readOidcSettings(environment: NodeJS.ProcessEnv): OidcSettings | null {
  if (!environment.CUSTODIA_OIDC_ISSUER) return null;
  const issuer = address(environment, 'CUSTODIA_OIDC_ISSUER');
  const publicUrl = address(environment, 'CUSTODIA_URL');
  const isLoopback = ['127.0.0.1', '[::1]', 'localhost'].includes(issuer.hostname);
  if (issuer.protocol !== 'https:' && !(isLoopback && environment.CUSTODIA_OIDC_INSECURE === 'loopback'))
    throw new ConfigError('CUSTODIA_OIDC_ISSUER: found an address without TLS, expected https:');
  const agencyId = environment.CUSTODIA_OIDC_AGENCY || null;
  if (agencyId !== null && !isId(agencyId)) throw new ConfigError('CUSTODIA_OIDC_AGENCY: found no id, expected that of an agency');
  return { issuer, publicUrl, agencyId, clientId: text(environment, 'CUSTODIA_OIDC_CLIENT'), clientSecret: secretOf(environment) };
}

function text(environment: NodeJS.ProcessEnv, name: string): string {
  const value = environment[name];
  if (!value) throw new ConfigError(`${name}: found nothing, expected a value, as CUSTODIA_OIDC_ISSUER is set`);
  return value;
}

function address(environment: NodeJS.ProcessEnv, name: string): URL {
  const value = text(environment, name);
  if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol))
    throw new ConfigError(`${name}: found no address, expected https://...`);
  return new URL(value);
}

/** In a file, as the environment of a process is seen by others. */
function secretOf(environment: NodeJS.ProcessEnv): string {
  const path = text(environment, 'CUSTODIA_OIDC_SECRET_FILE');
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new ConfigError(`CUSTODIA_OIDC_SECRET_FILE: cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
