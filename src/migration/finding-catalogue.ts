import { catalogue } from '../convert/catalogue';
import type { FindingMeaning } from '../convert/converter-findings';
import { commonFindings } from './finding-codes';

/** Every code that a finding may have, those of converters too. */
export const findingCatalogue: Readonly<Record<string, FindingMeaning>> = {
  ...commonFindings,
  ...Object.fromEntries(catalogue.flatMap(({ findings }) => Object.entries(findings.meanings))),
};
