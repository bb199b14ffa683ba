import { z } from 'zod';

const number = z.number().min(0);

/** A conversion as a plan and a report tell it. */
export const plannedConversionSchema = z.object({
  name: z.string().describe('Of the converter.'),
  facts: z
    .record(z.string(), z.union([number, z.boolean(), z.record(z.string(), number)]))
    .describe('What it found when the migration was planned, by what it is: numbers, numbers by names, yes or no.'),
});

/** By what it is: numbers, numbers by names, yes or no. */
export type ConversionFacts = Readonly<Record<string, number | boolean | Readonly<Record<string, number>>>>;

export interface PlannedConversion {
  readonly name: string;
  readonly facts: ConversionFacts;
}
