/** Fields that several routes take, and texts that people read: nothing in them may hide or turn what stands beside it. */
import { Type } from 'typebox';
import { agencyRoles, caseRoles, scopes } from '../access/policy.ts';
import { Refusal } from './problem.ts';

export const Text = Type.String({ minLength: 1, maxLength: 500 });
export const Login = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._@+-]{1,99}$' });
export const Password = Type.String({ minLength: 1, maxLength: 1024 });
export const AgencyRoles = Type.Array(Type.Union(agencyRoles.map((role) => Type.Literal(role))), { uniqueItems: true, maxItems: 8 });
export const CaseRoles = Type.Array(Type.Union(caseRoles.map((role) => Type.Literal(role))), {
  uniqueItems: true,
  minItems: 1,
  maxItems: 8,
});
export const Scopes = Type.Array(Type.Union(scopes.map((scope) => Type.Literal(scope))), { uniqueItems: true, minItems: 1, maxItems: 8 });

/** Controls, halves of pairs, line separators, and what changes the direction of text or is not seen. Unicode Standard Annexes 9 and 44. */
const deceptive = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}]/u;

/** Throws Refusal (`http.text`). */
export function plainText(field: string, text: string): string {
  if (deceptive.test(text) || text.trim() !== text || text === '')
    throw new Refusal(
      422,
      'http.text',
      `${field}: expected text without controls, hidden or turning characters, and without space at its ends`,
    );
  return text;
}
