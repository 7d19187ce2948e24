// Gives back what it gets: the body, as it streams in and in its own content type; and for a call without a body its method,
// path, query and headers as JSON.
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  const hasBody = request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
  if (hasBody) {
    response.setHeader('Content-Type', request.headers['content-type'] ?? 'application/octet-stream');
    request.pipe(response);
    return;
  }
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  const query = Object.fromEntries([...searchParams.keys()].map((name) => [name, searchParams.getAll(name)]));
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ method: request.method, path: pathname, query, headers: request.headers }));
});
server.listen(Number(process.env.PORT ?? 8080));
process.on('SIGTERM', () => server.close());
