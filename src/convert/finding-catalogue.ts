import { commonFindings, type FindingMeaning } from '../migration/finding-codes';
import { sessionFindings } from './aspnet-session/finding-codes';

/** Every code that a finding may have, those of converters too. */
export const findingCatalogue: Readonly<Record<string, FindingMeaning>> = {
  ...commonFindings,
  ...sessionFindings.meanings,
};
