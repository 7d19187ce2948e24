// Where in its file a SyntaxError of an ES module stands. Node keeps that with the error, and shows it where nobody catches the
// error; of one that was caught only its REPL does.
import { PassThrough } from 'node:stream';

// The error's stack with "FILE:LINE", the line itself and a mark below it in front, where it does not begin so already.
export async function placedStack(error) {
  const stack = String(error.stack);
  const [headline, firstFrame] = stack.split('\n', 2);
  // One that code has thrown has a place: the frame.
  if (!headline.startsWith('SyntaxError') || !firstFrame?.includes('(node:internal/')) return stack;
  try {
    const shown = await stackInRepl(error);
    return shown.slice(0, Math.max(shown.lastIndexOf(headline), 0)) + stack;
  } catch {
    return stack;
  }
}

async function stackInRepl(error) {
  const { start } = await import('node:repl');
  const input = new PassThrough();
  const ended = new Promise((resolve) => {
    start({ input, output: new PassThrough().resume(), terminal: false, useGlobal: true, eval: (line, context, file, done) => done(error) })
      .once('exit', resolve);
  });
  input.end('any\n');
  await ended;
  return error.stack;
}
