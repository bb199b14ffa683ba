import type { Names } from '../convert/names';
import { absentFrom, type Side } from '../transfer/side';

/** What is known of keys of the source that the target may lack. */
export interface Lacking {
  /** On the source, and on the target under none of the names that they may have there. */
  readonly missing: readonly Buffer[];
  /** Of those that the target lacks, how many are gone from the source as well: expired or deleted meanwhile. */
  readonly gone: number;
}

/** Asks the target for keys of the source, under one name after the other. Throws as the sides' attempts do. */
export async function lackingKeys(
  keys: readonly Buffer[],
  names: Pick<Names, 'possible'>,
  { source, target }: { readonly source: Side; readonly target: Side },
): Promise<Lacking> {
  let open = keys.map((key) => ({ key, names: names.possible(key) })).filter(hasNext);
  const lacking: Buffer[] = [];
  while (open.length > 0) {
    const absent = await absentFrom(
      target,
      open.flatMap(({ names: [name] }) => name ?? []),
    );
    const left = open.filter((_, i) => absent.has(i)).map((one) => ({ ...one, names: one.names.slice(1) }));
    lacking.push(...left.filter((one) => !hasNext(one)).map(({ key }) => key));
    open = left.filter(hasNext);
  }
  const gone = await absentFrom(source, lacking);
  return { missing: lacking.filter((_, i) => !gone.has(i)), gone: gone.size };
}

function hasNext({ names }: { readonly names: readonly Buffer[] }): boolean {
  return names.length > 0;
}
