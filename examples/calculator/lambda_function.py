"""Calculates. `op` is add, sub, mul or div; `a` and `b` are numbers: in the query (?a=1&b=2&op=add) or in the event itself.

Answers {"result": 3}; 400 and {"error": ...} for what cannot be calculated."""

import json
import math
import operator

OPERATIONS = {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv}


def lambda_handler(event, context):
    values = event.get("queryStringParameters") or event
    try:
        return {"result": calculate(number(values, "a"), number(values, "b"), values.get("op", "add"))}
    except ValueError as error:
        return {"statusCode": 400, "headers": {"Content-Type": "application/json"}, "body": json.dumps({"error": str(error)})}


def number(values, name):
    try:
        value = float(values[name])
    except KeyError:
        raise ValueError(f"{name} is missing: call me with ?a=1&b=2&op=add") from None
    except (TypeError, ValueError):
        raise ValueError(f"{name} is not a finite number: {values[name]}") from None
    if not math.isfinite(value):
        raise ValueError(f"{name} is not a finite number: {values[name]}")
    return value


def calculate(a, b, op):
    if op not in OPERATIONS:
        raise ValueError(f"op is {op}, but must be one of {', '.join(OPERATIONS)}")
    if op == "div" and b == 0:
        raise ValueError("division by zero")
    result = OPERATIONS[op](a, b)
    if not math.isfinite(result):
        raise ValueError("the result is too large")
    return int(result) if result.is_integer() and abs(result) < 2**53 else result
