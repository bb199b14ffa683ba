import type { CompareContext, Compared } from '../converter';
import type { ReadState } from './cache-store';
import { isPlainEntry } from './entry';
import type { CacheOptions } from './options';

/**
 * How what the target has of a key stands to what the source has.
 * @param here what was read to be converted @param there what was read as the new form
 */
export function compareValues(
  here: ReadState,
  there: ReadState,
  to: CacheOptions['to'],
  expiriesAgree: CompareContext['expiriesAgree'],
): Compared {
  if (here === 'gone' || here === 'plain') return here;
  if (there === 'gone') return { code: 'missing', message: 'The key is on the source, and not on the target.' };
  if (there === 'plain') return { code: 'different-type', message: `The key is not of the form that ${to} have.` };
  if ('refused' in here) return { code: 'different-value', message: here.refused };
  if ('refused' in there) return { code: 'different-value', message: there.refused };
  if (here.data === undefined || there.data?.equals(here.data) !== true) {
    return { code: 'different-value', message: 'The value on the target is another one.' };
  }
  if (!expiriesAgree(here.expiry, there.expiry)) {
    return { code: 'different-expiry', message: 'The key expires at another time on the target.' };
  }
  if (to === 'entries' && !isPlainEntry(there, there.expiry)) {
    return { code: 'different-value', message: 'The entry on the target has other expirations, or more fields.' };
  }
  return 'same';
}
