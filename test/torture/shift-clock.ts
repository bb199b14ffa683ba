import { ServerResponse } from 'node:http';

// Loaded before a program (--require): its clock, and the Date of its answers, are off by so many ms.
const shift = Number(process.env.CLOCK_SHIFT_MS ?? '0');
const Real = Date;
const now = () => Real.now() + shift;

if (shift !== 0) {
  globalThis.Date = new Proxy(Real, {
    construct: (target, args: unknown[], as) =>
      Reflect.construct(target, args.length === 0 ? [now()] : args, as) as object,
    apply: () => new Real(now()).toString(),
    get: (target, name, receiver): unknown => (name === 'now' ? now : Reflect.get(target, name, receiver)),
  });
  const { writeHead } = ServerResponse.prototype;
  ServerResponse.prototype.writeHead = function (this: ServerResponse, ...args: never[]) {
    if (!this.headersSent) this.setHeader('Date', new Date().toUTCString());
    return Reflect.apply(writeHead, this, args) as ServerResponse;
  };
}
