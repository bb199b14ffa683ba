import type { FindingReport, FindingsPage } from '../../src/api/documents';
import type { Service } from '../service/service';
import type { Context } from './context';

const PAGE = 1_000;

/** The first `wanted` findings of a migration, and whether there are more. Throws what the app answers, and InterruptedError. */
export async function collectFindings(
  service: Service,
  id: string,
  wanted: number,
  { interruption }: Pick<Context, 'interruption'>,
): Promise<{ readonly found: FindingReport[]; readonly more: boolean }> {
  const found: FindingReport[] = [];
  let continuation: string | null = null;
  do {
    const page: FindingsPage = await interruption.race(
      service.client.findings(id, Math.min(PAGE, wanted - found.length), continuation),
    );
    found.push(...page.findings);
    ({ continuation } = page);
  } while (continuation !== null && found.length < wanted);
  return { found, more: continuation !== null };
}
