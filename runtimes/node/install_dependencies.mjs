// Installs what a function's package.json names. The server runs it in the runtime's place when a deploy asks for it, in the same
// sandbox: the code is at /var/task, and the one address that answers, that of the Runtime API, is a proxy to the registries. What npm
// says goes to standard output; what it installed, or why it could not, goes to the server in the end.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { Readable } from 'node:stream';

const TASK = process.env.LAMBDA_TASK_ROOT ?? '/var/task';
const [HOST, PORT] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const NPM = path.join(import.meta.dirname, '.install/npm/bin/npm-cli.js');
const SOURCE = '/tmp/source';
const MODULES = 'node_modules';
const OPTIONS = ['--omit=dev', '--no-audit', '--no-fund', '--no-update-notifier', '--no-progress', '--color=false', '--logs-max=0', '--cache=/tmp/npm',
  '--loglevel=notice', '--foreground-scripts'];
const NO_COMPILER = /gyp ERR!|node-gyp|not found: make|cmake: not found|gcc: not found|cc: not found/;
// Of npm's errors, what says nothing of the reason.
const NO_REASON = /^(A complete log of this run|Log files were not|code E|errno |syscall |path |command |This is related to npm|Note that|tarball, folder|\s*$)/;

/** A copy that can be written to; npm itself makes node_modules anew. */
function copy(from, to) {
  const status = fs.lstatSync(from);
  if (status.isSymbolicLink()) return fs.symlinkSync(fs.readlinkSync(from), to);
  if (!status.isDirectory()) {
    fs.copyFileSync(from, to);
    return fs.chmodSync(to, status.mode | 0o200);
  }
  fs.mkdirSync(to);
  for (const name of fs.readdirSync(from)) {
    if (from !== TASK || name !== MODULES) copy(path.join(from, name), path.join(to, name));
  }
}

function has(name) {
  return fs.existsSync(path.join(SOURCE, name));
}

function npmCommand() {
  if (has('package-lock.json') || has('npm-shrinkwrap.json')) return ['ci'];
  const other = ['yarn.lock', 'pnpm-lock.yaml'].find(has);
  console.log(other
    ? `${other} is not npm's lock file: what package.json allows is installed. package-lock.json (npm install) fixes the versions.`
    : 'There is no package-lock.json: what package.json allows is installed, and may be other versions the next time.');
  return ['install', '--no-package-lock'];
}

/** npm's exit status, and what it says went wrong; everything it says is said on. */
async function runNpm() {
  const npm = spawn(process.execPath, [NPM, ...npmCommand(), ...OPTIONS], {
    cwd: SOURCE,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Scripts that fetch something by Node's own means find the proxy, too, where Node can.
    env: { ...process.env, NODE_USE_ENV_PROXY: '1', NODE_OPTIONS: '--disable-warning=UNDICI-EHPA' },
  });
  const errors = [];
  let noCompiler = false;
  const line = (text) => {
    noCompiler ||= NO_COMPILER.test(text);
    const told = text.match(/^npm (?:error|ERR!) (.*)/)?.[1];
    const said = told?.replace(/^[45]\d\d(\s+|$)/, '').trim();
    if (told !== undefined && !NO_REASON.test(said) && errors.length < 4) errors.push(said);
  };
  for (const stream of [npm.stdout, npm.stderr]) {
    let rest = '';
    stream.setEncoding('utf8').on('data', (text) => {
      process.stdout.write(text);
      const lines = (rest + text).split('\n');
      rest = lines.pop().slice(0, 65536);
      lines.forEach(line);
    });
  }
  const [status, signal] = await new Promise((resolve, reject) => npm.on('error', reject).on('close', (...ended) => resolve(ended)));
  return { status, signal, errors, noCompiler };
}

function reason({ status, signal, errors, noCompiler }) {
  if (signal) return `npm was ended by ${signal}`;
  const text = errors.join('; ') || `npm ended with exit status ${status}`;
  if (!noCompiler) return text;
  return `${text}. There is no compiler in the sandbox: name a version that comes prebuilt for Linux, or deploy with a Dockerfile that has one`;
}

function* entries(directory) {
  const names = fs.readdirSync(directory).sort();
  if (names.length === 0) yield directory;
  for (const name of names) {
    const file = path.join(directory, name);
    const status = fs.lstatSync(file);
    if (status.isDirectory()) yield* entries(file);
    else if (status.isFile() || status.isSymbolicLink()) yield file;
  }
}

function padded(size) {
  return Buffer.alloc((512 - (size % 512)) % 512);
}

/** A header of the ustar format: the same whenever and by whomever it was installed. */
function header(name, { size = 0, mode = 0o644, type = '0', link = '' }) {
  const block = Buffer.alloc(512);
  const octal = (value, at, length) => block.write(value.toString(8).padStart(length - 1, '0'), at);
  block.write(name.slice(0, 100), 0);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  block.write('        ', 148);
  block.write(type, 156);
  // What it begins with: without any, readers take the entry for another kind of link.
  block.write(link.slice(0, 100), 157);
  block.write('ustar\u000000', 257);
  const sum = block.reduce((all, byte) => all + byte, 0);
  block.write(sum.toString(8).padStart(6, '0') + '\u0000 ', 148);
  return block;
}

/** Names of any length and alphabet, by an extended header before the entry. */
function extended(fields) {
  const body = Buffer.concat(Object.entries(fields).map(([key, value]) => {
    const text = Buffer.from(` ${key}=${value}\n`);
    let size = text.length;
    while (size !== text.length + String(size).length) size = text.length + String(size).length;
    return Buffer.concat([Buffer.from(String(size)), text]);
  }));
  return Buffer.concat([header('extended', { size: body.length, type: 'x' }), body, padded(body.length)]);
}

function* archive() {
  const root = path.join(SOURCE, MODULES);
  if (fs.existsSync(root)) {
    for (const file of entries(root)) {
      const name = path.relative(SOURCE, file);
      const status = fs.lstatSync(file);
      if (status.isSymbolicLink()) {
        const link = fs.readlinkSync(file);
        yield extended({ path: name, linkpath: link });
        yield header('link', { mode: 0o777, type: '2', link });
      } else if (status.isDirectory()) {
        yield extended({ path: `${name}/` });
        yield header('directory/', { mode: 0o755, type: '5' });
      } else {
        const bytes = fs.readFileSync(file);
        yield extended({ path: name });
        yield header('file', { size: bytes.length, mode: status.mode & 0o111 ? 0o755 : 0o644 });
        yield bytes;
        yield padded(bytes.length);
      }
    }
  }
  yield Buffer.alloc(1024);
}

/** Small blocks as large ones. */
function* gathered(blocks) {
  let held = [];
  let size = 0;
  for (const block of blocks) {
    held.push(block);
    size += block.length;
    if (size < 256 * 1024) continue;
    yield Buffer.concat(held);
    held = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(held);
}

/** The status of the answer; an early one ends the sending. */
function put(target, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: HOST, port: PORT, path: target, method: 'PUT', agent: false });
    request.on('response', (answer) => resolve(answer.statusCode)).on('error', reject);
    Readable.from(body, { objectMode: false }).pipe(request);
  });
}

async function main() {
  process.umask(0o022);
  fs.mkdirSync(process.env.HOME, { recursive: true });
  copy(TASK, SOURCE);
  const ended = await runNpm();
  if (ended.status === 0) return (await put('/result', gathered(archive()))) === 200 ? 0 : 1;
  await put('/failure', [Buffer.from(reason(ended))]);
  return 1;
}

process.exit(await main().catch(async (error) => {
  await put('/failure', [Buffer.from(`${error.message}`)]).catch(() => {});
  return 1;
}));
