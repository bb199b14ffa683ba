/** What a code of a finding means. */
export interface FindingMeaning {
  /** Whether the key is on the target; where not, what the target had under its name stays as it was. */
  readonly onTarget: boolean;
  /** Of the key, behind "The key ". */
  readonly means: string;
  readonly todo: string;
}

declare const declared: unique symbol;

/** A code that a converter declares. */
export type ConverterFindingCode = string & { readonly [declared]: true };

/** The codes of a converter, which all begin with a word of its own. */
export interface ConverterFindings<Name extends string = string> {
  readonly meanings: Readonly<Record<string, FindingMeaning>>;
  code(name: Name): ConverterFindingCode;
}

/** Declares the codes of a converter: `prefix-name` for each name. */
export function findingsOfConverter<Name extends string>(
  prefix: string,
  meanings: Readonly<Record<Name, FindingMeaning>>,
): ConverterFindings<Name> {
  const code = (name: Name) => `${prefix}-${name}` as ConverterFindingCode;
  const entries = (Object.keys(meanings) as Name[]).map((name) => [code(name), meanings[name]] as const);
  return { meanings: Object.fromEntries(entries), code };
}
