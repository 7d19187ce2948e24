// The Runtime API: one connection that is kept open, one request at a time.
import http from 'node:http';
import net from 'node:net';

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const prefix = '/2018-06-01/runtime/';

// A connection that is made before there is anything to ask for: the first request's.
export async function connectAhead() {
  const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
  const usual = agent.createConnection;
  await new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, noDelay: true }, resolve).on('error', reject);
    agent.createConnection = () => {
      agent.createConnection = usual;
      socket.off('error', reject);
      return socket;
    };
  });
}

// A request under way; `done` resolves with {status, headers, body}.
export function open(method, operation, headers) {
  const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
  let request;
  const done = new Promise((resolve, reject) => {
    request = http.request({ host, port, method, path: prefix + operation, agent, headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }));
    });
    request.on('error', reject);
  });
  return { request, done };
}

export async function next() {
  const { request, done } = open('GET', 'invocation/next', {});
  request.end();
  const event = await done;
  if (event.status !== 200) throw new Error(`the Runtime API answered ${event.status} to next`);
  return event;
}

export async function post(operation, text, errorType) {
  const body = Buffer.from(text, 'utf8');
  const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length };
  if (errorType) headers['Lambda-Runtime-Function-Error-Type'] = headerText(errorType);
  const { request, done } = open('POST', operation, headers);
  request.end(body);
  check(await done);
}

export function check(reply) {
  if (reply.status === 413) console.error('the response is larger than 6 MB');
  else if (reply.status >= 400) throw new Error(`the Runtime API answered ${reply.status}: ${reply.body}`);
}

export function headerText(text) {
  return String(text).replace(/[^\x20-\x7e]/g, '?');
}
