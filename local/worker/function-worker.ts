import { randomUUID } from 'node:crypto';
import type { Logger } from '../logger';
import { createCoreState, type CoreState, type RegisteredFunction } from './core-module';
import type {
  CoreInvocationContext,
  InvocationRequest,
  InvocationResponse,
  LogCategory,
  LogLevel,
  ParameterBinding,
  TypedData,
} from './core-types';

/** What a trigger hands over: the inputs in the order of the function's bindings, and the trigger's metadata. */
export interface Invocation {
  inputData: ParameterBinding[];
  triggerMetadata: Record<string, TypedData>;
}

/**
 * The worker's side of an invocation: hooks, arguments, the function's code, the response.
 * Source: Azure/azure-functions-nodejs-worker, src/eventHandlers/InvocationHandler.ts.
 */
export class FunctionWorker {
  readonly state: CoreState;
  private readonly appHookData: Record<string, unknown> = {};
  private running = 0;
  private idle: (() => void)[] = [];

  constructor(private readonly log: Logger) {
    this.state = createCoreState((level, category, message) => {
      this.write(level, category, message);
    });
  }

  get functions(): ReadonlyMap<string, RegisteredFunction> {
    return this.state.functions;
  }

  /** Closes registration, asks the programming model for its capabilities and runs the appStart hooks. */
  async start(appRoot: string): Promise<void> {
    this.state.registrationClosed = true;
    const capabilities = (await this.state.programmingModel?.getCapabilities?.({})) ?? {};
    if (capabilities.HttpUri) {
      throw new Error('HTTP streams (enableHttpStream) are not supported by the local host.');
    }
    await this.runHooks('appStart', { hookData: {}, appHookData: this.appHookData, functionAppDirectory: appRoot });
  }

  /** Runs the appTerminate hooks; an error in one is logged, so that the others still run. */
  async terminate(): Promise<void> {
    try {
      await this.runHooks('appTerminate', { hookData: {}, appHookData: this.appHookData });
    } catch (error) {
      this.log.error(`appTerminate: ${messageOf(error)}`);
    }
  }

  /** Resolves when no function runs, or after `timeoutMs`; false in the second case. */
  async drain(timeoutMs: number): Promise<boolean> {
    if (this.running === 0) return true;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve(false);
      }, timeoutMs);
      this.idle.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  /**
   * Runs one function once.
   * @throws whatever the function threw, or an Error when there is no such function
   */
  async invoke(functionName: string, invocation: Invocation): Promise<InvocationResponse> {
    return this.invokeRequest({
      inputData: invocation.inputData,
      triggerMetadata: invocation.triggerMetadata,
      invocationId: randomUUID(),
      functionId: functionName,
      traceContext: { attributes: {}, traceParent: '', traceState: '' },
      retryContext: null,
    });
  }

  /** As `invoke`, with the whole request as a host sends it. */
  async invokeRequest(request: InvocationRequest): Promise<InvocationResponse> {
    const registered = this.functions.get(request.functionId);
    if (!registered) throw new Error(`Function code for '${request.functionId}' is not loaded and cannot be invoked.`);
    this.running += 1;
    try {
      return await this.run(request, registered);
    } finally {
      this.running -= 1;
      if (this.running === 0) for (const resolve of this.idle.splice(0)) resolve();
    }
  }

  private async run(request: InvocationRequest, registered: RegisteredFunction): Promise<InvocationResponse> {
    const model = this.state.programmingModel;
    if (!model) throw new Error('The app has set no programming model.');
    const core: CoreInvocationContext = {
      invocationId: request.invocationId,
      request,
      metadata: registered.metadata,
      state: undefined,
      log: (level, category, message) => {
        this.runLogHooks({ level, category, message, invocationContext: running.context });
        this.write(level, category, `${request.functionId}: ${message}`);
      },
    };
    const running: { context?: unknown } = {};
    const invocation = model.getInvocationModel(core);
    const { context, inputs } = await invocation.getArguments();
    running.context = context;
    const shared = { hookData: {}, appHookData: this.appHookData, invocationContext: context };

    const before = { ...shared, functionCallback: registered.callback, inputs };
    core.state = 'preInvocationHooks';
    await this.runHooks('preInvocation', before);

    const after: Record<string, unknown> = { ...shared, inputs: before.inputs, result: null, error: null };
    core.state = 'invocation';
    try {
      after.result = await invocation.invokeFunction(context, before.inputs, before.functionCallback);
    } catch (error) {
      after.error = error ?? new Error('The function threw nothing.');
    }
    core.state = 'postInvocationHooks';
    await this.runHooks('postInvocation', after);
    core.state = undefined;
    // Hooks may replace the error or take it away.
    if (after.error) throw toError(after.error);
    return invocation.getResponse(context, after.result);
  }

  private async runHooks(name: string, context: Record<string, unknown>): Promise<void> {
    for (const callback of this.state.hooks.get(name) ?? []) await callback(context);
  }

  /** As the worker does for each line of a function; these hooks are not waited for, and their errors count for nothing. */
  private runLogHooks(context: Record<string, unknown>): void {
    for (const callback of this.state.hooks.get('log') ?? []) {
      try {
        callback({ hookData: {}, appHookData: this.appHookData, ...context });
      } catch (error) {
        this.log.debug(`log hook: ${messageOf(error)}`);
      }
    }
  }

  private write(level: LogLevel, category: LogCategory, message: string): void {
    if (level === 'critical' || level === 'error') this.log.error(message);
    else if (level === 'warning') this.log.warn(message);
    else if (category === 'user' && level === 'information') this.log.debug(message);
  }
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error || (typeof error === 'object' && error !== null && 'message' in error)
    ? String(error.message)
    : String(error);
}

function toError(value: unknown): Error {
  // Not `instanceof`: an app may run in another realm than the host, as under a test runner.
  if (typeof value === 'object' && value !== null && 'message' in value) return value as Error;
  return new Error(String(value));
}
