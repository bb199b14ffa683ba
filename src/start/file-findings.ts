import { z } from 'zod';
import { packJson, unpackJson } from '../basics/packed-json';
import type { ConversionFacts } from '../convert/conversion-facts';
import { allNoted, type FileCounter } from '../convert/file-keys';
import { convertersByName } from '../convert/make-converters';
import { kindOf } from '../convert/registry';
import { mustParse, ROW_VERSION, UnreadableRowError, version } from '../ledger/row-schemas';
import type { MigrationRequest } from '../migration/request';
import { makeSelection } from '../migration/selection';
import { LayoutReader, layoutStateSchema } from '../payload/file-layout';
import type { KeyRecord } from '../payload/read-record';
import type { SourceFile } from '../payload/source-file';
import { typeNameOf } from '../payload/type-names';

/** A file that was read to its end, as a plan is made of it. */
export interface ReadFile {
  readonly file: SourceFile;
  /** What each of the request's conversions will find in these databases. */
  readonly conversionFacts: (databases: readonly number[]) => readonly ConversionFacts[];
}

const schema = z.object({
  version,
  layout: layoutStateSchema,
  counters: z.array(z.unknown()),
  noted: z.array(z.tuple([z.int().min(0), z.int().min(0)])),
});
type Kept = z.infer<typeof schema>;

/** What is found in a file while it is read: what stands where, and how much there is for the conversions of the request. */
export class FileFindings {
  readonly reader: LayoutReader;
  private readonly counters: readonly FileCounter[];
  /** Keys of which converters must know something beside those that they convert, by database. */
  private readonly noted: Map<number, number>;

  /**
   * Goes on from what `pack` gave, or begins anew where there is nothing that can be read: that is right as well, and only takes longer.
   * @param largeBytes records above are told; of what goes on it stays what it was
   */
  static from(
    packed: Buffer | undefined,
    request: Pick<MigrationRequest, 'convert' | 'select'>,
    largeBytes: number,
  ): FileFindings {
    if (packed !== undefined) {
      try {
        return new FileFindings(request, largeBytes, unpack(packed));
      } catch (error) {
        if (!(error instanceof UnreadableRowError || error instanceof z.ZodError)) throw error;
      }
    }
    return new FileFindings(request, largeBytes);
  }

  private constructor(
    private readonly request: Pick<MigrationRequest, 'convert' | 'select'>,
    largeBytes: number,
    kept?: Kept,
  ) {
    const selection = makeSelection(request.select);
    this.counters = request.convert.map((options, i) =>
      kindOf(options).counter(options, (key, type) => selection.wants(key, type), kept?.counters[i]),
    );
    this.noted = new Map(kept?.noted);
    const seen = this.seen();
    this.reader = kept === undefined ? new LayoutReader(largeBytes, seen) : LayoutReader.from(kept.layout, seen);
  }

  private seen(): ((database: number, key: KeyRecord) => void) | undefined {
    const { convert } = this.request;
    if (convert.length === 0) return undefined;
    const { counters, noted } = this;
    const beside = allNoted(convertersByName(convert));
    return (database, { key, type }) => {
      const name = typeNameOf(type);
      for (const counter of counters) counter.see(database, key, name);
      if (beside.concerns(key)) noted.set(database, (noted.get(database) ?? 0) + 1);
    };
  }

  /** What was found up to where the reader can be gone on with, compressed. */
  pack(): Buffer {
    const counters = this.counters.map((counter) => counter.state());
    const kept: Kept = { version: ROW_VERSION, layout: this.reader.state(), counters, noted: [...this.noted] };
    return packJson(kept);
  }

  /** @param file as the whole look has found it */
  whole(file: SourceFile): ReadFile {
    const databases = file.databases.map((each) => ({ ...each, noted: this.noted.get(each.database) ?? 0 }));
    return {
      file: this.request.convert.length === 0 ? file : { ...file, databases },
      conversionFacts: (numbers) => this.counters.map((counter) => counter.facts(numbers)),
    };
  }
}

function unpack(packed: Buffer): Kept {
  return mustParse('What was found in a file', schema, unpackJson(packed));
}
