/** Where the content of an entry is: what a thread needs to read it. */
import { type PoolClient } from 'pg';
import { type Locator } from '../evidence/locator.ts';
import { type ImageReference, type SurveyedVolume, type VolumeReference } from '../evidence/task.ts';

export interface ContentPlace {
  readonly image: ImageReference;
  readonly volume: VolumeReference;
  /** The canonical record of the entry. */
  readonly record: string;
}

/** Null where no entry with content has this locator. */
export async function contentPlace(client: PoolClient, examinationId: string, locator: Locator): Promise<ContentPlace | null> {
  const { rows } = await client.query<{ image: ImageReference; record: string; facts: SurveyedVolume }>(
    `select image, record, facts from seen_entry as entry
     join examination on examination.id = entry.examination_id
     join volume on volume.examination_id = entry.examination_id and starts_with($2, volume.locator || '/')
     where entry.examination_id = $1 and entry.locator = $2 order by length(volume.locator) desc limit 1`,
    [examinationId, locator],
  );
  const row = rows[0];
  if (row === undefined) return null;
  const { image, record, facts } = row;
  const { locator: holder, offset, length, fileSystem } = facts;
  return { image, record, volume: { locator: holder, offset, length, fileSystem: fileSystem?.name ?? '' } };
}
