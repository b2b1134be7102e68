/** Remembers where uploads under way are at the service: a small file for each, in the state folder of this account. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type UrlStorage } from 'tus-js-client';

export function uploadPlaces(folder: string): UrlStorage {
  const fileOf = (fingerprint: string) => join(folder, `upload-${createHash('sha256').update(fingerprint).digest('hex')}.json`);
  return {
    findAllUploads: async () => [],
    async findUploadsByFingerprint(fingerprint) {
      const urlStorageKey = fileOf(fingerprint);
      try {
        return [{ ...JSON.parse(await readFile(urlStorageKey, 'utf8')), urlStorageKey }];
      } catch (error) {
        // what is not there, or is no JSON any more, is begun anew
        if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return [];
        throw error;
      }
    },
    removeUpload: (urlStorageKey) => rm(urlStorageKey, { force: true }),
    async addUpload(fingerprint, upload) {
      const file = fileOf(fingerprint);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const draft = `${file}.${randomBytes(4).toString('hex')}.partial`;
      await writeFile(draft, JSON.stringify(upload), { mode: 0o600 });
      await rename(draft, file);
      return file;
    },
  };
}
