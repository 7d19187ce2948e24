"""Whether a reply has exactly the shape that botocore's service model gives it: no member that the model does not know, no wrong type,
nothing missing that is required. botocore itself takes what it knows and is silent about the rest."""

import base64
import binascii
import json


def faults_of(value, shape, where):
    """What is wrong with a JSON value, as a list of sentences."""
    if value is None:
        return [f"{where}: null"]
    return CHECKS[shape.type_name](value, shape, where)


# What AWS has added since this botocore's model, with the values that it may have.
NEWER = {
    "LoggingConfig": lambda value: isinstance(value, dict) and value.keys() == {"LogFormat", "LogGroup"},
    "InvokeMode": lambda value: value in ("BUFFERED", "RESPONSE_STREAM"),
}
# Required by the model, and left out by AWS itself where nothing is configured.
LEFT_OUT = {("GetFunctionCodeSigningConfigResponse", "CodeSigningConfigArn")}


def _structure(value, shape, where):
    if not isinstance(value, dict):
        return [f"{where}: {type(value).__name__} instead of an object"]
    value = {name: item for name, item in value.items() if name in shape.members or name not in NEWER or not NEWER[name](item)}
    in_body = {member.serialization.get("name", name): member for name, member in shape.members.items()
               if member.serialization.get("location") is None}
    faults = [f"{where}.{name}: no such member in {shape.name}" for name in value if name not in in_body]
    faults += [f"{where}.{name}: is missing" for name in shape.required_members if name in in_body and name not in value
               and (shape.name, name) not in LEFT_OUT]
    for name, item in value.items():
        if name in in_body:
            faults += faults_of(item, in_body[name], f"{where}.{name}")
    return faults


def _list(value, shape, where):
    if not isinstance(value, list):
        return [f"{where}: {type(value).__name__} instead of a list"]
    return [fault for index, item in enumerate(value) for fault in faults_of(item, shape.member, f"{where}[{index}]")]


def _map(value, shape, where):
    if not isinstance(value, dict):
        return [f"{where}: {type(value).__name__} instead of a map"]
    return [fault for key, item in value.items() for fault in faults_of(item, shape.value, f"{where}[{key}]")]


def _string(value, shape, where):
    if not isinstance(value, str):
        return [f"{where}: {type(value).__name__} instead of a string"]
    allowed = getattr(shape, "enum", None)
    # Runtimes that came after this model are no fault.
    if allowed and value not in allowed and shape.name != "Runtime":
        return [f"{where}: {value!r} is not one of {allowed}"]
    return []


def _number(kinds, low=None, high=None):
    def check(value, shape, where):
        if isinstance(value, bool) or not isinstance(value, kinds):
            return [f"{where}: {type(value).__name__} instead of {shape.type_name}"]
        least, most = shape.metadata.get("min", low), shape.metadata.get("max", high)
        if (least is not None and value < least) or (most is not None and value > most):
            return [f"{where}: {value} is out of range"]
        return []
    return check


def _boolean(value, _shape, where):
    return [] if isinstance(value, bool) else [f"{where}: {type(value).__name__} instead of a boolean"]


def _blob(value, _shape, where):
    try:
        base64.b64decode(value, validate=True)
        return []
    except (binascii.Error, TypeError, ValueError):
        return [f"{where}: is not base64"]


CHECKS = {"structure": _structure, "list": _list, "map": _map, "string": _string, "boolean": _boolean, "blob": _blob,
          "integer": _number(int, -2**31, 2**31 - 1), "long": _number(int, -2**63, 2**63 - 1), "double": _number((int, float)),
          "float": _number((int, float)), "timestamp": _number((int, float))}


def faults_of_reply(operation, status, headers, body):
    """The same for a whole HTTP reply that was a success: its status, its header members, its body."""
    wanted = operation.http.get("responseCode", 200)
    faults = [] if operation.name in ("Invoke",) or status == wanted else [f"status {status} instead of {wanted}"]
    shape = operation.output_shape
    if shape is None or not shape.members:
        return faults + ([f"a body where there should be none: {body[:200]!r}"] if body else [])
    for name, member in shape.members.items():
        if member.serialization.get("location") != "header":
            continue
        value = headers.get(member.serialization["name"].lower())
        if value is not None and member.type_name == "string":
            faults += _string(value, member, f"header {member.serialization['name']}")
    if shape.serialization.get("payload"):
        return faults  # the body is the payload itself
    if all(member.serialization.get("location") for member in shape.members.values()):
        return faults
    try:
        value = json.loads(body)
    except ValueError:
        return faults + [f"the body is not JSON: {body[:200]!r}"]
    return faults + faults_of(value, shape, operation.name)
