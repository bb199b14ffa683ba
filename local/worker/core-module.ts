import Module from 'node:module';
import type {
  BindingInfo,
  FunctionCallback,
  FunctionMetadata,
  HookCallback,
  LogCategory,
  LogLevel,
  ProgrammingModel,
} from './core-types';

/** A function as the app registered it: what it is bound to, and the code behind it. */
export interface RegisteredFunction {
  metadata: FunctionMetadata;
  callback: FunctionCallback;
}

/** What an app has told the worker through `@azure/functions-core`, and what the worker answers it. */
export interface CoreState {
  functions: Map<string, RegisteredFunction>;
  hooks: Map<string, HookCallback[]>;
  programmingModel: ProgrammingModel | undefined;
  /** Registering is allowed only while the entry files load. */
  registrationClosed: boolean;
  /** The entry file that is being loaded, absolute; empty between files. */
  currentFile: string;
  log(level: LogLevel, category: LogCategory, message: string): void;
}

/** A fresh state: nothing registered, nothing logged. */
export function createCoreState(log: CoreState['log']): CoreState {
  return {
    functions: new Map(),
    hooks: new Map(),
    programmingModel: undefined,
    registrationClosed: false,
    currentFile: '',
    log,
  };
}

class Disposable {
  constructor(private readonly callOnDispose: () => unknown) {}

  dispose(): unknown {
    return this.callOnDispose();
  }

  static from(...disposables: { dispose: () => unknown }[]): Disposable {
    return new Disposable(() => {
      for (const disposable of disposables) disposable.dispose();
    });
  }
}

const hookNames = ['preInvocation', 'postInvocation', 'appStart', 'appTerminate', 'log'];

/**
 * The object that `require('@azure/functions-core')` gives: the contract between a worker and the programming model.
 * Source: Azure/azure-functions-nodejs-worker, src/setupCoreModule.ts and src/coreApi/.
 * @param current the state that calls apply to; asked anew at each call, because libraries keep the module for ever
 */
export function createCoreModule(current: () => CoreState): Record<string, unknown> {
  return {
    version: '3.9.1',
    hostVersion: '4.1037.0',
    Disposable,
    log: (level: LogLevel, category: LogCategory, message: string) => {
      current().log(level, category, message);
    },
    setProgrammingModel: (model: ProgrammingModel) => {
      current().programmingModel = model;
    },
    getProgrammingModel: () => current().programmingModel,
    registerHook: (name: string, callback: HookCallback) => {
      if (!hookNames.includes(name)) throw new RangeError(`Unrecognized hook "${name}"`);
      const { hooks } = current();
      const callbacks = hooks.get(name) ?? [];
      hooks.set(name, callbacks);
      callbacks.push(callback);
      return new Disposable(() => {
        const at = callbacks.indexOf(callback);
        if (at >= 0) callbacks.splice(at, 1);
      });
    },
    registerFunction: (
      metadata: { name?: string; functionId?: string; bindings: Record<string, BindingInfo> },
      callback: FunctionCallback,
    ) => {
      const state = current();
      if (state.registrationClosed) throw new Error('A function can only be registered during app startup.');
      const name = metadata.name ?? metadata.functionId;
      if (!name) throw new Error('A function needs a name.');
      if (state.functions.has(name)) throw new Error(`A function with name "${name}" is registered already.`);
      state.functions.set(name, { metadata: describe(name, metadata.bindings, state.currentFile), callback });
      return new Disposable(() => state.functions.delete(name));
    },
  };
}

function describe(name: string, bindings: Record<string, BindingInfo>, file: string): FunctionMetadata {
  const slash = file.lastIndexOf('/');
  return {
    name,
    functionId: name,
    bindings,
    rawBindings: Object.entries(bindings).map(([bindingName, binding]) =>
      JSON.stringify({ ...binding, name: bindingName }),
    ),
    scriptFile: file.slice(slash + 1),
    directory: file.slice(0, Math.max(slash, 0)),
  };
}

const installed = Symbol.for('keyferry.functions-core');

interface Installation {
  state: CoreState;
  model: ProgrammingModel | undefined;
}

/**
 * Makes `require('@azure/functions-core')` work in this process, for `state`. `@azure/functions` keeps the module it
 * got and sets its programming model once only, so there is one installation a process, whose state can be exchanged.
 * @returns a function that ends the state's use
 * @throws Error when another state is in use: one app a process, as in a real worker
 */
export function installCoreModule(state: CoreState): () => void {
  const root = globalThis as unknown as Record<symbol, Installation | null | undefined>;
  const previous = root[installed];
  if (previous === undefined) interceptRequire(() => root[installed]?.state ?? closedState);
  else if (previous && previous.state !== closedState) throw new Error('One local host a process: another is running.');
  state.programmingModel ??= previous?.model;
  root[installed] = { state, model: undefined };
  return () => {
    root[installed] = { state: closedState, model: state.programmingModel };
  };
}

const closedState: CoreState = { ...createCoreState(() => undefined), registrationClosed: true };

function interceptRequire(current: () => CoreState): void {
  const core = createCoreModule(current);
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its own `this` below
  const { require: original } = Module.prototype;
  Module.prototype.require = Object.assign(function (this: Module, id: string): unknown {
    return id === '@azure/functions-core' ? core : original.call(this, id);
  }, original);
}
