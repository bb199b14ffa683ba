import { constants, createContext } from 'node:vm';
import { TestEnvironment } from 'jest-environment-node';

/**
 * Jest's environment for Node with another global object: an ordinary one. Jest's own is asked through an interceptor and a Proxy
 * whenever code names `Buffer` or `Math`, and code that computes takes twice its time by it.
 */
export default class PlainEnvironment extends TestEnvironment {
  constructor(...[config, context]: ConstructorParameters<typeof TestEnvironment>) {
    super(config, context);
    const plain = createContext(constants.DONT_CONTEXTIFY) as InstanceType<typeof TestEnvironment>['global'];
    const language = new Set(Reflect.ownKeys(plain));
    // Of these there must be one only, Node's.
    for (const name of ['Buffer', 'ArrayBuffer', 'Uint8Array']) language.delete(name);
    for (const name of Reflect.ownKeys(this.global)) {
      const property = Reflect.getOwnPropertyDescriptor(this.global, name);
      if (property !== undefined && !language.has(name))
        Object.defineProperty(plain, name, lasting(plain, name, property));
    }
    Object.assign(plain, { global: plain });
    // As many as tell where something failed: to gather them is most of the cost of an error.
    plain.Error.stackTraceLimit = 20;
    this.context = plain;
    this.global = plain;
    this.moduleMocker = likewise(this.moduleMocker, plain);
    this.fakeTimersModern = likewise(this.fakeTimersModern, { config: config.projectConfig, global: plain });
  }
}

/** Jest reads Node's globals when they are first asked for, and keeps them in its own object. */
function lasting(plain: object, name: string | symbol, property: PropertyDescriptor): PropertyDescriptor {
  const { get, enumerable = false, configurable = false } = property;
  if (get === undefined || !configurable) return property;
  const keep = (value: unknown): void => {
    Object.defineProperty(plain, name, { value, enumerable, configurable, writable: true });
  };
  return {
    enumerable,
    configurable,
    get: () => {
      const value: unknown = get.call(plain);
      keep(value);
      return value;
    },
    set: keep,
  };
}

/** Another one of the same class, whose package is Jest's own affair. */
function likewise<T extends object>(one: T | null, ...given: unknown[]): T {
  return new (one?.constructor as new (...given: unknown[]) => T)(...given);
}
