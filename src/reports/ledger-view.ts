/** What a report shows of an exhibit's ledger: a pure function of its events, so that a verifier can make it again. */
import { type ChainedEvent } from '../custody/event.ts';
import { custodyGaps, custodyTable } from '../custody/gaps.ts';
import { type ReportFindings } from './findings.ts';

/** Lines of the custody table; the rest is counted, and stands in ledger.jsonl. */
const shownLines = 500;

export function ledgerView(events: readonly ChainedEvent[], headDigest: string): ReportFindings['ledger'] {
  const lines = custodyTable(events.filter(isWorthALine));
  const table = lines.slice(0, shownLines);
  return { events: events.length, head: headDigest, gaps: custodyGaps(events), table, tableOmitted: events.length - table.length };
}

/** Batches of files that went as they should are many, and each is as good as the other. */
const isWorthALine = ({ step }: ChainedEvent): boolean => !(step?.kind === 'examine-files' && step.outcome === 'done' && step.unchanged);
