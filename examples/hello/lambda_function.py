"""Greets. `name` comes from the event itself (lambda invoke), the query (?name=...), or a JSON body."""

import base64
import json


def lambda_handler(event, context):
    name = name_in(event) or name_in(event.get("queryStringParameters")) or name_in(json_body(event)) or "World"
    return {"message": f"Hello, {name}!"}


def name_in(values):
    return values.get("name") if isinstance(values, dict) else None


def json_body(event):
    """The body of an HTTP call, None where it is not JSON."""
    body = event.get("body")
    if not body:
        return None
    try:
        return json.loads(base64.b64decode(body) if event.get("isBase64Encoded") else body)
    except ValueError:
        return None
