/** `custodia administrator`: a one-time token for an installation whose administrators are lost. Whoever may open the data folder may ask for it. */
import { type LocalFlags, withInstallation } from './local.ts';
import { type Add } from './main-job.ts';
import { jsonLine } from './terminal.ts';

export function addAdministrator(add: Add): void {
  add('administrator', 'make a one-time administrator token: the first one is lost, or nobody can sign in').action((flags: LocalFlags) =>
    withInstallation(flags, async ({ database, signer }) => {
      const [{ appendAudit }, { makeOneTimeToken }, { transaction }] = await Promise.all([
        import('../store/audit.ts'),
        import('../store/tokens.ts'),
        import('../store/transaction.ts'),
      ]);
      const token = await transaction(database, async (client) => {
        const made = await makeOneTimeToken(client);
        const who = { account: null, agency: null, credential: 'local', address: null };
        const event = { who, route: null, action: 'administrator.token', outcome: 'done', about: {}, request: null } as const;
        await appendAudit(client, signer.privateKey, [event]);
        return made;
      });
      process.stdout.write(
        flags.json ? jsonLine({ event: 'administrator', token }) : `${token}\ngood for one account or token, for 24 hours\n`,
      );
    }),
  );
}
