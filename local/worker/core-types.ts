/**
 * The part of the types of `@azure/functions-core` that this host uses. The module is built into the Azure Functions
 * Node.js worker and not published to npm; source: Azure/azure-functions-nodejs-worker, types-core/index.d.ts.
 * The `data`, `rpcData` and `string` discriminators are those that protobuf.js adds for a `oneof`, as a real worker
 * hands them on (test/fixtures/functions-host.json).
 */

export interface TypedData {
  string?: string;
  json?: string;
  bytes?: Uint8Array;
  stream?: Uint8Array;
  int?: number;
  double?: number;
  http?: RpcHttpData;
  data?: 'string' | 'json' | 'bytes' | 'http';
}

export interface NullableString {
  value: string;
  string: 'value';
}

/** An HTTP request on its way into a function. */
export interface RpcHttpRequest {
  identities: RpcClaimsIdentity[];
  cookies: never[];
  headers: Record<string, string>;
  params: Record<string, string>;
  query: Record<string, string>;
  nullableHeaders: Record<string, NullableString>;
  nullableParams: Record<string, NullableString>;
  nullableQuery: Record<string, NullableString>;
  method: string;
  url: string;
  body: TypedData | null;
  statusCode: '';
  enableContentNegotiation: false;
  rawBody: null;
}

export interface RpcClaimsIdentity {
  claims: { value: string; type: string }[];
  authenticationType: NullableString;
  nameClaimType: NullableString;
  roleClaimType: NullableString;
}

/** An HTTP response on its way out of a function. */
export interface RpcHttpResponse {
  statusCode?: string;
  headers?: Record<string, string>;
  cookies?: RpcHttpCookie[];
  body?: TypedData | null;
}

export type RpcHttpData = RpcHttpRequest | RpcHttpResponse;

export interface RpcHttpCookie {
  name?: string;
  value?: string;
  domain?: { value?: string };
  path?: { value?: string };
  expires?: { value?: { seconds?: number } };
  secure?: { value?: boolean };
  httpOnly?: { value?: boolean };
  sameSite?: 'none' | 'lax' | 'strict' | 'explicitNone';
  maxAge?: { value?: number };
}

export interface ParameterBinding {
  name: string;
  data: TypedData;
  rpcData?: 'data';
}

export interface InvocationRequest {
  inputData: ParameterBinding[];
  triggerMetadata: Record<string, TypedData>;
  invocationId: string;
  functionId: string;
  traceContext: { attributes: Record<string, string>; traceParent: string; traceState: string };
  retryContext: null;
}

export interface InvocationResponse {
  invocationId: string;
  outputData?: ParameterBinding[];
  returnValue?: TypedData | null;
}

/** One binding of a function as registered: type, direction and whatever the trigger or binding needs. */
export interface BindingInfo {
  type: string;
  name?: string;
  direction: 'in' | 'out' | 'inout';
  [option: string]: unknown;
}

export interface FunctionMetadata {
  name: string;
  functionId: string;
  bindings: Record<string, BindingInfo>;
  rawBindings: string[];
  scriptFile: string;
  directory: string;
}

export type FunctionCallback = (...args: unknown[]) => unknown;
export type HookCallback = (context: Record<string, unknown>) => unknown;
export type LogLevel = 'trace' | 'debug' | 'information' | 'warning' | 'error' | 'critical' | 'none';
export type LogCategory = 'user' | 'system' | 'customMetric';

export interface CoreInvocationContext {
  invocationId: string;
  request: InvocationRequest;
  metadata: FunctionMetadata;
  state: 'preInvocationHooks' | 'invocation' | 'postInvocationHooks' | undefined;
  log(level: LogLevel, category: LogCategory, message: string): void;
}

export interface InvocationModel {
  getArguments(): Promise<{ context: unknown; inputs: unknown[] }>;
  invokeFunction(context: unknown, inputs: unknown[], callback: FunctionCallback): Promise<unknown>;
  getResponse(context: unknown, result: unknown): Promise<InvocationResponse>;
}

export interface ProgrammingModel {
  name: string;
  version: string;
  getInvocationModel(context: CoreInvocationContext): InvocationModel;
  getCapabilities?(capabilities: Record<string, string>): Promise<Record<string, string>>;
}

/** A text option of a binding; empty when it has none of that name. */
export function bindingText(binding: BindingInfo | undefined, option: string): string {
  const value = binding?.[option];
  return typeof value === 'string' ? value : '';
}
