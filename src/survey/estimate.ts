import { z } from 'zod';
import { amount, type DocumentOf } from '../migration/document';
import type { Plan } from '../migration/plan';
import type { Amount } from './amount';
import type { Survey } from './survey';

export const timeSchema = z
  .strictObject({
    basis: z
      .enum(['read', 'commands'])
      .describe(
        'read: as long as reading took now; a copy writes meanwhile. commands: what the copy by commands does as a rule.',
      ),
    seconds: z.number().min(0),
    keysPerSecond: amount,
    bytesPerSecond: z.number().min(0).nullable().describe('Payload bytes read; null by commands, where none are.'),
  })
  .describe('How long a copy would take, about.');

export type TimeEstimate = DocumentOf<typeof timeSchema>;

/** What the copy by commands does on ordinary keys, keys a second: see bench/RESULTS.md. */
const BY_COMMANDS = 3_000;

/** @returns null where nothing was read */
export function estimateTime(
  { transport, source }: Pick<Plan, 'transport' | 'source'>,
  survey: Survey,
  total: Amount,
): TimeEstimate | null {
  const { pace } = survey;
  if (pace === undefined || total.keys === 0) return null;
  if (transport === 'commands' && source.file === undefined) {
    const seconds = total.keys / BY_COMMANDS;
    return { basis: 'commands', seconds, keysPerSecond: BY_COMMANDS, bytesPerSecond: null };
  }
  // Ranges were read side by side: of the time that passed, reading has the share that it has of the work.
  const passed = (pace.lastAt - pace.firstAt) / 1_000;
  const seconds = Math.max(0.001, passed * Math.min(1, pace.readMs / Math.max(1, pace.workMs)));
  return {
    basis: 'read',
    seconds,
    keysPerSecond: Math.round(total.keys / seconds),
    bytesPerSecond: Math.round(pace.payloadBytes / seconds),
  };
}
