"""runtimes/node against a scripted Runtime API, with each Node that we have: what a handler gets, and what becomes of what it does."""

import base64
import json
import re
import sys
import unittest

from scripted_api import LARGEST, NODES, Runtime, in_stems

ECHO = "export const handler = async (event) => event;\n"


def on_each_node(test):
    """Class decorator: the tests of this class run once with each version of Node."""
    module = sys.modules[test.__module__]
    for runtime in NODES:
        name = f"{test.__name__}On{runtime.removesuffix('.x').capitalize()}"
        setattr(module, name, type(name, (test,), {"runtime": runtime, "__module__": test.__module__}))


class NodeTest(unittest.TestCase):
    runtime: str

    def esm(self, code, handler=None, environment=None, **more):
        """A function of one ES module, index.mjs, and more files (`a__b_mjs` is a/b.mjs)."""
        files = {re.sub(r"_(\w+)$", r".\1", name.replace("__", "/")): text for name, text in more.items()}
        return Runtime(self.runtime, {"index.mjs": code, **files}, handler, environment)

    def files(self, files, handler="index.handler", environment=None):
        return Runtime(self.runtime, files, handler, environment)

    def common(self, code, handler="index.handler", environment=None):
        return Runtime(self.runtime, {"index.js": code}, handler, environment)


@on_each_node
class Calls(NodeTest):
    def test_events_and_results(self):
        values = [{}, [], {"a": [1, 2.5, None, True, "ü€😀"]}, "text", 0, 1.5, None, False]
        with self.esm(ECHO) as runtime:
            for value in values:
                answer = runtime.call(json.dumps(value).encode())
                self.assertEqual((answer.kind, answer.json()), ("response", value))
                self.assertEqual(answer.headers["Content-Type"], "application/json")

    def test_what_json_has_no_word_for(self):
        code = '''export const handler = async (event) =>
  ({ nothing: undefined, nan: NaN, members: { a: NaN, b: undefined, c: () => 1, d: new Date(0) }, function: () => 1, symbol: Symbol("x") })[event];'''
        with self.esm(code) as runtime:
            for event, expected in (("nothing", None), ("nan", None), ("members", {"a": None, "d": "1970-01-01T00:00:00.000Z"}), ("function", None),
                                    ("symbol", None)):
                self.assertEqual((runtime.call(event).json()), expected, event)

    def test_payloads_of_6_mb_both_ways(self):
        event = {"text": "é" * ((LARGEST - 30) // 2)}
        with self.esm(ECHO) as runtime:
            answer = runtime.call(json.dumps(event, ensure_ascii=False).encode())
            self.assertGreater(len(answer.body), 6 * 1024 * 1024)
            self.assertEqual(answer.json(), event)

    def test_a_result_that_is_too_large_is_refused_and_the_runtime_lives(self):
        with self.esm("export const handler = async ({ size }) => 'x'.repeat(size);") as runtime:
            self.assertEqual(runtime.call({"size": LARGEST}).kind, "too large")
            self.assertEqual(runtime.call({"size": 3}).json(), "xxx")

    def test_the_module_lives_from_call_to_call(self):
        with self.esm("let calls = 0; export const handler = async () => ++calls;") as runtime:
            self.assertEqual([runtime.call().json() for _ in range(3)], [1, 2, 3])

    def test_promises_of_other_makes(self):
        code = "exports.handler = (event) => ({ then: (resolve, reject) => event.fail ? reject(new RangeError('r')) : resolve('thenable') });"
        with self.common(code) as runtime:
            self.assertEqual(runtime.call().json(), "thenable")
            self.assertEqual(runtime.call({"fail": True}).json()["errorType"], "RangeError")

    def test_what_a_promise_leaves_behind_does_not_hold_up_the_answer(self):
        with self.esm("export const handler = async () => { setTimeout(() => {}, 60000); return 'now'; };") as runtime:
            self.assertEqual([runtime.call().json(), runtime.call().json()], ["now", "now"])

    def test_a_promise_that_nothing_will_settle(self):
        with self.esm("export const handler = (event) => event.never ? new Promise(() => {}) : Promise.resolve(1);") as runtime:
            self.assertIsNone(runtime.call({"never": True}).json())
            self.assertEqual(runtime.call().json(), 1)


@on_each_node
class Callbacks(NodeTest):
    def test_results_and_errors(self):
        code = '''exports.handler = (event, context, callback) => {
  if (event.error) setTimeout(() => callback(new TypeError("asked")), 5);
  else if (event.text) callback(event.text);
  else if (event.object) callback({ some: "thing" });
  else setTimeout(() => callback(null, { event }), 5);
};'''
        with self.common(code) as runtime:
            self.assertEqual(runtime.call({"a": 1}).json(), {"event": {"a": 1}})
            answer = runtime.call({"error": 1})
            self.assertEqual((answer.kind, answer.json()["errorType"], answer.json()["errorMessage"]), ("error", "TypeError", "asked"))
            self.assertEqual(runtime.call({"text": "why"}).json(), {"errorType": "string", "errorMessage": "why", "trace": []})
            self.assertEqual(runtime.call({"object": 1}).json(), {"errorType": "object", "errorMessage": "[object Object]", "trace": []})

    def test_the_result_waits_for_the_event_loop(self):
        code = '''let late = 0;
exports.handler = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = event.wait;
  setTimeout(() => { late += 1; }, event.wait ? 300 : 60000);
  callback(null, () => late);
  callback(null, "a second answer");
};
// The result is looked at when it is sent.
Function.prototype.toJSON = function () { return this(); };'''
        with self.common(code) as runtime:
            self.assertEqual(runtime.call({"wait": True}).json(), 1)
            self.assertEqual(runtime.call({"wait": True}).json(), 2)
            self.assertEqual(runtime.call({"wait": False}).json(), 2)

    def test_an_error_does_not_wait(self):
        code = "exports.handler = (event, context, callback) => { setTimeout(() => {}, 30000); callback(new Error('now')); };"
        with self.common(code) as runtime:
            runtime.send()
            self.assertEqual(runtime.answer(wait=10).json()["errorMessage"], "now")

    def test_the_old_methods_of_the_context(self):
        code = '''exports.handler = (event, context) => {
  setTimeout(() => {}, 30000);
  if (event.how === "fail") context.fail(event.value); else if (event.how === "done") context.done(event.error, event.value); else context.succeed(event.value);
  context.succeed("too late");
};'''
        with self.common(code) as runtime:
            self.assertEqual(runtime.call({"how": "succeed", "value": 1}).json(), 1)
            self.assertEqual(runtime.call({"how": "done", "value": 2}).json(), 2)
            self.assertEqual(runtime.call({"how": "done", "error": "e"}).json()["errorMessage"], "e")
            self.assertEqual(runtime.call({"how": "fail", "value": "f"}).json()["errorMessage"], "f")
            self.assertEqual(runtime.call({"how": "fail"}).json(), {"errorType": "string", "errorMessage": "handled", "trace": []})

    def test_a_handler_that_never_answers(self):
        with self.common("exports.handler = (event, context, callback) => { setTimeout(() => {}, 50); return 'ignored'; };") as runtime:
            self.assertIsNone(runtime.call().json())
            self.assertIsNone(runtime.call().json())

    def test_an_error_thrown_at_once(self):
        with self.common("exports.handler = (event, context, callback) => { throw new URIError('u'); };") as runtime:
            self.assertEqual(runtime.call().json()["errorType"], "URIError")


@on_each_node
class TheContext(NodeTest):
    def test_members(self):
        code = '''export const handler = async (event, context) => ({ ...context, remaining: context.getRemainingTimeInMillis(), types:
  ["done", "succeed", "fail", "getRemainingTimeInMillis"].map((name) => typeof context[name]) });'''
        with self.esm(code) as runtime:
            identity = runtime.send({}, remaining=5)
            got = runtime.answer().json()
            self.assertTrue(3000 < got.pop("remaining") <= 5000)
            self.assertEqual(got, {
                "callbackWaitsForEmptyEventLoop": True, "functionVersion": "7", "functionName": "func", "memoryLimitInMB": "128",
                "logGroupName": "/aws/lambda/func", "logStreamName": "2026/01/02/[7]0123456789abcdef", "awsRequestId": identity,
                "invokedFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:func", "types": ["function"] * 4})
            self.assertEqual(runtime.call({}, remaining=-1).json()["remaining"], 0)

    def test_client_context_and_identity(self):
        with self.esm("export const handler = async (event, { clientContext, identity, tenantId }) => [clientContext, identity, tenantId];") as runtime:
            client = {"client": {"installation_id": "i", "app_title": "Gerät"}, "custom": {"a": 1}, "env": {}}
            answer = runtime.call({}, client_context=json.dumps(client, ensure_ascii=False),
                                  cognito_identity='{"cognitoIdentityId": "id", "cognitoIdentityPoolId": "pool"}', aws_tenant_id="tenant")
            self.assertEqual(answer.json(), [client, {"cognitoIdentityId": "id", "cognitoIdentityPoolId": "pool"}, "tenant"])
            answer = runtime.call({}, client_context="{")
            self.assertEqual(answer.kind, "error")
            self.assertIn("Cannot parse ClientContext as json", answer.json()["errorMessage"])

    def test_the_trace_id_is_set_for_each_call(self):
        with self.esm("export const handler = async () => process.env._X_AMZN_TRACE_ID ?? null;") as runtime:
            self.assertEqual(runtime.call({}, trace_id="Root=1-a;Sampled=0").json(), "Root=1-a;Sampled=0")
            self.assertEqual(runtime.call({}, trace_id="Root=1-b;Sampled=1").json(), "Root=1-b;Sampled=1")
            self.assertIsNone(runtime.call({}, trace_id=None).json())


@on_each_node
class Modules(NodeTest):
    def test_all_the_ways_to_write_one(self):
        for files in (
            {"index.mjs": ECHO}, {"index.js": "exports.handler = async (event) => event;"}, {"index.cjs": "module.exports = { handler: async (e) => e };"},
            {"index.js": ECHO, "package.json": '{"type": "module"}'},
            {"index.js": "const late = await Promise.resolve(1);\n" + ECHO, "package.json": '{"type": "module"}'},
            {"index.js": "exports.handler = async (event) => event;", "package.json": '{"type": "commonjs"}'},
            {"index.mjs": "const late = await new Promise((done) => setTimeout(done, 20, 1));\n" + ECHO},
            {"index.js": ECHO},  # an ES module by its syntax alone
            {"index.mjs": "export default { handler: async (event) => event };"},
            {"index/index.js": "exports.handler = async (event) => event;"},
            {"node_modules/index/package.json": '{"main": "m.js"}', "node_modules/index/m.js": "exports.handler = async (event) => event;"},
        ):
            with self.subTest(files=files), self.files(files) as runtime:
                self.assertEqual(runtime.call({"a": 1}).json(), {"a": 1})

    def test_a_package_json_with_a_byte_order_mark(self):
        with self.files({"index.js": "\ufeff" + ECHO, "package.json": '\ufeff{"type": "module"}'}) as runtime:
            self.assertEqual(runtime.call({"a": 1}).json(), {"a": 1})
            self.assertEqual(runtime.log, "")

    def test_nested_handlers(self):
        with self.esm("export const a = { b: { c: async (event) => event } };", "index.a.b.c") as runtime:
            self.assertEqual(runtime.call({"a": 1}).json(), {"a": 1})
        with self.files({"index.mjs": "", "some/dir/file.mjs": ECHO}, "some/dir/file.handler") as runtime:
            self.assertEqual(runtime.call({"a": 1}).json(), {"a": 1})

    def test_what_is_imported_beside_it(self):
        with self.files({"index.mjs": "import { a } from './lib/a.mjs'; import data from 'pack'; export const handler = async () => [a, data];",
                         "lib/a.mjs": "export const a = 'mine';", "node_modules/pack/package.json": '{"exports": "./x.cjs"}',
                         "node_modules/pack/x.cjs": "module.exports = 'from a package';"}) as runtime:
            self.assertEqual(runtime.call().json(), ["mine", "from a package"])


@on_each_node
class Errors(NodeTest):
    def test_the_error_object(self):
        code = "function inner() { throw new RangeError('as äsked'); }\nexport const handler = async () => { inner(); };\n"
        with self.esm(code) as runtime:
            answer = runtime.call()
            self.assertEqual(answer.kind, "error")
            error = answer.json()
            self.assertEqual(list(error), ["errorType", "errorMessage", "trace"])
            self.assertEqual((error["errorType"], error["errorMessage"], error["trace"][0]), ("RangeError", "as äsked", "RangeError: as äsked"))
            self.assertRegex(error["trace"][1], r"^    at inner \(file://.*/index\.mjs:1:\d+\)$")
            self.assertRegex(runtime.log, r"\tERROR\tInvoke Error \t\{\"errorType\":\"RangeError\",\"errorMessage\":\"as äsked\",\"stack\":\[")
            self.assertEqual(runtime.call().json()["errorType"], "RangeError")

    def test_errors_of_all_kinds(self):
        code = '''class Own extends Error { constructor() { super("own"); this.name = "OwnError"; this.code = 42; this.self = this; } }
export const handler = async (event) => { throw { own: new Own(), text: "just text", number: 5, nothing: undefined, null: null,
  bare: Object.create(null), odd: { name: "Odd", message: "m", stack: "s1\\ns2" }, nameless: Object.assign(new Error("n"), { stack: undefined }) }[event]; };'''
        with self.esm(code) as runtime:
            def seen(event):
                error = runtime.call(event).json()
                return error["errorType"], error["errorMessage"]
            self.assertEqual(seen("own"), ("OwnError", "own"))
            self.assertEqual(seen("text"), ("string", "just text"))
            self.assertEqual(seen("number"), ("number", "5"))
            self.assertEqual(seen("nothing"), ("string", "handled"))
            self.assertEqual(seen("null"), ("string", "handled"))
            self.assertEqual(seen("bare")[0], "handled")
            self.assertEqual(runtime.call("odd").json(), {"errorType": "Odd", "errorMessage": "m", "trace": ["s1", "s2"]})
            self.assertEqual(seen("nameless"), ("Error", "n"))

    def test_a_result_that_is_not_json(self):
        code = "export const handler = async (event) => { const loop = {}; loop.loop = loop; return event === 'loop' ? loop : { big: 1n }; };"
        with self.esm(code) as runtime:
            for event, words in (("loop", "circular"), ("big", "BigInt")):
                answer = runtime.call(event)
                self.assertEqual((answer.kind, answer.json()["errorType"]), ("error", "Error"))
                self.assertRegex(answer.json()["errorMessage"], f"^Unable to stringify response body: .*{words}")

    def test_an_event_that_is_not_json(self):
        with self.esm(ECHO) as runtime:
            for event in (b"{", b""):
                answer = runtime.call(event)
                self.assertEqual((answer.kind, answer.json()["errorType"]), ("error", "SyntaxError"))
            self.assertEqual(runtime.call({"a": 1}).json(), {"a": 1})

    def test_a_rejection_that_nobody_handles(self):
        code = "export const handler = async () => { Promise.reject(new RangeError('lost')); await new Promise((done) => setTimeout(done, 5000)); };"
        with self.esm(code) as runtime:
            answer = runtime.call()
            self.assertEqual((answer.kind, answer.json()["errorType"], answer.json()["errorMessage"]),
                             ("error", "Runtime.UnhandledPromiseRejection", "RangeError: lost"))
            self.assertIn("index.mjs", answer.json()["trace"][1])
            self.assertEqual(runtime.ended(), 128)
            self.assertIn("Unhandled Promise Rejection", runtime.log)

    def test_an_exception_that_nobody_catches(self):
        code = "export const handler = async () => { setTimeout(() => { throw new RangeError('loose'); }, 5); await new Promise((done) => setTimeout(done, 5000)); };"
        with self.esm(code) as runtime:
            answer = runtime.call()
            self.assertEqual((answer.kind, answer.json()["errorType"], answer.json()["errorMessage"]), ("error", "RangeError", "loose"))
            self.assertEqual(runtime.ended(), 129)
            self.assertIn("Uncaught Exception", runtime.log)

    def test_an_exception_between_calls_ends_the_process_and_spoils_no_answer(self):
        with self.esm("export const handler = async () => { setTimeout(() => { throw new Error('later'); }, 100); return 'done'; };") as runtime:
            self.assertEqual(runtime.call().json(), "done")
            self.assertEqual(runtime.ended(), 129)
            self.assertIn("later", runtime.log)
            self.assertEqual((runtime.api.refused, runtime.api.answers.qsize()), ([], 0))

    def test_the_end_of_the_process_in_a_handler(self):
        for code, status in (("process.exit()", 0), ("process.exit(3)", 3), ("process.kill(process.pid, 'SIGKILL')", -9)):
            with self.esm(f"export const handler = async () => {{ process.stdout.write('before'); {code}; await new Promise(() => {{}}); }};") as runtime:
                runtime.ready().send()
                self.assertEqual(runtime.ended(), status, code)
                self.assertTrue(runtime.api.answers.empty())
                self.assertIn("before", runtime.log)


@on_each_node
class Init(NodeTest):
    def init_error(self, runtime, status=129):
        answer = runtime.answer()
        self.assertEqual(answer.kind, "init/error")
        self.assertEqual(runtime.ended(), status)
        error = answer.json()
        self.assertEqual(list(error), ["errorType", "errorMessage", "trace"])
        self.assertEqual(answer.headers["Lambda-Runtime-Function-Error-Type"], error["errorType"])
        self.assertIn(error["errorMessage"].splitlines()[0], runtime.log)
        self.assertFalse(runtime.api.initialised.is_set())
        return error["errorType"], error["errorMessage"]

    def test_a_module_that_is_not_there(self):
        with self.esm(ECHO, "other.handler") as runtime:
            kind, message = self.init_error(runtime)
            self.assertEqual(kind, "Runtime.ImportModuleError")
            self.assertTrue(message.startswith("Error: Cannot find module 'other'\nRequire stack:\n"), message)

    def test_an_import_that_fails(self):
        for files in ({"index.js": "require('not-there'); exports.handler = 1;"}, {"index.mjs": "import 'not-there';"}, {"index.mjs": "import './not-there.mjs';"}):
            with self.files(files) as runtime:
                kind, message = self.init_error(runtime)
                self.assertEqual(kind, "Runtime.ImportModuleError")
                self.assertRegex(message, "^Error: Cannot find (module|package) .*not-there")

    def test_a_syntax_error(self):
        for name in ("index.js", "index.mjs", "index.cjs"):
            with self.files({name: "exports.handler = async (event => {};\n"}) as runtime:
                kind, message = self.init_error(runtime)
                self.assertEqual(kind, "Runtime.UserCodeSyntaxError")
                self.assertTrue(message.startswith("SyntaxError: "), message)

    def test_a_syntax_error_has_its_place(self):
        wrong = "export const one = 1;\nexport const two = 1 +;\n"
        imports = "import './lib/wrong.mjs';\n" + ECHO
        package = {"package.json": '{"type": "module"}'}
        for files, place in (({"index.mjs": wrong}, "index.mjs"), ({"index.js": wrong}, "index.js"), ({"index.js": wrong, **package}, "index.js"),
                             ({"index.mjs": imports, "lib/wrong.mjs": wrong}, "lib/wrong.mjs"),
                             ({"index.mjs": "await import('./wrong.mjs');\n" + ECHO, "wrong.mjs": wrong}, "wrong.mjs"),
                             ({"index.js": "require('./wrong.mjs');", "wrong.mjs": wrong}, "wrong.mjs"),
                             ({"index.cjs": "\nexports.two = 1 +;"}, "index.cjs"),
                             ({"index.mjs": "import './wrong.cjs';\n" + ECHO, "wrong.cjs": "\nexports.two = 1 +;"}, "wrong.cjs"),
                             ({"index.mjs": "\nimport { two } from './one.mjs';\n" + ECHO, "one.mjs": "export const one = 1;"}, "index.mjs")):
            with self.subTest(list(files)), self.files(files) as runtime:
                trace = runtime.answer().json()["trace"]
                self.assertRegex(trace[0], rf"^(file://)?{re.escape(str(runtime.root / place))}:2$")
                self.assertRegex("\n".join(trace[1:4]), r"\A.*\btwo\b.*\n +\^+\n(SyntaxError|$)")
                self.assertEqual(sum(line.startswith("SyntaxError: ") for line in trace), 1, trace)
                self.assertTrue(trace[-1].startswith("    at "), trace)

    def test_a_syntax_error_of_its_own_making(self):
        for thrown in ("JSON.parse('{')", "new Function('1 +')", "(() => { throw Object.freeze(new SyntaxError('own')); })()"):
            with self.esm(f"\n{thrown};\n" + ECHO) as runtime:
                trace = runtime.answer().json()["trace"]
                self.assertTrue(trace[0].startswith("SyntaxError: "), trace)
                self.assertTrue(any(f"{runtime.root}/index.mjs:2:" in line for line in trace[1:]), trace)

    def test_a_handler_that_is_not_there(self):
        with self.esm(ECHO, "index.other") as runtime:
            self.assertEqual(self.init_error(runtime), ("Runtime.HandlerNotFound", "index.other is undefined or not exported"))
        with self.esm("export const handler = { a: 1 };", "index.handler.a.b.c") as runtime:
            self.assertEqual(self.init_error(runtime), ("Runtime.HandlerNotFound", "index.handler.a.b.c is undefined or not exported"))
        with self.esm("export const handler = 'text';") as runtime:
            self.assertEqual(self.init_error(runtime), ("Runtime.HandlerNotFound", "index.handler is not a function"))

    def test_names_that_are_no_handlers(self):
        for name in ("index", "", ".handler", "index."):
            with self.esm(ECHO, name, {"_HANDLER": name}) as runtime:
                self.assertEqual(self.init_error(runtime), ("Runtime.MalformedHandlerName", "Bad handler"), name)
        with self.esm(ECHO, "../index.handler") as runtime:
            kind, message = self.init_error(runtime)
            self.assertEqual(kind, "Runtime.MalformedHandlerName")
            self.assertIn("'../index.handler' is not a valid handler name", message)

    def test_an_exception_while_loading(self):
        for name in ("index.js", "index.mjs"):
            with self.files({name: "class NoDatabase extends Error { name = 'NoDatabase'; }\nthrow new NoDatabase('gone');\n"}) as runtime:
                self.assertEqual(self.init_error(runtime), ("NoDatabase", "gone"))

    def test_errors_beside_the_loading(self):
        wait = "await new Promise((done) => setTimeout(done, 5000)); " + ECHO
        with self.esm("Promise.reject(new Error('early')); " + wait) as runtime:
            self.assertEqual(self.init_error(runtime, 128), ("Runtime.UnhandledPromiseRejection", "Error: early"))
        with self.esm("setTimeout(() => { throw new TypeError('early'); }, 1); " + wait) as runtime:
            self.assertEqual(self.init_error(runtime, 129), ("TypeError", "early"))

    def test_an_exit_while_loading(self):
        with self.esm("console.log('leaving'); process.exit(5);") as runtime:
            self.assertEqual(runtime.ended(), 5)
            self.assertTrue(runtime.api.answers.empty())
            self.assertIn("leaving", runtime.log)

    def test_a_runtime_api_that_is_gone(self):
        with self.esm(ECHO) as runtime:
            runtime.ready()
            runtime.api.events.put(None)
            self.assertEqual(runtime.ended(), 1)
            self.assertIn("the Runtime API is gone", runtime.log)


@on_each_node
class Streams(NodeTest):
    def stream(self, body):
        return self.esm(f"export const handler = awslambda.streamifyResponse(async (event, stream, context) => {{ {body} }});")

    def test_parts_go_as_they_are_written(self):
        wait = "while (!fs.existsSync('go')) await new Promise((done) => setTimeout(done, 5));"
        with self.esm("import fs from 'node:fs'; export const handler = awslambda.streamifyResponse(async (event, stream) => { "
                      f"stream.setContentType('text/plain'); stream.write('first '); {wait} stream.write(Buffer.from('sécond ')); "
                      "stream.write({ third: event.n }); stream.end(); });") as runtime:
            runtime.send({"n": 3})
            self.assertEqual(runtime.api.parts.get(timeout=20), b"first ")
            (runtime.root / "go").touch()
            answer = runtime.answer()
            self.assertEqual((answer.kind, answer.body.decode()), ("response", 'first sécond {"third":3}'))
            self.assertEqual(answer.headers["Lambda-Runtime-Function-Response-Mode"], "streaming")
            self.assertEqual(answer.headers["Content-Type"], "text/plain")
            self.assertEqual(answer.headers.get_all("Trailer"), ["Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-Error-Body"])
            self.assertEqual(answer.trailers, {})
            self.assertEqual(runtime.call({"n": 4}).body.decode(), 'first sécond {"third":4}')

    def test_the_default_content_type_and_an_empty_body(self):
        with self.stream("stream.end();") as runtime:
            answer = runtime.call()
            self.assertEqual((answer.headers["Content-Type"], answer.body), ("application/octet-stream", b""))

    def test_an_http_response(self):
        with self.stream("const out = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { a: 'ü' }, cookies: ['c=1'] });"
                         " if (!event.empty) out.write('body'); out.end();") as runtime:
            prelude = '{"statusCode":201,"headers":{"a":"ü"},"cookies":["c=1"]}'.encode() + bytes(8)
            answer = runtime.call()
            self.assertEqual(answer.headers["Content-Type"], "application/vnd.awslambda.http-integration-response")
            self.assertEqual(answer.body, prelude + b"body")
            self.assertEqual(runtime.call({"empty": True}).body, prelude)

    def test_a_pipeline_of_20_mb(self):
        with self.esm('''import { pipeline } from "node:stream/promises"; import { Readable } from "node:stream";
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  await pipeline(Readable.from((function* () { for (let i = 0; i < 320; i++) yield Buffer.alloc(65536, i); })()), stream); });''') as runtime:
            answer = runtime.call()
            self.assertEqual(len(answer.body) if answer.kind == "response" else answer.kind, "too large")  # the scripted limit is that of 1.2
            self.assertGreater(len(runtime.api.parts.queue), 100)

    def test_an_error_before_the_first_byte(self):
        with self.stream("throw new RangeError('early');") as runtime:
            answer = runtime.call()
            self.assertEqual((answer.kind, answer.json()["errorType"]), ("error", "RangeError"))
            self.assertEqual(runtime.call().kind, "error")

    def test_an_error_after_the_first_byte(self):
        with self.stream("stream.write('part'); await new Promise((d) => setTimeout(d, 50)); throw new RangeError('läte');") as runtime:
            for _ in range(2):
                answer = runtime.call()
                self.assertEqual((answer.kind, answer.body), ("response", b"part"))
                self.assertEqual(answer.trailers["lambda-runtime-function-error-type"], "RangeError")
                error = json.loads(base64.b64decode(answer.trailers["lambda-runtime-function-error-body"]))
                self.assertEqual((error["errorType"], error["errorMessage"]), ("RangeError", "läte"))
            self.assertIn("läte", runtime.log)

    def test_a_very_long_error_after_the_first_byte(self):
        with self.stream("stream.write('part'); await new Promise((d) => setTimeout(d, 50)); throw new Error('long'.repeat(100000));") as runtime:
            answer = runtime.call()
            self.assertLess(len(answer.trailers["lambda-runtime-function-error-body"]), 32 * 1024)
            self.assertTrue(json.loads(base64.b64decode(answer.trailers["lambda-runtime-function-error-body"]))["errorMessage"].startswith("longlong"))

    def test_a_stream_that_is_not_ended(self):
        with self.stream("stream.write('part');") as runtime:
            answer = runtime.call()
            self.assertEqual(answer.body, b"part")
            self.assertIn("not finished", base64.b64decode(answer.trailers["lambda-runtime-function-error-body"]).decode())

    def test_a_stream_that_ends_after_the_handler_has_returned(self):
        with self.stream("setTimeout(() => stream.end('late'), 100); stream.write('early ');") as runtime:
            self.assertEqual(runtime.call().body, b"early late")

    def test_a_crash_in_the_middle(self):
        with self.stream("stream.write('part'); setTimeout(() => { throw new TypeError('loose'); }, 50); await new Promise((d) => setTimeout(d, 5000));") as runtime:
            answer = runtime.call()
            self.assertEqual((answer.body, answer.trailers["lambda-runtime-function-error-type"]), (b"part", "TypeError"))
            self.assertEqual(runtime.ended(), 129)

    def test_a_handler_that_is_not_async(self):
        with self.esm("export const handler = awslambda.streamifyResponse((event, stream) => { stream.end('x'); });") as runtime:
            answer = runtime.call()
            self.assertIn("Streaming does not support non-async handlers.", json.dumps(answer.json()) if answer.kind == "error" else runtime.log)

    def test_without_the_global(self):
        with self.esm("export const handler = async () => typeof awslambda;", environment={"AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA": "1"}) as runtime:
            self.assertEqual(runtime.call().json(), "undefined")


@on_each_node
class Logs(NodeTest):
    def test_lines_of_the_console(self):
        code = '''console.info("loading");
export const handler = async () => {
  console.log("%s and", "format", { a: 1 }); console.warn("two\\nlines"); console.error(new Error("shown").message); console.debug("d"); console.trace("t");
  process.stdout.write("raw ü\\n"); };'''
        with self.esm(code) as runtime:
            identity = runtime.send()
            runtime.answer()
            stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t"
            for level, text in (("INFO", "format and { a: 1 }"), ("WARN", "two\nlines"), ("ERROR", "shown"), ("DEBUG", "d")):
                self.assertRegex(runtime.log, rf"(?m)^{stamp}{identity}\t{level}\t{re.escape(text)}$")
            self.assertRegex(runtime.log, rf"(?m)^{stamp}{identity}\tTRACE\tTrace: t\n    at ")
            self.assertRegex(runtime.log, rf"(?m)^{stamp}undefined\tINFO\tloading$")
            self.assertIn("raw ü\n", runtime.log)

    def test_levels(self):
        code = "export const handler = async () => { for (const level of ['trace', 'debug', 'log', 'info', 'warn', 'error', 'fatal']) console[level](level); };"
        for level, expected in (("WARN", ["warn", "error", "fatal"]), ("info", ["log", "info", "warn", "error", "fatal"]), ("FATAL", ["fatal"])):
            with self.esm(code, environment={"AWS_LAMBDA_LOG_LEVEL": level}) as runtime:
                runtime.call()
                self.assertEqual([line.split("\t")[3] for line in runtime.log.splitlines()], expected)

    def test_json(self):
        code = '''export const handler = async () => { console.log("plain ü"); console.info({ order: 7 }); console.warn("with %d", 5, new RangeError("r"));
  console.error(new TypeError("t")); const loop = {}; loop.loop = loop; console.log(loop); throw new Error("out"); };'''
        with self.esm(code, environment={"AWS_LAMBDA_LOG_FORMAT": "JSON"}) as runtime:
            identity = runtime.send()
            runtime.answer()
            lines = [json.loads(line) for line in runtime.log.splitlines()]
            for line in lines:
                self.assertRegex(line.pop("timestamp"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
                self.assertEqual(line.pop("requestId"), identity)
            plain, order, mixed, error, loop, out = lines
            self.assertEqual(plain, {"level": "INFO", "message": "plain ü"})
            self.assertEqual(order, {"level": "INFO", "message": {"order": 7}})
            self.assertEqual((mixed["level"], mixed["errorType"], mixed["errorMessage"]), ("WARN", "RangeError", "r"))
            self.assertTrue(mixed["message"].startswith("with 5 RangeError: r"))
            self.assertEqual((error["level"], error["message"]["errorType"], error["message"]["errorMessage"]), ("ERROR", "TypeError", "t"))
            self.assertIn("Circular", loop["message"])
            self.assertEqual((out["level"], out["message"]["errorMessage"]), ("ERROR", "out"))


@on_each_node
class Stems(NodeTest):
    def setUp(self):
        Runtime.stem = True

    def tearDown(self):
        Runtime.stem = False

    def test_nothing_of_the_stem_is_left(self):
        code = "export const handler = async () => [Object.keys(process.env), process.cwd(), process.argv.slice(2)];\n"
        with self.esm(code, environment={"WORD": "ä=b"}) as runtime:
            names, directory, arguments = runtime.call().json()
            self.assertIn("WORD", names)
            self.assertNotIn("OF_THE_STEM", names)
            self.assertEqual((directory, arguments), (str(runtime.root), []))

    def test_what_it_loaded_to_get_ready_is_gone(self):
        code = ("import { createRequire } from 'node:module';\n"
                "export const handler = async () => [Object.keys(createRequire(import.meta.url).cache), process.env.LAMBDA_TASK_ROOT];\n")
        with self.esm(code) as runtime:
            self.assertEqual(runtime.call().json(), [[], str(runtime.root)])

    def test_one_connection_is_made_and_used(self):
        with self.esm("export const handler = async (event) => event;\n") as runtime:
            for number in range(3):
                self.assertEqual(runtime.call(number).json(), number)
            self.assertEqual(runtime.api.connections, 1)


# Of one version all, of the others what is of stems alone.
in_stems(globals(), *(test for name, test in list(globals().items()) if name.endswith("OnNodejs22") and name != "StemsOnNodejs22"))

# What they share is no test by itself.
del Stems, NodeTest, Calls, Callbacks, TheContext, Modules, Errors, Init, Streams, Logs

if __name__ == "__main__":
    unittest.main()
