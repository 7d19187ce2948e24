"""runtimes/python/bootstrap.py against a scripted Runtime API: what a handler gets, and what becomes of what it does."""

import json
import unittest

from scripted_api import LARGEST, Runtime, in_stems

ECHO = "def handler(event, context):\n    return event\n"


def python(code, handler=None, environment=None, **more_files):
    files = {"app.py": code, **{name.replace("__", "/") + ".py": text for name, text in more_files.items()}}
    return Runtime("python3.11", files, handler, environment)


class Calls(unittest.TestCase):
    def test_events_and_results(self):
        values = [{}, [], {"a": [1, 2.5, None, True, "ü€😀"]}, "text", 0, 1.5, None, False, {"deep": {"er": [[[]]]}}]
        with python(ECHO) as runtime:
            for value in values:
                answer = runtime.call(json.dumps(value).encode())
                self.assertEqual((answer.kind, answer.json()), ("response", value))
                self.assertEqual(answer.headers["Content-Type"], "application/json")

    def test_text_goes_as_utf_8(self):
        with python("def handler(event, context):\n    return 'Grüße 世界 😀'\n") as runtime:
            self.assertEqual(runtime.call().body, '"Grüße 世界 😀"'.encode())

    def test_half_a_surrogate_pair_goes_as_an_escape(self):
        with python("def handler(event, context):\n    return event['a']\n") as runtime:
            self.assertEqual(runtime.call(b'{"a": "\\ud83d"}').body, b'"\\ud83d"')

    def test_payloads_of_6_mb_both_ways(self):
        event = {"text": "é" * ((LARGEST - 30) // 2)}
        with python(ECHO) as runtime:
            answer = runtime.call(json.dumps(event, ensure_ascii=False).encode())
            self.assertGreater(len(answer.body), 6 * 1024 * 1024)
            self.assertEqual(answer.json(), event)

    def test_a_result_that_is_too_large_is_refused_and_the_runtime_lives(self):
        with python("def handler(event, context):\n    return 'x' * event['size']\n") as runtime:
            self.assertEqual(runtime.call({"size": LARGEST}).kind, "too large")
            self.assertEqual(runtime.call({"size": 3}).json(), "xxx")

    def test_nan_is_written_as_python_writes_it(self):
        with python("def handler(event, context):\n    return [float('nan'), float('inf')]\n") as runtime:
            self.assertEqual(runtime.call().body, b"[NaN, Infinity]")

    def test_decimals_keep_their_digits(self):
        code = ("from decimal import Decimal\ndef handler(event, context):\n"
                "    return {'a': Decimal('12345678901234567890.123456789012345'), 'b': Decimal(7), 'c': Decimal('1E+3'), 'd': Decimal('NaN'), 'e': 'x'}\n")
        with python(code) as runtime:
            self.assertEqual(runtime.call().body, b'{"a": 12345678901234567890.123456789012345, "b": 7, "c": 1E+3, "d": NaN, "e": "x"}')

    def test_bytes_are_the_payload(self):
        with python("def handler(event, context):\n    return b'\\x00\\xff'\n") as runtime:
            answer = runtime.call()
            self.assertEqual((answer.kind, answer.body, answer.headers["Content-Type"]), ("response", b"\x00\xff", "application/unknown"))

    def test_the_module_lives_from_call_to_call(self):
        with python("calls = 0\ndef handler(event, context):\n    global calls\n    calls += 1\n    return calls\n") as runtime:
            self.assertEqual([runtime.call().json() for _ in range(3)], [1, 2, 3])

    def test_async_handlers_share_one_loop(self):
        code = ("import asyncio\nloops = set()\nasync def handler(event, context):\n    await asyncio.sleep(0)\n"
                "    loops.add(id(asyncio.get_running_loop()))\n    if 'fail' in event: raise KeyError('k')\n    return [len(loops), event]\n")
        with python(code) as runtime:
            for number in range(3):
                self.assertEqual(runtime.call({"n": number}).json(), [1, {"n": number}])
            self.assertEqual(runtime.call({"fail": 1}).json()["errorType"], "KeyError")

    def test_what_may_be_a_handler(self):
        code = ("import functools\nclass Callable:\n    def __call__(self, event, context): return ['instance', event]\n"
                "instance = Callable()\npartial = functools.partial(lambda kind, event, context: [kind, event], 'partial')\n")
        for name in ("instance", "partial"):
            with python(code, f"app.{name}") as runtime:
                self.assertEqual(runtime.call({"a": 1}).json(), [name, {"a": 1}])

    def test_handlers_in_packages(self):
        for handler in ("pkg.sub.module.handler", "pkg/sub/module.handler"):
            with python("", handler, pkg__sub__module=ECHO) as runtime:
                self.assertEqual(runtime.call({"a": 1}).json(), {"a": 1})

    def test_modules_with_a_byte_order_mark(self):
        with python("\ufeff" + ECHO) as runtime:
            self.assertEqual(runtime.call({"a": 1}).json(), {"a": 1})

    def test_modules_of_the_function_may_have_the_names_of_ours(self):
        code = "import bootstrap, compile_all\ndef handler(event, context):\n    return [bootstrap.WHO, compile_all.WHO]\n"
        with python(code, bootstrap="WHO = 'mine'\n", compile_all="WHO = 'too'\n") as runtime:
            self.assertEqual(runtime.call().json(), ["mine", "too"])

    def test_what_a_function_sees_of_its_start(self):
        code = ("import os, sys\nhere = __name__\ndef handler(event, context):\n"
                "    return {'path': sys.path[:3], 'cwd': os.getcwd(), 'name': here, 'root': os.environ['LAMBDA_TASK_ROOT']}\n")
        with python(code) as runtime:
            got = runtime.call().json()
            self.assertEqual(got["path"], [str(runtime.root), "/opt/python/lib/python3.11/site-packages", "/opt/python"])
            self.assertEqual((got["cwd"], got["name"], got["root"]), (str(runtime.root), "app", str(runtime.root)))


class TheContext(unittest.TestCase):
    def test_members(self):
        code = '''
def handler(event, context):
    return {"id": context.aws_request_id, "arn": context.invoked_function_arn, "name": context.function_name,
            "version": context.function_version, "memory": context.memory_limit_in_mb, "group": context.log_group_name,
            "stream": context.log_stream_name, "client": context.client_context,
            "identity": [context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id], "tenant": context.tenant_id,
            "remaining": context.get_remaining_time_in_millis(), "repr": repr(context)}
'''
        with python(code) as runtime:
            identity = runtime.send({}, remaining=5)
            got = runtime.answer().json()
            self.assertEqual(got["id"], identity)
            self.assertEqual(got["arn"], "arn:aws:lambda:us-east-1:000000000000:function:func")
            self.assertEqual((got["name"], got["version"], got["memory"]), ("func", "7", "128"))
            self.assertEqual((got["group"], got["stream"]), ("/aws/lambda/func", "2026/01/02/[7]0123456789abcdef"))
            self.assertEqual((got["client"], got["identity"], got["tenant"]), (None, [None, None], None))
            self.assertTrue(3000 < got["remaining"] <= 5000, got["remaining"])
            self.assertTrue(got["repr"].startswith(f"LambdaContext([aws_request_id={identity},"), got["repr"])
            self.assertEqual(runtime.call({}, remaining=-1).json()["remaining"], 0)

    def test_client_context_and_identity(self):
        code = '''
def handler(event, context):
    client = context.client_context
    return [client.client.installation_id, client.client.app_title, client.client.app_package_name, client.custom, client.env,
            context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id, context.tenant_id]
'''
        with python(code) as runtime:
            answer = runtime.call({}, client_context=json.dumps({"client": {"installation_id": "i", "app_title": "Gerät"}, "custom": {"a": 1},
                                                                 "env": {"locale": "de"}}, ensure_ascii=False),
                                  cognito_identity='{"cognitoIdentityId": "id", "cognitoIdentityPoolId": "pool"}', aws_tenant_id="tenant")
            self.assertEqual(answer.json(), ["i", "Gerät", None, {"a": 1}, {"locale": "de"}, "id", "pool", "tenant"])

    def test_a_client_context_that_is_not_json(self):
        with python(ECHO) as runtime:
            answer = runtime.call({}, client_context="{")
            self.assertEqual((answer.kind, answer.json()["errorType"]), ("error", "Runtime.LambdaContextUnmarshalError"))
            self.assertIn("Unable to parse Client Context JSON", answer.json()["errorMessage"])

    def test_the_trace_id_is_set_for_each_call(self):
        with python("import os\ndef handler(event, context):\n    return os.environ.get('_X_AMZN_TRACE_ID')\n") as runtime:
            self.assertEqual(runtime.call({}, trace_id="Root=1-a;Sampled=0").json(), "Root=1-a;Sampled=0")
            self.assertEqual(runtime.call({}, trace_id="Root=1-b;Sampled=1").json(), "Root=1-b;Sampled=1")
            self.assertIsNone(runtime.call({}, trace_id=None).json())


class Errors(unittest.TestCase):
    def test_the_error_object(self):
        code = "def inner():\n    raise RuntimeError('as äsked')\n\ndef handler(event, context):\n    inner()\n"
        with python(code) as runtime:
            identity = runtime.send()
            answer = runtime.answer()
            self.assertEqual(answer.kind, "error")
            error = answer.json()
            self.assertEqual(list(error), ["errorMessage", "errorType", "requestId", "stackTrace"])
            self.assertEqual((error["errorMessage"], error["errorType"], error["requestId"]), ("as äsked", "RuntimeError", identity))
            self.assertEqual(error["stackTrace"], [f'  File "{runtime.root}/app.py", line 5, in handler\n    inner()\n',
                                                   f'  File "{runtime.root}/app.py", line 2, in inner\n    raise RuntimeError(\'as äsked\')\n'])
            self.assertEqual(answer.headers["Lambda-Runtime-Function-Error-Type"], "RuntimeError")
            self.assertIn("[ERROR] RuntimeError: as äsked\nTraceback (most recent call last):\n", runtime.log)
            self.assertEqual(runtime.call().json()["errorType"], "RuntimeError")

    def test_exceptions_of_all_kinds(self):
        code = '''
class Own(Exception):
    pass
class Odd(Exception):
    def __str__(self): raise ValueError("no text")
def handler(event, context):
    raise {"own": Own("x", 1), "key": KeyError("k"), "empty": ValueError(), "group": ExceptionGroup("g", [OSError(2, "n")]), "odd": Odd(),
           "lone": ValueError("\\ud83d"), "deep": RecursionError("deep")}[event]
'''
        with python(code) as runtime:
            def seen(event):
                error = runtime.call(event).json()
                return error["errorType"], error["errorMessage"]
            self.assertEqual(seen("own"), ("Own", "('x', 1)"))
            self.assertEqual(seen("key"), ("KeyError", "'k'"))
            self.assertEqual(seen("empty"), ("ValueError", ""))
            self.assertEqual(seen("group"), ("ExceptionGroup", "g (1 sub-exception)"))
            self.assertEqual(seen("odd")[0], "Odd")
            self.assertEqual(seen("lone"), ("ValueError", "\ud83d"))
            self.assertEqual(seen("deep"), ("RecursionError", "deep"))

    def test_an_endless_recursion(self):
        with python("def handler(event, context):\n    return handler(event, context) if event else 1\n") as runtime:
            self.assertEqual(runtime.call({"a": 1}).json()["errorType"], "RecursionError")
            self.assertEqual(runtime.call({}).json(), 1)

    def test_a_result_that_is_not_json(self):
        code = ("def handler(event, context):\n    loop = []\n    loop.append(loop)\n"
                "    return {'set': {1}, 'object': object(), 'loop': loop, 'key': {(1, 2): 3}}[event]\n")
        with python(code) as runtime:
            for event, words in (("set", "Object of type set is not JSON serializable"), ("object", "Object of type object is not"),
                                 ("loop", "Circular reference"), ("key", "keys must be")):
                identity = runtime.send(event)
                answer = runtime.answer()
                self.assertEqual(answer.kind, "error")
                self.assertEqual((answer.json()["errorType"], answer.json()["requestId"], answer.json()["stackTrace"]), ("Runtime.MarshalError", identity, []))
                self.assertIn("Unable to marshal response: " + words, answer.json()["errorMessage"])
                self.assertIn("[ERROR] Runtime.MarshalError", runtime.log)

    def test_an_event_that_is_not_json(self):
        with python(ECHO) as runtime:
            for event in (b"{", b"\xff", b""):
                answer = runtime.call(event)
                self.assertEqual((answer.kind, answer.json()["errorType"]), ("error", "Runtime.UnmarshalError"))
                self.assertIn("Unable to unmarshal input", answer.json()["errorMessage"])
            self.assertEqual(runtime.call({"a": 1}).json(), {"a": 1})

    def test_the_end_of_the_process_in_a_handler(self):
        for code, status in (("sys.exit()", 0), ("sys.exit(3)", 3), ("sys.exit('bye')", 1), ("os._exit(4)", 4), ("os.kill(os.getpid(), 9)", -9)):
            with python(f"import os, sys\ndef handler(event, context):\n    print('before', end='')\n    {code}\n") as runtime:
                runtime.ready().send()
                self.assertEqual(runtime.ended(), status, code)
                self.assertTrue(runtime.api.answers.empty())
                self.assertIn("before", runtime.log)


class Init(unittest.TestCase):
    def init_error(self, runtime, status=1):
        answer = runtime.answer()
        self.assertEqual(answer.kind, "init/error")
        self.assertEqual(runtime.ended(), status)
        error = answer.json()
        self.assertEqual(list(error), ["errorMessage", "errorType", "requestId", "stackTrace"])
        self.assertEqual(answer.headers["Lambda-Runtime-Function-Error-Type"], error["errorType"])
        self.assertIn(f"[ERROR] {error['errorType']}", runtime.log)
        self.assertFalse(runtime.api.initialised.is_set())
        return error

    def test_a_module_that_is_not_there(self):
        with python(ECHO, "other.handler") as runtime:
            error = self.init_error(runtime)
            self.assertEqual((error["errorType"], error["errorMessage"]),
                             ("Runtime.ImportModuleError", "Unable to import module 'other': No module named 'other'"))
            self.assertEqual(error["stackTrace"], [])

    def test_an_import_that_fails(self):
        with python("import not_there_at_all\n" + ECHO) as runtime:
            error = self.init_error(runtime)
            self.assertEqual((error["errorType"], error["errorMessage"]),
                             ("Runtime.ImportModuleError", "Unable to import module 'app': No module named 'not_there_at_all'"))
            self.assertIn(f'File "{runtime.root}/app.py", line 1', error["stackTrace"][0])

    def test_a_syntax_error(self):
        with python("def handler(event, context:\n    return 1\n") as runtime:
            error = self.init_error(runtime)
            self.assertEqual(error["errorType"], "Runtime.UserCodeSyntaxError")
            self.assertIn("Syntax error in module 'app': '(' was never closed (app.py, line 1)", error["errorMessage"])
            self.assertIn(f'  File "{runtime.root}/app.py" Line 1', error["stackTrace"][0])

    def test_a_handler_that_is_not_there(self):
        with python(ECHO, "app.other") as runtime:
            error = self.init_error(runtime)
            self.assertEqual((error["errorType"], error["errorMessage"]), ("Runtime.HandlerNotFound", "Handler 'other' missing on module 'app'"))

    def test_names_that_are_no_handlers(self):
        for name in ("app", "", ".handler", "app."):
            with python(ECHO, name, {"_HANDLER": name}) as runtime:
                error = self.init_error(runtime)
                self.assertEqual(error["errorType"], "Runtime.MalformedHandlerName", name)
                self.assertIn(f"Bad handler '{name}'", error["errorMessage"])

    def test_a_module_of_the_interpreter_itself(self):
        with python("", "time.handler", time=ECHO) as runtime:
            error = self.init_error(runtime)
            self.assertEqual((error["errorType"], error["errorMessage"]),
                             ("Runtime.BuiltInModuleConflict", "Cannot use built-in module time as a handler module"))

    def test_an_exception_while_loading(self):
        with python("def connect():\n    raise ConnectionError('no database')\n\nconnect()\n") as runtime:
            error = self.init_error(runtime)
            self.assertEqual((error["errorType"], error["errorMessage"], error["requestId"]), ("ConnectionError", "no database", ""))
            self.assertEqual([line.split(",")[0] + line.split(",")[1] for line in error["stackTrace"]],
                             [f'  File "{runtime.root}/app.py" line 4', f'  File "{runtime.root}/app.py" line 2'])

    def test_an_exit_while_loading(self):
        with python("import sys\nprint('leaving')\nsys.exit(5)\n") as runtime:
            self.assertEqual(runtime.ended(), 5)
            self.assertTrue(runtime.api.answers.empty())
            self.assertIn("leaving", runtime.log)

    def test_a_runtime_api_that_is_gone(self):
        with python(ECHO) as runtime:
            runtime.ready()
            runtime.api.events.put(None)
            self.assertEqual(runtime.ended(), 1)
            self.assertIn("Runtime API", runtime.log)
            self.assertNotIn("Traceback", runtime.log)


class Logs(unittest.TestCase):
    def test_what_is_printed_is_there_before_the_answer(self):
        code = "import sys\ndef handler(event, context):\n    print('out', 'ü', end='')\n    sys.stderr.write('|err')\n    sys.stdout.writelines(['|lines'])\n"
        with python(code) as runtime:
            runtime.call()
            self.assertEqual(runtime.log, "out ü|err|lines")

    def test_the_logging_module(self):
        code = '''
import logging
logging.getLogger().setLevel(logging.INFO)
log = logging.getLogger("mine")
def handler(event, context):
    log.info("informed %s", event["n"])
    logging.debug("not this")
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("went wrong")
'''
        with python(code) as runtime:
            identity = runtime.send({"n": 5})
            runtime.answer()
            self.assertRegex(runtime.log, r"(?m)^\[INFO\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t" + identity + r"\tinformed 5$")
            self.assertIn(f"{identity}\twent wrong\nTraceback (most recent call last):\n", runtime.log)
            self.assertIn("ZeroDivisionError: division by zero\n", runtime.log)
            self.assertNotIn("not this", runtime.log)

    def test_warnings_and_above_without_any_setting(self):
        code = "import logging\ndef handler(event, context):\n    logging.info('no')\n    logging.warning('yes')\n"
        with python(code) as runtime:
            runtime.call()
            self.assertRegex(runtime.log, r"^\[WARNING\]\t[^\t]+\t[^\t]+\tyes\n$")

    def test_the_level_of_the_configuration(self):
        code = "import logging\ndef handler(event, context):\n    logging.debug('d')\n    logging.error('e')\n"
        for level, expected in (("DEBUG", "DE"), ("TRACE", "DE"), ("ERROR", "E"), ("FATAL", "")):
            with python(code, environment={"AWS_LAMBDA_LOG_LEVEL": level}) as runtime:
                runtime.call()
                self.assertEqual("".join(line[1] for line in runtime.log.splitlines()), expected, level)

    def test_json(self):
        code = '''
import logging
log = logging.getLogger("mine")
def handler(event, context):
    log.warning("careful: %s", "ü", extra={"order": 7, "odd": object})
    try:
        {}["k"]
    except KeyError:
        log.exception("caught")
    print("plain")
    raise ValueError("out")
'''
        with python(code, environment={"AWS_LAMBDA_LOG_FORMAT": "JSON"}) as runtime:
            identity = runtime.send()
            runtime.answer()
            careful, caught, plain, thrown = runtime.log.splitlines()
            careful, caught, thrown = json.loads(careful), json.loads(caught), json.loads(thrown)
            self.assertRegex(careful.pop("timestamp"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIn("object", careful.pop("odd"))
            self.assertEqual(careful, {"level": "WARNING", "message": "careful: ü", "logger": "mine", "requestId": identity, "order": 7})
            self.assertEqual((caught["level"], caught["message"], caught["errorType"], caught["errorMessage"]), ("ERROR", "caught", "KeyError", "'k'"))
            self.assertIn("in handler", caught["stackTrace"][0])
            self.assertRegex(caught["location"], r"/app\.py:handler:\d+$")
            self.assertEqual(plain, "plain")
            self.assertRegex(thrown.pop("timestamp"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
            self.assertEqual((thrown["level"], thrown["errorType"], thrown["errorMessage"], thrown["requestId"]), ("ERROR", "ValueError", "out", identity))
            self.assertIn("in handler", thrown["stackTrace"][0])

    def test_a_logger_set_up_by_the_function_replaces_ours(self):
        code = ("import logging, sys\nlogging.basicConfig(level='INFO', stream=sys.stdout, format='mine %(message)s', force=True)\n"
                "def handler(event, context):\n    logging.info('x')\n")
        with python(code) as runtime:
            runtime.call()
            self.assertEqual(runtime.log, "mine x\n")


class Stems(unittest.TestCase):
    def setUp(self):
        Runtime.stem = True

    def tearDown(self):
        Runtime.stem = False

    def test_nothing_of_the_stem_is_left(self):
        code = ("import os, sys\ndef handler(event, context):\n"
                "    return [sorted(os.environ), os.getcwd(), sys.argv[1:], sorted(int(fd) for fd in os.listdir('/proc/self/fd'))[:4], sys.path[0]]\n")
        with python(code, environment={"WORD": "ä=b"}) as runtime:
            names, directory, arguments, descriptors, first = runtime.call().json()
            self.assertIn("WORD", names)
            self.assertNotIn("OF_THE_STEM", names)
            self.assertEqual((directory, arguments, first), (str(runtime.root), [], str(runtime.root)))
            self.assertEqual(descriptors[:3], [0, 1, 2])

    def test_the_functions_modules_may_have_the_names_of_the_librarys(self):
        code = "import datetime, decimal, base64\ndef handler(event, context):\n    return [m.OWN for m in (datetime, decimal, base64)]\n"
        with python(code, datetime="OWN = 1", decimal="OWN = 2", base64="OWN = 3") as runtime:
            self.assertEqual(runtime.call().json(), [1, 2, 3])

    def test_the_log_format_is_the_functions(self):
        code = "import logging\ndef handler(event, context):\n    logging.error('said')\n"
        with python(code, environment={"AWS_LAMBDA_LOG_FORMAT": "JSON"}) as runtime:
            runtime.call()
            self.assertEqual(json.loads(runtime.log)["message"], "said")


class Forks(Stems):
    """The same of what a zygote forks."""

    def setUp(self):
        Runtime.stem = Runtime.forked = True

    def tearDown(self):
        Runtime.stem = Runtime.forked = False

    def test_the_rehearsal_leaves_no_trace(self):
        code = ("import os, sys\nseen = sorted(sys.modules)\nimport gc\ndef handler(event, context):\n"
                "    return [seen, os.environ['_X_AMZN_TRACE_ID'], gc.get_freeze_count() > 0, sys.argv]\n")
        with python(code) as runtime:
            seen, trace, frozen, arguments = runtime.call(trace_id="Root=1").json()
            self.assertEqual((runtime.log, trace, frozen, len(arguments)), ("", "Root=1", True, 1))
        Runtime.forked = False
        with python(code) as runtime:
            self.assertEqual(runtime.call().json()[0], seen)


in_stems(globals(), Calls, TheContext, Errors, Init, Logs)
in_stems(globals(), Calls, TheContext, Errors, Init, Logs, forked=True)

if __name__ == "__main__":
    unittest.main()
