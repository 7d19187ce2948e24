"""The Python runtime: a client of the Runtime API (2018-06-01) that loads a handler and gives it one event after another.

It imports little, because every import is paid for at each cold start: HTTP is spoken by hand over one kept-alive
connection, and `logging` and `traceback` are loaded when they are needed.
"""
import json
import os
import socket
import sys
import time

API = "/2018-06-01/runtime/"


class Api:
    """One kept-alive connection to the Runtime API."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.address = (host, int(port))
        self.host = address
        self.connection = None
        self.buffer = b""

    def _connect(self):
        self.connection = socket.create_connection(self.address)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def _receive(self):
        more = self.connection.recv(65536)
        if not more:
            raise ConnectionError("the Runtime API closed the connection")
        self.buffer += more

    def _read_chunks(self):
        body = b""
        while True:
            while b"\r\n" not in self.buffer:
                self._receive()
            size, _, self.buffer = self.buffer.partition(b"\r\n")
            length = int(size.split(b";")[0], 16)
            while len(self.buffer) < length + 2:
                self._receive()
            body += self.buffer[:length]
            self.buffer = self.buffer[length + 2:]
            if length == 0:
                return body

    def call(self, method, path, body=b"", headers=()):
        """Returns (status, headers with lower-case names, body)."""
        if self.connection is None:
            self._connect()
        lines = [f"{method} {API}{path} HTTP/1.1", f"Host: {self.host}", "User-Agent: lambda-python"]
        lines += [f"{name}: {value}" for name, value in headers]
        if method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        self.connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + body)
        while b"\r\n\r\n" not in self.buffer:
            self._receive()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        rows = head.decode("latin-1").split("\r\n")
        fields = {}
        for row in rows[1:]:
            name, _, value = row.partition(":")
            fields[name.strip().lower()] = value.strip()
        if "chunked" in fields.get("transfer-encoding", ""):
            content = self._read_chunks()
        else:
            length = int(fields.get("content-length", "0"))
            parts = [self.buffer[:length]]
            got = len(parts[0])
            self.buffer = self.buffer[length:]
            while got < length:
                more = self.connection.recv(min(1 << 20, length - got))
                if not more:
                    raise ConnectionError("the Runtime API closed the connection")
                parts.append(more)
                got += len(more)
            content = b"".join(parts)
        if fields.get("connection", "").lower() == "close":
            self.connection.close()
            self.connection = None
        return int(rows[0].split(" ")[1]), fields, content


class Identity:
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, data):
        data = data or {}
        self.cognito_identity_id = data.get("cognitoIdentityId")
        self.cognito_identity_pool_id = data.get("cognitoIdentityPoolId")

    def __repr__(self):
        return f"CognitoIdentity([cognito_identity_id={self.cognito_identity_id},cognito_identity_pool_id={self.cognito_identity_pool_id}])"


class Client:
    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")

    def __init__(self, data):
        for name in self.__slots__:
            setattr(self, name, data.get(name))


class ClientContext:
    __slots__ = ("custom", "env", "client")

    def __init__(self, data):
        self.custom = data.get("custom")
        self.env = data.get("env")
        self.client = Client(data["client"]) if data.get("client") else None


class Context:
    """What AWS documents as the context object."""

    def __init__(self, fields):
        self.aws_request_id = fields.get("lambda-runtime-aws-request-id", "")
        self.invoked_function_arn = fields.get("lambda-runtime-invoked-function-arn", "")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME", "")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
        client = fields.get("lambda-runtime-client-context")
        self.client_context = ClientContext(json.loads(client.encode("latin-1"))) if client else None
        identity = fields.get("lambda-runtime-cognito-identity")
        self.identity = Identity(json.loads(identity) if identity else None)
        self._deadline_ms = int(fields.get("lambda-runtime-deadline-ms", "0"))

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        return f"LambdaContext([aws_request_id={self.aws_request_id},function_name={self.function_name}])"


class InitError(Exception):
    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind = kind
        self.trace = list(trace)


current_request = [""]


class LogImporter:
    """Sets logging up as AWS does, at the moment when a function imports it."""

    def find_spec(self, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        import importlib.util
        spec = importlib.util.find_spec("logging")
        loader = spec.loader
        run = loader.exec_module

        def exec_module(module):
            run(module)
            set_up_logging(module)

        loader.exec_module = exec_module
        return spec


def set_up_logging(logging):
    class Handler(logging.Handler):
        def emit(self, record):
            sys.stdout.write(self.format(record))

    class Filter(logging.Filter):
        def filter(self, record):
            record.aws_request_id = current_request[0]
            return True

    handler = Handler()
    formatter = logging.Formatter("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    handler.addFilter(Filter())
    logging.root.addHandler(handler)


def load_handler(text):
    module_name, dot, function_name = text.rpartition(".")
    if not dot or not module_name or not function_name:
        raise InitError("Runtime.MalformedHandlerName", f"Bad handler '{text}': not enough values to unpack (expected 2, got 1)")
    name = module_name.replace("/", ".")
    import importlib
    try:
        module = importlib.import_module(name)
    except SyntaxError as error:
        place = f'  File "{error.filename}" Line {error.lineno}\n    {(error.text or "").rstrip()}'
        raise InitError("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}", [place])
    except ImportError as error:
        raise InitError("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}")
    handler = getattr(module, function_name, None)
    if handler is None:
        raise InitError("Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'")
    return handler


def trace_of(error):
    """Frames from the function's own code on, as AWS formats them."""
    import traceback
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename != __file__ and not frame.filename.startswith("<frozen importlib")]
    return traceback.format_list(own or frames)


def print_error(kind, message, trace):
    lines = [f"[ERROR] {kind}: {message}" if message else f"[ERROR] {kind}"]
    if trace:
        lines.append("Traceback (most recent call last):")
        lines += [row.rstrip("\n") for row in trace]
    # One line in the log: AWS joins with carriage returns there; a person reads lines.
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def error_body(kind, message, trace, request_id):
    return json.dumps({"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace}, ensure_ascii=False).encode("utf-8", "replace")


def fail_init(api, kind, message, trace):
    print_error(kind, message, trace)
    api.call("POST", "init/error", error_body(kind, message, trace, ""), [("Content-Type", "application/json"), ("Lambda-Runtime-Function-Error-Type", kind)])
    sys.exit(1)


def encode_default(value):
    # AWS's runtime writes Decimal as a number.
    if type(value).__name__ == "Decimal":
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def run_event(handler, fields, body):
    """Returns (operation, body, extra headers)."""
    request_id = fields.get("lambda-runtime-aws-request-id", "")
    try:
        event = json.loads(body)
    except ValueError as error:
        return "error", error_body("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}", [], request_id), "Runtime.UnmarshalError"
    try:
        result = handler(event, Context(fields))
    except Exception as error:  # noqa: BLE001 - whatever the function throws is its answer
        kind, message, trace = type(error).__name__, str(error), trace_of(error)
        print_error(kind, message, trace)
        return "error", error_body(kind, message, trace, request_id), kind
    try:
        return "response", json.dumps(result, ensure_ascii=False, default=encode_default).encode("utf-8"), ""
    except (TypeError, ValueError, RecursionError) as error:
        message = f"Unable to marshal response: {error}"
        print_error("Runtime.MarshalError", message, [])
        return "error", error_body("Runtime.MarshalError", message, [], request_id), "Runtime.MarshalError"


def main():
    api = Api(os.environ["AWS_LAMBDA_RUNTIME_API"])
    root = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
    sys.path[0:1] = [root, "/opt/python/lib/python3.11/site-packages", "/opt/python"]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, write_through=True, encoding="utf-8", errors="replace")
    sys.meta_path.insert(0, LogImporter())
    # The function's modules see this file under a name that cannot be theirs.
    try:
        handler = load_handler(os.environ.get("_HANDLER", ""))
    except InitError as error:
        fail_init(api, error.kind, str(error), error.trace)
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - module code may throw anything
        fail_init(api, type(error).__name__, str(error), trace_of(error))
    while True:
        status, fields, body = api.call("GET", "invocation/next")
        if status != 200:
            sys.stderr.write(f"the Runtime API answered {status} to next\n")
            sys.exit(1)
        request_id = current_request[0] = fields.get("lambda-runtime-aws-request-id", "")
        if "lambda-runtime-trace-id" in fields:
            os.environ["_X_AMZN_TRACE_ID"] = fields["lambda-runtime-trace-id"]
        operation, answer, kind = run_event(handler, fields, body)
        sys.stdout.flush()
        headers = [("Content-Type", "application/json")]
        if kind:
            headers.append(("Lambda-Runtime-Function-Error-Type", kind))
        status, _, reply = api.call("POST", f"invocation/{request_id}/{operation}", answer, headers)
        if status == 413:
            sys.stderr.write("the response is larger than 6 MB\n")
        elif status >= 400:
            sys.stderr.write(f"the Runtime API answered {status}: {reply.decode('utf-8', 'replace')}\n")
            sys.exit(1)


if __name__ == "__main__":
    main()
