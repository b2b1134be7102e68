/** Passwords: what another implementation made is understood, strangers cost as much as members, and no crowd fills the memory. */
import { expect, it } from 'vitest';
import { BusyError, createPasswordChecker, weaknessOf } from '../../src/access/password.ts';

const passwords = createPasswordChecker();

it('understands what the reference implementation makes', async () => {
  // phc-winner-argon2, src/test.c: hashtest(version, 2, 16, 1, "password", "somesalt", "09316115d5cf24ed...", this string, Argon2_id)
  const known = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
  expect(await passwords.check(known, 'password')).toBe(true);
  expect(await passwords.check(known, 'Password')).toBe(false);
});

it('makes a PHC string with the parameters of OWASP, another each time', async () => {
  const [one, other] = await Promise.all([passwords.hash('correct horse battery'), passwords.hash('correct horse battery')]);
  expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(one).not.toBe(other);
  expect(await passwords.check(one, 'correct horse battery')).toBe(true);
});

it('takes what looks alike for the same', async () => {
  // U+00E9 and U+0065 U+0301: equal under NFC and NFKC (Unicode Standard Annex 15)
  const known = await passwords.hash('caf\u00e9 caf\u00e9 caf\u00e9');
  expect(await passwords.check(known, 'cafe\u0301 cafe\u0301 cafe\u0301')).toBe(true);
});

it('is never right without a password, and takes its time for it', async () => {
  const known = await passwords.hash('correct horse battery');
  const least = { member: Infinity, stranger: Infinity }; // of several, in turn: what else the machine does only adds
  const isEven = () => least.stranger > least.member / 2 && least.stranger < least.member * 2;
  for (let round = 0; round < 5 || (round < 60 && !isEven()); round++) {
    for (const [who, phc] of [
      ['member', known],
      ['stranger', null],
    ] as const) {
      const from = performance.now();
      expect(await passwords.check(phc, 'wrong horse battery')).toBe(false);
      least[who] = Math.min(least[who], performance.now() - from);
    }
  }
  expect(least).toSatisfy(isEven);
});

it('refuses a crowd instead of keeping it waiting', async () => {
  const crowd = await Promise.allSettled(Array.from({ length: 80 }, () => passwords.check(null, 'x')));
  const refused = crowd.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
  expect(refused).toHaveLength(80 - 2 - 64); // two at once, 64 wait
  expect(refused[0]!.reason).toBeInstanceOf(BusyError);
  expect(await passwords.check(null, 'x')).toBe(false);
});

it('says what is wrong with a weak one', () => {
  expect(weaknessOf('elevenchars', 'ada')).toContain('11 characters');
  expect(weaknessOf('aaaaaaaaaaaaaaaa', 'ada')).toContain('repeats');
  expect(weaknessOf('my name is Lovelace', 'lovelace')).toContain('login');
  expect(weaknessOf('correct horse battery', 'ada')).toBeNull();
});
