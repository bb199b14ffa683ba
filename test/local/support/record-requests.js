// Preloaded into a host's process: writes each invocation's request and response as one line to the file RECORD_FILE.
const { appendFileSync } = require('node:fs');
const { FunctionWorker } = require('../../../local/worker/function-worker.ts');

const invoke = FunctionWorker.prototype.invokeRequest;

FunctionWorker.prototype.invokeRequest = async function (request) {
  let response = null;
  try {
    response = await invoke.call(this, request);
    return response;
  } finally {
    const line = JSON.stringify({ function: request.functionId, request, response });
    appendFileSync(process.env.RECORD_FILE, `${line}\n`);
  }
};
