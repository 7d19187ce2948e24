// The Node runtime: a client of the Runtime API (2018-06-01) that loads a handler and gives it one event after another.
// Steps: (with --stem: get ready, and wait for the function) -> take over the console -> load the handler -> next, call, answer, for ever.
import { next, post } from './api.mjs';
import { provideAwslambda, streams } from './awslambda.mjs';
import { describeError, named } from './errors.mjs';
import { invoke, makeContext } from './invoke.mjs';
import { loadHandler } from './loader.mjs';
import { logError, patchConsole, setRequestId } from './log.mjs';

// Who is to be told of an error: `init/error` while the handler is loaded, the current call's `error`, nobody in between.
let errorsGo = 'init/error';
let delivering; // the response that is on its way
let stream; // of the current call, where its handler streams

async function reportError(error) {
  const described = describeError(error);
  if (stream?.started) await stream.fail(error);
  else if (errorsGo) await post(errorsGo, JSON.stringify(described), described.errorType);
}

// AWS's runtime ends with these statuses.
async function crash(title, error, status) {
  logError(title, error);
  await delivering?.catch(() => {});
  await reportError(error).catch((problem) => console.error(String(problem)));
  process.exit(status);
}

function serialise(result) {
  try {
    return JSON.stringify(result) ?? 'null';
  } catch (error) {
    throw new Error(`Unable to stringify response body: ${error.message}`);
  }
}

async function callHandler(handler, event) {
  try {
    const context = makeContext(event.headers);
    const value = JSON.parse(event.body.toString('utf8'));
    if (!streams(handler)) {
      const outcome = await invoke(handler, value, context);
      return 'error' in outcome ? outcome : { text: serialise(outcome.result) };
    }
    const { ResponseStream, invokeStreaming } = await import('./streaming.mjs');
    stream = new ResponseStream(context.awsRequestId);
    return await invokeStreaming(handler, value, context, stream);
  } catch (error) {
    return { error };
  }
}

async function serveOne(handler) {
  const event = await next();
  const id = event.headers['lambda-runtime-aws-request-id'];
  const trace = event.headers['lambda-runtime-trace-id'];
  setRequestId(id);
  if (trace) process.env._X_AMZN_TRACE_ID = trace;
  else delete process.env._X_AMZN_TRACE_ID;
  errorsGo = `invocation/${id}/error`;
  const outcome = await callHandler(handler, event);
  if ('error' in outcome) {
    logError('Invoke Error', outcome.error);
    await reportError(outcome.error);
  } else if ('text' in outcome) {
    errorsGo = undefined;
    delivering = post(`invocation/${id}/response`, outcome.text);
    await delivering;
  }
  errorsGo = undefined;
  stream = undefined;
}

async function main() {
  if (process.argv[2] === '--stem') {
    process.argv.splice(2);
    await (await import('./stem.mjs')).becomeStem();
  }
  patchConsole();
  process.on('uncaughtException', (error) => crash('Uncaught Exception', error, 129));
  process.on('unhandledRejection', (reason) =>
    crash('Unhandled Promise Rejection', named('Runtime.UnhandledPromiseRejection', String(reason), reason), 128));
  provideAwslambda();
  let handler;
  try {
    handler = await loadHandler(process.env._HANDLER || '');
  } catch (error) {
    await crash('Init Error', error, 129);
  }
  errorsGo = undefined;
  try {
    for (;;) await serveOne(handler);
  } catch (error) {
    console.error(`the Runtime API is gone: ${error.message}`);
    process.exit(1);
  }
}

// Not awaited at the top level: a handler that leaves an empty event loop behind must reach 'beforeExit'.
main();
