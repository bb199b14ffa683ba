import { commonFindings, type FindingMeaning } from '../migration/finding-codes';
import { catalogue } from './catalogue';

/** Every code that a finding may have, those of converters too. */
export const findingCatalogue: Readonly<Record<string, FindingMeaning>> = Object.fromEntries([
  ...Object.entries(commonFindings),
  ...catalogue.flatMap(({ findings }) => Object.entries(findings)),
]);
