"""Gives back what it gets: the event of an invoke; the body of an HTTP call, byte by byte and in its own content type;
and of an HTTP call without a body its method, path, query and headers as JSON."""

from urllib.parse import parse_qs


def lambda_handler(event, context):
    if not isinstance(event, dict) or "http" not in event.get("requestContext", {}):
        return event
    if "body" in event:
        return {
            "statusCode": 200,
            "headers": {"Content-Type": event["headers"].get("content-type", "application/octet-stream")},
            "body": event["body"],
            "isBase64Encoded": event.get("isBase64Encoded", False),
        }
    return {
        "method": event["requestContext"]["http"]["method"],
        "path": event["rawPath"],
        "query": parse_qs(event["rawQueryString"], keep_blank_values=True),
        "headers": event["headers"],
    }
