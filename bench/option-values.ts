import { InvalidArgumentError } from 'commander';

/** A whole number above 0; `_` may stand between its digits. @throws InvalidArgumentError */
export function parseCount(text: string): number {
  const value = Number(text.replaceAll('_', ''));
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('Not a whole number above 0.');
  return value;
}
