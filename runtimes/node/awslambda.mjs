// The global `awslambda` by which a handler says that it streams.
const streaming = Symbol.for('aws.lambda.runtime.handler.streaming');

export function provideAwslambda() {
  if (['1', 'true'].includes(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA)) return;
  globalThis.awslambda = {
    streamifyResponse: (handler) => Object.assign(handler, { [streaming]: 'response' }),
    HttpResponseStream: {
      from: (stream, prelude) => {
        stream.setPrelude(prelude);
        return stream;
      },
    },
  };
}

export function streams(handler) {
  return handler[streaming] === 'response';
}
