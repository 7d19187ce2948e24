// Handlers that stream: awslambda.streamifyResponse(async (event, responseStream, context) => ...).
//
// Nothing is sent before the first byte. A failure until then is an ordinary error; a later one ends the body and follows in its trailers.
import { Writable } from 'node:stream';
import { check, headerText, open } from './api.mjs';
import { describeError } from './errors.mjs';
import { onIdle } from './invoke.mjs';

const preludeType = 'application/vnd.awslambda.http-integration-response';
const typeTrailer = 'Lambda-Runtime-Function-Error-Type';
const bodyTrailer = 'Lambda-Runtime-Function-Error-Body';

export class ResponseStream extends Writable {
  #path;
  #type = 'application/octet-stream';
  #prelude;
  #sending;

  constructor(requestId) {
    super({ decodeStrings: true });
    this.on('error', () => {}); // it is the call's error, which invokeStreaming sees
    this.#path = `invocation/${requestId}/response`;
  }

  get started() {
    return this.#sending !== undefined;
  }

  setContentType(type) {
    if (this.started) throw new Error('Cannot set content-type, too late.');
    this.#type = type;
  }

  // Status, headers and cookies of an HTTP answer, before its body.
  setPrelude(prelude) {
    this.setContentType(preludeType);
    this.#prelude = Buffer.concat([Buffer.from(JSON.stringify(prelude)), Buffer.alloc(8)]);
  }

  // Objects go as JSON.
  write(chunk, ...more) {
    return super.write(typeof chunk === 'string' || ArrayBuffer.isView(chunk) ? chunk : JSON.stringify(chunk), ...more);
  }

  #start() {
    if (this.started) return this.#sending.request;
    this.#sending = open('POST', this.#path, {
      'Content-Type': this.#type,
      'Lambda-Runtime-Function-Response-Mode': 'streaming',
      'Transfer-Encoding': 'chunked',
      Trailer: [typeTrailer, bodyTrailer],
    });
    this.#sending.done.catch((error) => this.destroy(error));
    // Unless something else is under way the function will never end this response: that must reach 'beforeExit'.
    this.#sending.request.once('socket', (socket) => socket.unref());
    if (this.#prelude) this.#sending.request.write(this.#prelude);
    return this.#sending.request;
  }

  _write(chunk, encoding, callback) {
    this.#start().write(chunk, callback);
  }

  _final(callback) {
    this.#end(this.#start(), callback);
  }

  #end(request, callback) {
    request.end(callback);
    if (request.socket) request.socket.ref();
    else request.once('socket', (socket) => socket.ref());
  }

  // Ends a body that has begun, with the error behind it.
  async fail(error) {
    const described = short(describeError(error));
    const { request, done } = this.#sending;
    request.addTrailers([[typeTrailer, headerText(described.errorType)], [bodyTrailer, Buffer.from(JSON.stringify(described)).toString('base64')]]);
    this.#end(request);
    this.destroy(); // whatever still writes is not heard any more
    check(await done);
  }

  async replied() {
    check(await this.#sending.done);
  }
}

// Trailers are header lines: what is longer than a line may be is cut.
function short({ errorType, errorMessage, trace }) {
  return { errorType, errorMessage: String(errorMessage).slice(0, 4096), trace: trace?.slice(0, 20).map((line) => line.slice(0, 256)) };
}

// Resolves with {streamed: true} or {error}; an error after the first byte has been sent already.
export async function invokeStreaming(handler, event, context, stream) {
  try {
    const finished = new Promise((resolve, reject) => {
      stream.once('finish', resolve);
      stream.once('error', reject);
      stream.once('close', () => reject(new Error('Response stream is not finished.')));
      onIdle(() => reject(new Error('Response stream is not finished.')));
    });
    finished.catch(() => {});
    const returned = handler(event, stream, context);
    if (typeof returned?.then !== 'function') throw new Error('Streaming does not support non-async handlers.');
    if ((await Promise.race([returned, finished.then(() => returned)])) !== undefined) console.warn('Streaming handlers ignore return values.');
    await finished;
    await stream.replied();
    return { streamed: true };
  } catch (error) {
    return { error: error ?? 'handled' };
  } finally {
    onIdle(() => {});
  }
}
