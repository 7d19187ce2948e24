// Calculates. `op` is add, sub, mul or div; `a` and `b` are numbers: in the query (?a=1&b=2&op=add) or in the event itself.
// Answers {"result": 3}; 400 and {"error": ...} for what cannot be calculated.
'use strict';

const operations = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
};

exports.handler = async (event) => {
  const values = event.queryStringParameters || event;
  try {
    return { result: calculate(number(values, 'a'), number(values, 'b'), values.op ?? 'add') };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { statusCode: 400, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ error: error.message }) };
  }
};

function number(values, name) {
  const value = values[name];
  if (value === undefined) throw new RangeError(`${name} is missing: call me with ?a=1&b=2&op=add`);
  const text = String(value).trim();
  if (text === '' || !Number.isFinite(Number(text))) throw new RangeError(`${name} is not a finite number: ${value}`);
  return Number(text);
}

function calculate(a, b, op) {
  if (!Object.hasOwn(operations, op)) throw new RangeError(`op is ${op}, but must be one of ${Object.keys(operations).join(', ')}`);
  if (op === 'div' && b === 0) throw new RangeError('division by zero');
  const result = operations[op](a, b);
  if (!Number.isFinite(result)) throw new RangeError('the result is too large');
  return result;
}
