// The function's log: console lines as AWS writes them, <ISO>\t<id>\tLEVEL\tmessage, or JSON with AWS_LAMBDA_LOG_FORMAT=JSON.
import fs from 'node:fs';
import { format } from 'node:util';
import { describeError, intoError } from './errors.mjs';

const levels = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const methods = { trace: 'TRACE', debug: 'DEBUG', log: 'INFO', info: 'INFO', warn: 'WARN', error: 'ERROR', fatal: 'FATAL' };
let json = false;
let requestId;

export function setRequestId(id) {
  requestId = id;
}

export function patchConsole() {
  json = (process.env.AWS_LAMBDA_LOG_FORMAT || '').toUpperCase() === 'JSON';
  const lowest = levels.indexOf((process.env.AWS_LAMBDA_LOG_LEVEL || 'TRACE').toUpperCase());
  for (const [method, level] of Object.entries(methods)) {
    console[method] = levels.indexOf(level) < lowest ? () => {} : (...items) => write(level, items);
  }
}

// What went wrong in a call or at the start, with the error's own members.
export function logError(title, thrown) {
  const error = intoError(thrown);
  write('ERROR', json ? [error] : [`${title} \t${oneLine(error)}`]);
}

function oneLine(error) {
  const { errorType, errorMessage, trace } = describeError(error);
  try {
    return JSON.stringify({ errorType, errorMessage, ...error, stack: trace });
  } catch {
    return JSON.stringify({ errorType, errorMessage, stack: trace });
  }
}

function write(level, items) {
  const time = new Date().toISOString();
  if (json) {
    writeAll(`${jsonLine(time, level, items)}\n`);
    return;
  }
  let message = format(...items);
  if (level === 'TRACE') message = new Error(message).stack.replace('Error', 'Trace');
  writeAll(`${time}\t${requestId}\t${level}\t${message}\n`);
}

function jsonLine(timestamp, level, items) {
  const line = { timestamp, level, requestId };
  if (items.length === 1) {
    try {
      return JSON.stringify({ ...line, message: items[0] }, (_, value) => (value instanceof Error ? members(value) : value));
    } catch {
      return JSON.stringify({ ...line, message: format(items[0]) });
    }
  }
  const error = items.find((item) => item instanceof Error);
  return JSON.stringify({ ...line, message: format(...items), ...(error && members(error, {})) });
}

function members(error, own = { ...error }) {
  return { errorType: error.constructor?.name ?? 'UnknownError', errorMessage: error.message, stackTrace: String(error.stack || '').split('\n'), ...own };
}

// Synchronous, so that everything is in the pipe before the answer is.
function writeAll(line) {
  let bytes = Buffer.from(line, 'utf8');
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(fs.writeSync(1, bytes));
    } catch (error) {
      if (error.code !== 'EAGAIN') return;
    }
  }
}
