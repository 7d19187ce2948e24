// One call of a handler that answers as a whole: by its promise, by the callback, or by the context's old methods.

const parse = (text, name) => {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(Buffer.from(text, 'latin1').toString('utf8'));
  } catch (error) {
    throw new Error(`Cannot parse ${name} as json: ${error}`);
  }
};

// What AWS documents as the context object.
export function makeContext(headers) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parse(headers['lambda-runtime-client-context'], 'ClientContext'),
    identity: parse(headers['lambda-runtime-cognito-identity'], 'CognitoIdentity'),
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    tenantId: headers['lambda-runtime-aws-tenant-id'],
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

// What happens when nothing is left to wait for: a handler that has not answered has answered null, as on AWS.
let whenIdle = () => {};
process.on('beforeExit', () => whenIdle());

export function onIdle(action) {
  whenIdle = action;
}

// Resolves with {result} or {error}; the first answer counts.
export function invoke(handler, event, context) {
  return new Promise((resolve) => {
    let answered = false;
    const settle = (outcome) => {
      onIdle(() => {});
      resolve(outcome);
    };
    const once = (action) => (...values) => {
      if (answered) return;
      answered = true;
      action(...values);
    };
    const done = (error, result) => settle(error === undefined || error === null ? { result } : { error });
    // The callback's result waits for the event loop to run dry, unless the function says not to; its error does not.
    const callback = once((error, result) => {
      if ((error !== undefined && error !== null) || !context.callbackWaitsForEmptyEventLoop) done(error, result);
      else onIdle(() => done(null, result));
    });
    context.done = once(done);
    context.succeed = once((result) => done(null, result));
    context.fail = once((error) => settle({ error: error ?? 'handled' }));
    onIdle(() => settle({ result: null }));
    try {
      const returned = handler(event, context, callback);
      if (typeof returned?.then === 'function') returned.then(context.succeed, context.fail);
    } catch (error) {
      callback(error ?? 'handled');
    }
  });
}
