// From a handler's name to its function: "dir/file.export.of.it", ES modules and CommonJS.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { named } from './errors.mjs';
import { placedStack } from './place.mjs';

let taskRoot;

export async function loadHandler(text) {
  taskRoot = process.env.LAMBDA_TASK_ROOT || '/var/task';
  const { file, exported } = locate(text);
  let loaded;
  try {
    loaded = await load(file);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw named('Runtime.UserCodeSyntaxError', `SyntaxError: ${error.message}`, { stack: await placedStack(error) });
    }
    if (error?.code === 'MODULE_NOT_FOUND' || error?.code === 'ERR_MODULE_NOT_FOUND') {
      throw named('Runtime.ImportModuleError', `Error: ${error.message}`, error);
    }
    throw error;
  }
  const handler = member(loaded, exported) ?? member(loaded.default, exported);
  if (handler === undefined || handler === null) throw named('Runtime.HandlerNotFound', `${text} is undefined or not exported`);
  if (typeof handler !== 'function') throw named('Runtime.HandlerNotFound', `${text} is not a function`);
  return handler;
}

function locate(text) {
  if (text.includes('..')) {
    throw named('Runtime.MalformedHandlerName', `'${text}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
  }
  const match = /^([^.]+)\.(.+)$/.exec(path.basename(text));
  if (!match) throw named('Runtime.MalformedHandlerName', 'Bad handler');
  const [, module, exported] = match;
  const directory = path.resolve(taskRoot, path.dirname(text));
  return { file: findModule(directory, module), exported };
}

function findModule(directory, module) {
  for (const extension of ['', '.js', '.mjs', '.cjs']) {
    const file = path.join(directory, module + extension);
    if (fs.statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
  }
  // A folder with an index.js, or a package in node_modules.
  const { resolve } = createRequire(path.join(taskRoot, 'index.js'));
  for (const attempt of [() => resolve(path.join(directory, module)), () => resolve(module, { paths: [taskRoot, directory] })]) {
    try {
      return attempt();
    } catch {
      // the next one
    }
  }
  throw named('Runtime.ImportModuleError', `Error: Cannot find module '${module}'\nRequire stack:\n- ${taskRoot}`);
}

async function load(file) {
  const url = pathToFileURL(file).href;
  if (file.endsWith('.mjs') || (file.endsWith('.js') && inModulePackage(file))) return import(url);
  try {
    return createRequire(file)(file);
  } catch (error) {
    // An ES module that says so only by its syntax.
    if (error?.code === 'ERR_REQUIRE_ESM' || error?.code === 'ERR_REQUIRE_ASYNC_MODULE') return import(url);
    throw error;
  }
}

// Whether the nearest package.json says "type": "module".
function inModulePackage(file) {
  for (let directory = path.dirname(file); ; directory = path.dirname(directory)) {
    if (directory.endsWith('/node_modules')) return false;
    const description = path.join(directory, 'package.json');
    if (fs.existsSync(description)) {
      try {
        return JSON.parse(fs.readFileSync(description, 'utf8').replace(/^\uFEFF/, '')).type === 'module';
      } catch (error) {
        console.warn(`${description} cannot be read, so its files are not taken for ES modules: ${error.message}`);
        return false;
      }
    }
    if (directory === '/') return false;
  }
}

function member(object, names) {
  return names.split('.').reduce((inner, name) => inner?.[name], object);
}
