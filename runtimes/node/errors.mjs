// Error objects in the shape that AWS's Node runtime gives them: {errorType, errorMessage, trace}.
import { types } from 'node:util';

// An error under a name of AWS's, such as Runtime.HandlerNotFound; with the trace of what caused it.
export function named(name, message, cause) {
  const error = new Error(message);
  error.name = name;
  error.stack = cause && cause.stack ? String(cause.stack) : `${name}: ${message}\n${error.stack.split('\n').slice(1).join('\n')}`;
  return error;
}

// A text or a plain value that was thrown becomes an error that can be shown.
export function intoError(thrown) {
  return isError(thrown) ? thrown : new Error(describeError(thrown).errorMessage);
}

export function describeError(thrown) {
  try {
    if (isError(thrown)) {
      return { errorType: thrown.name, errorMessage: thrown.message, trace: String(thrown.stack || '').split('\n') };
    }
    return { errorType: typeof thrown, errorMessage: String(thrown), trace: [] };
  } catch {
    return { errorType: 'handled', errorMessage: 'the error that was thrown has no readable message, name and stack', trace: [] };
  }
}

function isError(thrown) {
  if (types.isNativeError(thrown)) return true;
  return Boolean(thrown) && ['name', 'message', 'stack'].every((member) => typeof thrown[member] === 'string' && thrown[member]);
}
