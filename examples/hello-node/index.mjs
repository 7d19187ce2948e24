// Greets. `name` comes from the event itself (lambda invoke), the query (?name=...), or a JSON body.

export const handler = async (event) => {
  const name = event.name || event.queryStringParameters?.name || jsonBody(event)?.name || 'World';
  return { message: `Hello, ${name}!` };
};

// The body of an HTTP call, undefined where it is not JSON.
function jsonBody({ body, isBase64Encoded }) {
  try {
    return JSON.parse(isBase64Encoded ? Buffer.from(body, 'base64').toString('utf8') : body);
  } catch {
    return undefined;
  }
}
