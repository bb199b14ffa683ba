/**
 * The shape of a JSON value: names of fields and kinds of values, without the values. Texts that are JSON objects are
 * looked into; `isVariable` names the objects whose field names are data (headers, say) and count for nothing.
 */
export function shapeOf(value: unknown, isVariable: (path: string) => boolean = () => false, path = ''): unknown {
  if (value === null) return 'null';
  if (typeof value === 'string') {
    const parsed = parseObject(value);
    return parsed === undefined ? 'text' : { json: shapeOf(parsed, isVariable, `${path}#`) };
  }
  if (typeof value !== 'object') return typeof value;
  if (Array.isArray(value)) {
    const shapes = value.map((item) => JSON.stringify(shapeOf(item, isVariable, `${path}[]`)));
    return [...new Set(shapes)].sort().map((text) => JSON.parse(text) as unknown);
  }
  if (isVariable(path)) return 'variable';
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, item]) => [name, shapeOf(item, isVariable, `${path}.${name}`)]),
  );
}

function parseObject(text: string): unknown {
  if (!/^\s*[{[]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
