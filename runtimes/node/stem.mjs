// A runtime's process that is started before there is a function for it: it gets ready, and waits at its descriptor 3 until it is
// told which (sandbox/init/protocol.h: three numbers, then strings, each with a NUL behind it).
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { connectAhead } from './api.mjs';
import { invoke, makeContext } from './invoke.mjs';
import { loadHandler } from './loader.mjs';

const socket = 3;

export async function becomeStem() {
  await useHttpOnce();
  await callOnce();
  await connectAhead();
  takeOver();
}

// What a first request costs is paid before there is one.
async function useHttpOnce() {
  const path = `\0lambda-stem-${os.hostname()}`;
  const server = http.createServer((request, response) => request.resume().on('end', () => response.end('{}')));
  await new Promise((resolve) => server.listen(path, resolve));
  const agent = new http.Agent({ keepAlive: false });
  for (const method of ['GET', 'POST']) {
    await new Promise((resolve, reject) => {
      const request = http.request({ socketPath: path, method, path: '/', agent }, (response) => response.on('data', JSON.parse).on('end', resolve));
      request.on('error', reject);
      request.end(method === 'POST' ? Buffer.from('{}') : undefined);
    });
  }
  await new Promise((resolve) => server.close(resolve));
}

// What loading a handler and calling it cost the first time. Nothing of it is left for the function to see.
async function callOnce() {
  process.env.LAMBDA_TASK_ROOT = import.meta.dirname;
  const handler = await loadHandler('stem_handler.handler');
  await invoke(handler, {}, makeContext({ 'lambda-runtime-deadline-ms': '0' }));
  const { cache } = createRequire(import.meta.url);
  delete cache[path.join(import.meta.dirname, 'stem_handler.cjs')];
}

function takeOver() {
  const header = readExactly(12);
  const [argumentCount, variableCount, size] = [0, 4, 8].map((at) => header.readUInt32LE(at));
  const texts = readExactly(size).toString('utf8').split('\0');
  fs.closeSync(socket);
  setEnvironment(texts.slice(1 + argumentCount, 1 + argumentCount + variableCount));
  process.chdir(texts[0]);
}

function setEnvironment(texts) {
  const wanted = new Map(texts.map((text) => {
    const end = text.indexOf('=');
    return [text.slice(0, end), text.slice(end + 1)];
  }));
  // What stays as it is is left alone: setting TZ, for one, has Node look for the time zone again.
  for (const [name, value] of Object.entries(process.env)) {
    if (wanted.get(name) === value) wanted.delete(name);
    else if (!wanted.has(name)) delete process.env[name];
  }
  for (const [name, value] of wanted) process.env[name] = value;
}

// Waits without the event loop: nothing else is to happen here meanwhile.
function readExactly(count) {
  const bytes = Buffer.alloc(count);
  for (let at = 0; at < count;) {
    const got = fs.readSync(socket, bytes, at, count - at);
    if (got === 0) process.exit(1); // the server has no use for this stem any more
    at += got;
  }
  return bytes;
}
