/** The part of JSON Schema that the request's schema in the app's own OpenAPI document uses. */
export interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly multipleOf?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly maxItems?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly $ref?: string;
}

type Schemas = Readonly<Record<string, Schema>>;

/** The schema of POST's body with every reference put in its place. @throws Error where the document has none */
export function requestSchema(document: unknown): Schema {
  const schemas = (document as { components?: { schemas?: Schemas } } | null)?.components?.schemas ?? {};
  const schema = schemas.MigrationRequest;
  if (schema === undefined) throw new Error('The app does not describe its requests.');
  return resolved(schema, schemas, 0);
}

function resolved(schema: Schema, schemas: Schemas, depth: number): Schema {
  const name = schema.$ref?.split('/').at(-1);
  const known = name === undefined ? schema : (schemas[name] ?? {});
  if (depth > 8) return known;
  const inner = (one: Schema) => resolved(one, schemas, depth + 1);
  return {
    ...known,
    ...(known.items === undefined ? {} : { items: inner(known.items) }),
    ...(known.oneOf === undefined ? {} : { oneOf: known.oneOf.map(inner) }),
    ...(known.properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(known.properties).map(([key, one]) => [key, inner(one)])) }),
  };
}

/** The values that a field can have where they are few; undefined where it is free. */
export function choicesOf(schema: Schema): readonly string[] | undefined {
  const values = schema.enum ?? (schema.const === undefined ? undefined : [schema.const]);
  return values?.every((value) => typeof value === 'string') === true ? values : undefined;
}
