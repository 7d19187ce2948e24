"""The Python runtime: a client of the Runtime API (2018-06-01) that loads a handler and gives it one event after another.

It imports little, because every import is paid for at each cold start: HTTP is spoken by hand over one kept-alive
connection, and `logging` and `traceback` are loaded when they are needed.

With --stem it is started before there is a function for it: it gets ready, and waits until it is told which (take_over).
Nothing is imported for that which would not be imported without: a function's modules may have the names of the library's.

With --zygote it never has a function itself: lambda-spawn has it fork such stems (become_fork).
"""
import importlib
import io
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

    def connect(self):
        self.connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.connection.connect(self.address)
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
            self.connect()
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


class CognitoIdentity:
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, data):
        self.cognito_identity_id = data.get("cognitoIdentityId")
        self.cognito_identity_pool_id = data.get("cognitoIdentityPoolId")

    def __repr__(self):
        return describe(self, self.__slots__)


class Client:
    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")

    def __init__(self, data):
        for name in self.__slots__:
            setattr(self, name, data.get(name))

    def __repr__(self):
        return describe(self, self.__slots__)


class ClientContext:
    __slots__ = ("custom", "env", "client")

    def __init__(self, data):
        self.custom = data.get("custom")
        self.env = data.get("env")
        client = data.get("client")
        self.client = None if client is None else Client(client)

    def __repr__(self):
        return describe(self, self.__slots__)


class LambdaContext:
    """What AWS documents as the context object."""

    def __init__(self, fields):
        self.aws_request_id = fields.get("lambda-runtime-aws-request-id", "")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = fields.get("lambda-runtime-invoked-function-arn", "")
        self.tenant_id = fields.get("lambda-runtime-aws-tenant-id")
        client = json_field(fields, "lambda-runtime-client-context", "Client Context")
        self.client_context = None if client is None else ClientContext(client)
        self.identity = CognitoIdentity(json_field(fields, "lambda-runtime-cognito-identity", "Cognito Identity") or {})
        self._deadline_ms = int(fields.get("lambda-runtime-deadline-ms", "0"))

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        return describe(self, ("aws_request_id", "log_group_name", "log_stream_name", "function_name", "memory_limit_in_mb", "function_version",
                               "invoked_function_arn", "client_context", "identity", "tenant_id"))


def describe(thing, names):
    return f"{type(thing).__name__}([" + ",".join(f"{name}={getattr(thing, name)}" for name in names) + "])"


def json_field(fields, name, title):
    text = fields.get(name)
    if not text:
        return None
    try:
        return json.loads(text.encode("latin-1"))
    except ValueError as error:
        raise Fault("Runtime.LambdaContextUnmarshalError", f"Unable to parse {title} JSON: {error}") from None


class Fault(Exception):
    """What went wrong at the border between the runtime and the function, under AWS's name for it."""

    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind = kind
        self.trace = list(trace)


class UnbufferedText(io.TextIOWrapper):
    """Everything written is in the pipe at once: a call may end at any moment (time, memory, os._exit)."""

    def write(self, text):
        count = super().write(text)
        self.flush()
        return count


current_request = [""]


def json_log():
    return os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"


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
            sys.stdout.write(self.format(record) + "\n")

    class Filter(logging.Filter):
        def filter(self, record):
            record.aws_request_id = current_request[0]
            return True

    usual = {*vars(logging.makeLogRecord({})), "message", "asctime", "aws_request_id"}

    class JsonFormatter(logging.Formatter):
        def format(self, record):
            line = {"timestamp": f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{int(record.msecs):03d}Z", "level": record.levelname,
                    "message": record.getMessage(), "logger": record.name}
            if record.exc_info and record.exc_info[0]:
                import traceback
                kind, error, trace = record.exc_info
                line.update(stackTrace=traceback.format_tb(trace), errorType=kind.__name__, errorMessage=str(error),
                            location=f"{record.pathname}:{record.funcName}:{record.lineno}")
            line["requestId"] = record.aws_request_id
            line.update((name, value) for name, value in vars(record).items() if name not in usual and name not in line)
            return json.dumps(line, ensure_ascii=False, default=str)

    logging.Formatter.converter = time.gmtime
    handler = Handler()
    text = logging.Formatter("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S")
    handler.setFormatter(JsonFormatter() if json_log() else text)
    handler.addFilter(Filter())
    logging.root.addHandler(handler)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper().replace("TRACE", "DEBUG")
    if level in ("DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL", "FATAL"):
        logging.root.setLevel(level)


def load_handler(text):
    module_name, dot, function_name = text.rpartition(".")
    if not dot or not module_name or not function_name:
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{text}': not enough values to unpack (expected 2, got 1)")
    name = module_name.replace("/", ".")
    if name.split(".")[0] in sys.builtin_module_names:
        raise Fault("Runtime.BuiltInModuleConflict", f"Cannot use built-in module {module_name} as a handler module")
    try:
        module = importlib.import_module(name)
    except SyntaxError as error:
        place = f'  File "{error.filename}" Line {error.lineno}\n    {(error.text or "").rstrip()}'
        raise Fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}", [place])
    except ImportError as error:
        # AWS leaves the place out; in a package of many files it is what one looks for.
        place = [row for row in trace_of(error) if f'"{__file__}"' not in row and "/importlib/__init__.py" not in row]
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}", place)
    handler = getattr(module, function_name, None)
    if handler is None:
        raise Fault("Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'")
    return handler


def describe_error(error, request_id):
    """The error object that AWS's runtime makes of an exception."""
    if isinstance(error, Fault):
        return {"errorMessage": str(error), "errorType": error.kind, "requestId": request_id, "stackTrace": error.trace}
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - __str__ is the function's own code
        message = "<exception str() failed>"
    return {"errorMessage": message, "errorType": type(error).__name__, "requestId": request_id, "stackTrace": trace_of(error)}


def trace_of(error):
    """Frames from the function's own code on, without the machinery of import in between."""
    import traceback
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen importlib")]
    for index, frame in enumerate(frames):
        if frame.filename != __file__ and not frame.filename.endswith("/importlib/__init__.py"):
            return traceback.format_list(frames[index:])
    return traceback.format_list(frames)


def print_error(described):
    if json_log():
        now = time.time()
        stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1000):03d}Z"
        sys.stdout.write(json.dumps({"timestamp": stamp, "level": "ERROR", **described}, ensure_ascii=False) + "\n")
        return
    kind, message, trace = described["errorType"], described["errorMessage"], described["stackTrace"]
    lines = [f"[ERROR] {kind}: {message}" if message else f"[ERROR] {kind}"]
    if trace:
        lines.append("Traceback (most recent call last):")
        lines += [row.rstrip("\n") for row in trace]
    # AWS joins them with carriage returns to one event; a person reads lines.
    sys.stdout.write("\n".join(lines) + "\n")


def encode(value):
    """JSON text in UTF-8. Decimals are numbers, digit by digit, as AWS's runtime writes them."""
    decimals = []
    mark = ""

    def default(item):
        nonlocal mark
        decimal = sys.modules.get("decimal")
        if decimal is None or not isinstance(item, decimal.Decimal):
            raise TypeError(f"Object of type {type(item).__name__} is not JSON serializable")
        if item.is_nan():
            return float("nan")
        mark = mark or os.urandom(16).hex()
        decimals.append(str(item))
        return f"{mark}{len(decimals) - 1}"

    text = json.dumps(value, ensure_ascii=False, default=default)
    if decimals:
        import re
        text = re.sub(f'"{mark}([0-9]+)"', lambda found: decimals[int(found[1])], text)
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which only an escape can carry
        return "".join(c if c < "\ud800" or c > "\udfff" else f"\\u{ord(c):04x}" for c in text).encode()


event_loop = []


def finish_coroutine(awaitable):
    """Runs what an `async def` handler returned, in one loop for all calls: its clients stay usable."""
    import asyncio

    async def wait():
        return await awaitable

    if not event_loop:
        event_loop.append(asyncio.new_event_loop())
        asyncio.set_event_loop(event_loop[0])
    return event_loop[0].run_until_complete(wait())


def answer_event(handler, fields, body):
    """The result's bytes and their content type."""
    context = LambdaContext(fields)
    try:
        event = json.loads(body)
    except ValueError as error:
        raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from None
    result = handler(event, context)
    if hasattr(result, "__await__"):
        result = finish_coroutine(result)
    if isinstance(result, bytes):
        return result, "application/unknown"
    try:
        return encode(result), "application/json"
    except Exception as error:  # noqa: BLE001 - a result may be anything, with code of its own
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from None


def post_error(api, path, described):
    print_error(described)
    return api.call("POST", path, encode(described), [("Content-Type", "application/json"),
                                                      ("Lambda-Runtime-Function-Error-Type", described["errorType"])])


def serve(api, handler):
    while True:
        status, fields, body = api.call("GET", "invocation/next")
        if status != 200:
            raise ConnectionError(f"the Runtime API answered {status} to next")
        request_id = current_request[0] = fields.get("lambda-runtime-aws-request-id", "")
        if "lambda-runtime-trace-id" in fields:
            os.environ["_X_AMZN_TRACE_ID"] = fields["lambda-runtime-trace-id"]
        else:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        try:
            answer, content_type = answer_event(handler, fields, body)
        except Exception as error:  # noqa: BLE001 - whatever the function throws is its answer
            status, _, reply = post_error(api, f"invocation/{request_id}/error", describe_error(error, request_id))
        else:
            status, _, reply = api.call("POST", f"invocation/{request_id}/response", answer, [("Content-Type", content_type)])
        if status == 413:
            sys.stderr.write("the response is larger than 6 MB\n")
        elif status >= 400:
            raise ConnectionError(f"the Runtime API answered {status}: {reply.decode('utf-8', 'replace')}")


def open_streams():
    sys.stdout, sys.stderr = (UnbufferedText(stream.buffer, encoding="utf-8", errors="backslashreplace") for stream in (sys.stdout, sys.stderr))


STEM_SOCKET = 3


def read_exactly(count):
    parts = []
    while count > 0:
        part = os.read(STEM_SOCKET, min(count, 1 << 20))
        if not part:
            sys.exit(1)  # the server has no use for this stem any more
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def take_over():
    """What lambda-init hands over: three numbers, then strings, each with a NUL behind it (sandbox/init/protocol.h)."""
    arguments, variables, size = (int.from_bytes(read_exactly(4), sys.byteorder) for _ in range(3))
    texts = read_exactly(size).split(b"\0")
    os.close(STEM_SOCKET)
    first = 1 + arguments
    for name in list(os.environb):
        del os.environb[name]
    for text in texts[first:first + variables]:
        name, _, value = text.partition(b"=")
        os.environb[name] = value
    os.chdir(texts[0])


ZYGOTE_MODULE = "/run/lambda/lambda-zygote.so"


class Rehearsal:
    """A connection to the Runtime API that has one event, and takes any answer."""

    def __init__(self):
        self.left = [b'HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 0\r\nLambda-Runtime-Deadline-Ms: 0\r\n'
                     b'Lambda-Runtime-Trace-Id: Root=0\r\nContent-Type: application/json\r\nContent-Length: 26\r\n\r\n{"a": [1, 2.5, "b", null]}',
                     b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"]

    def recv(self, _):
        return self.left.pop(0) if self.left else b""

    def sendall(self, _):
        pass


def rehearse(api):
    """A first call of nobody's: what it writes to is copied for this process now, and not while a caller waits."""
    connection = api.connection
    api.connection = Rehearsal()
    try:
        serve(api, lambda event, _context: {"statusCode": 200, "body": "ok", "event": event})
    except ConnectionError:
        pass
    api.connection = connection
    api.buffer = b""
    current_request[0] = ""
    del os.environ["_X_AMZN_TRACE_ID"]
    # How a module is found and loaded; of our own folder, for nothing may be remembered of a function's.
    machinery = importlib._bootstrap_external
    finder = machinery.FileFinder(os.path.dirname(__file__), (machinery.SourceFileLoader, machinery.SOURCE_SUFFIXES))
    spec = finder.find_spec("compile_all")
    spec.loader.get_code(spec.name)
    exec((lambda: None).__code__, vars(importlib._bootstrap.module_from_spec(spec)))
    importlib._bootstrap._find_spec("lambda_rehearsal", None)
    os.environb[b"LAMBDA_REHEARSAL"] = b"1"
    del os.environb[b"LAMBDA_REHEARSAL"]


def become_fork():
    """Waits for orders of lambda-spawn's, and returns in each process that it forks: a stem, with a function's privileges."""
    import _imp
    import gc
    spec = type(os.__spec__)("lambda_zygote", None, origin=ZYGOTE_MODULE)
    module = _imp.create_dynamic(spec)  # which leaves sys.modules alone
    _imp.exec_dynamic(module)
    for _ in range(20):  # so that the interpreter has seen what comes again and again
        rehearse(Api(os.environ["AWS_LAMBDA_RUNTIME_API"]))
    gc.collect()
    gc.freeze()
    del sys.modules["gc"]
    module.wait()


def main():
    mode = sys.argv[1:2]
    if mode in (["--zygote"], ["--stem"]):
        del sys.argv[1:], sys.orig_argv[-1]
    if mode == ["--zygote"]:
        become_fork()
    open_streams()
    api = Api(os.environ["AWS_LAMBDA_RUNTIME_API"])
    if mode == ["--zygote"]:
        rehearse(api)
    if mode:
        api.connect()
        take_over()
    root = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
    # In the place of this file's folder: the function's modules may have the names of ours.
    sys.path[0:1] = [root, "/opt/python/lib/python3.11/site-packages", "/opt/python"]
    sys.meta_path.insert(0, LogImporter())
    try:
        handler = load_handler(os.environ.get("_HANDLER", ""))
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - module code may throw anything
        post_error(api, "init/error", describe_error(error, ""))
        sys.exit(1)
    try:
        serve(api, handler)
    except ConnectionError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
