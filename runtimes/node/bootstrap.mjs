// The Node runtime: a client of the Runtime API (2018-06-01) for ES modules and CommonJS, async and callback handlers.
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const taskRoot = process.env.LAMBDA_TASK_ROOT || '/var/task';
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const prefix = '/2018-06-01/runtime/';
let requestId;

function call(method, operation, headers, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, path: prefix + operation, agent, headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

function post(operation, text, errorType) {
  const body = Buffer.from(text, 'utf8');
  const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length };
  if (errorType) headers['Lambda-Runtime-Function-Error-Type'] = errorType.replace(/[^\x20-\x7e]/g, '?');
  return call('POST', operation, headers, body);
}

// --- the log: <ISO>\t<id>\tLEVEL\tmessage

function patchConsole() {
  const levels = { log: 'INFO', info: 'INFO', debug: 'DEBUG', trace: 'TRACE', warn: 'WARN', error: 'ERROR' };
  for (const [name, level] of Object.entries(levels)) {
    console[name] = (...items) => {
      let text = format(...items);
      if (name === 'trace') text = new Error(text).stack.replace('Error', 'Trace');
      writeLog(level, text);
    };
  }
}

function writeLog(level, text) {
  writeAll(`${new Date().toISOString()}\t${requestId}\t${level}\t${text}\n`);
}

// Synchronous, so that everything is in the pipe before the response is.
function writeAll(text) {
  let bytes = Buffer.from(text, 'utf8');
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(fs.writeSync(1, bytes));
    } catch (error) {
      if (error.code !== 'EAGAIN') return;
    }
  }
}

const { format } = await import('node:util');

// --- errors

function errorObject(error) {
  if (error instanceof Error || (error && error.name && error.message && error.stack)) {
    return { errorType: error.name, errorMessage: error.message, trace: String(error.stack || '').split('\n') };
  }
  const text = error === undefined ? 'undefined' : error === null ? 'null' : typeof error === 'object' ? JSON.stringify(error) : String(error);
  return { errorType: typeof error, errorMessage: text, trace: [] };
}

class NamedError extends Error {
  constructor(name, message, cause) {
    super(message);
    this.name = name;
    if (cause && cause.stack) this.stack = cause.stack;
  }
}

async function failInit(error) {
  const object = errorObject(error);
  writeLog('ERROR', `${object.errorType}: ${object.errorMessage}\n${object.trace.join('\n')}`);
  await post('init/error', JSON.stringify(object), object.errorType);
  process.exit(1);
}

// --- loading

function findModule(base) {
  for (const extension of ['', '.js', '.mjs', '.cjs']) {
    const file = base + extension;
    if (fs.existsSync(file) && fs.statSync(file).isFile()) return file;
  }
  return undefined;
}

async function loadHandler(text) {
  const directory = path.dirname(text);
  const match = /^([^.]*)\.(.+)$/.exec(path.basename(text));
  if (!match || text.includes('..')) {
    throw new NamedError('Runtime.MalformedHandlerName', text.includes('..') ? `'${text}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.` : 'Bad handler');
  }
  const [, name, exported] = match;
  const file = findModule(path.resolve(taskRoot, directory, name));
  if (!file) {
    throw new NamedError('Runtime.ImportModuleError', `Error: Cannot find module '${name}'\nRequire stack:\n- ${taskRoot}`);
  }
  let loaded;
  try {
    loaded = file.endsWith('.mjs') ? await import(pathToFileURL(file).href) : await loadEither(file);
  } catch (error) {
    if (error instanceof SyntaxError) throw new NamedError('Runtime.UserCodeSyntaxError', `SyntaxError: ${error.message}`, error);
    if (error && (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND')) {
      throw new NamedError('Runtime.ImportModuleError', `Error: ${error.message}`, error);
    }
    throw error;
  }
  let handler = loaded;
  for (const part of exported.split('.')) handler = handler == null ? undefined : handler[part];
  if (handler === undefined && loaded.default) {
    handler = loaded.default;
    for (const part of exported.split('.')) handler = handler == null ? undefined : handler[part];
  }
  if (handler === undefined) throw new NamedError('Runtime.HandlerNotFound', `${text} is undefined or not exported`);
  if (typeof handler !== 'function') throw new NamedError('Runtime.HandlerNotFound', `${text} is not a function`);
  return handler;
}

// CommonJS unless package.json says "type": "module".
async function loadEither(file) {
  const require = createRequire(file);
  try {
    return require(file);
  } catch (error) {
    if (error && error.code === 'ERR_REQUIRE_ESM') return import(pathToFileURL(file).href);
    if (error instanceof SyntaxError && isModule(file)) return import(pathToFileURL(file).href);
    throw error;
  }
}

function isModule(file) {
  for (let directory = path.dirname(file); directory.startsWith(taskRoot); directory = path.dirname(directory)) {
    const description = path.join(directory, 'package.json');
    if (fs.existsSync(description)) return JSON.parse(fs.readFileSync(description, 'utf8')).type === 'module';
    if (directory === '/') break;
  }
  return false;
}

// --- calling

function makeContext(headers, finish) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const parse = (text) => (text ? JSON.parse(Buffer.from(text, 'latin1').toString('utf8')) : undefined);
  return {
    callbackWaitsForEmptyEventLoop: true,
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parse(headers['lambda-runtime-client-context']),
    identity: parse(headers['lambda-runtime-cognito-identity']),
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
    succeed: (result) => finish(null, result, false),
    fail: (error) => finish(error === undefined || error === null ? new Error('unknown') : error, undefined, false),
    done: (error, result) => finish(error, result, false),
  };
}

// Resolves with {error} or {result}. A callback's answer waits for the event loop to run dry unless the function says not to.
function invoke(handler, event, headers) {
  return new Promise((resolve) => {
    let settled = false;
    let onIdle;
    const settle = (outcome) => {
      if (settled) return;
      settled = true;
      if (onIdle) process.removeListener('beforeExit', onIdle);
      resolve(outcome);
    };
    let context;
    const finish = (error, result, waits) => {
      const outcome = error !== null && error !== undefined ? { error } : { result };
      if (!waits || !context.callbackWaitsForEmptyEventLoop) {
        settle(outcome);
        return;
      }
      if (onIdle) process.removeListener('beforeExit', onIdle);
      onIdle = () => settle(outcome);
      process.once('beforeExit', onIdle);
    };
    context = makeContext(headers, finish);
    // A handler that neither answers nor leaves work behind has answered null, as on AWS.
    onIdle = () => settle({ result: null });
    process.once('beforeExit', onIdle);
    try {
      const returned = handler(event, context, (error, result) => finish(error, result, true));
      if (returned && typeof returned.then === 'function') {
        returned.then((result) => settle({ result }), (error) => settle({ error: error === undefined ? new Error('undefined') : error }));
      }
    } catch (error) {
      settle({ error });
    }
  });
}

function serialise(result) {
  const text = JSON.stringify(result === undefined ? null : result);
  return text === undefined ? 'null' : text;
}

async function main() {
  patchConsole();
  const crash = (name) => async (error) => {
    const object = errorObject(error);
    const named = { errorType: name, errorMessage: `${object.errorType}: ${object.errorMessage}`, trace: object.trace };
    writeLog('ERROR', `${named.errorType}\t${JSON.stringify(named)}`);
    process.exit(128 + 1);
  };
  process.on('uncaughtException', crash('Runtime.UnhandledException'));
  process.on('unhandledRejection', crash('Runtime.UnhandledPromiseRejection'));
  let handler;
  try {
    handler = await loadHandler(process.env._HANDLER || '');
  } catch (error) {
    await failInit(error);
  }
  for (;;) {
    const next = await call('GET', 'invocation/next', {});
    if (next.status !== 200) process.exit(1);
    requestId = next.headers['lambda-runtime-aws-request-id'];
    if (next.headers['lambda-runtime-trace-id']) process.env._X_AMZN_TRACE_ID = next.headers['lambda-runtime-trace-id'];
    let outcome;
    try {
      outcome = await invoke(handler, JSON.parse(next.body.toString('utf8')), next.headers);
      if (!('error' in outcome)) outcome.text = serialise(outcome.result);
    } catch (error) {
      outcome = { error: new NamedError('Runtime.MarshalError', error.message, error) };
    }
    if ('error' in outcome) {
      const object = errorObject(outcome.error);
      writeLog('ERROR', `Invoke Error \t${JSON.stringify(object)}`);
      await post(`invocation/${requestId}/error`, JSON.stringify(object), object.errorType);
    } else {
      await post(`invocation/${requestId}/response`, outcome.text);
    }
  }
}

// Not awaited at the top level: a handler that leaves an empty event loop behind must reach 'beforeExit'.
main();
