// Gives back what it gets: the event of an invoke; the body of an HTTP call, byte by byte and in its own content type;
// and of an HTTP call without a body its method, path, query and headers as JSON.

export const handler = async (event) => {
  const http = event?.requestContext?.http;
  if (!http) return event;
  if (event.body !== undefined) {
    return {
      statusCode: 200,
      headers: { 'Content-Type': event.headers['content-type'] ?? 'application/octet-stream' },
      body: event.body,
      isBase64Encoded: event.isBase64Encoded,
    };
  }
  return { method: http.method, path: event.rawPath, query: queryOf(event.rawQueryString), headers: event.headers };
};

// Every name with the list of its values.
function queryOf(text) {
  const values = new URLSearchParams(text);
  return Object.fromEntries([...values.keys()].map((name) => [name, values.getAll(name)]));
}
