"""Bars: at a terminal alone, within its width, and gone without a trace after Ctrl-C."""

import json
import os
import threading
import time
import unittest

from command_line import KEY, PROGRAM, RESULT, CommandLineTest, ScriptedServer, accepting, clean_environment
from screen import Screen

SIZE = 40_000_000


class Build(CommandLineTest):
    def test_a_build_shows_its_step_below_its_output(self):
        lines = [{"event": "begin", "step": 2, "text": 'Building image "func-greet"'}, {"event": "output", "text": "Step 1/4 : FROM x\n"},
                 {"event": "output", "text": "Step 3/4 : RUN y\nlong work\n"}]
        goes_on = threading.Event()
        self.addCleanup(goes_on.set)

        class Building(ScriptedServer):
            """It stops in the middle of a build, until it is told to go on."""

            def __init__(self):
                super().__init__(accepting)
                serve = self.server.RequestHandlerClass.do_POST

                def build(handler):
                    if not handler.path.endswith("/deploy"):
                        return serve(handler)
                    handler.rfile.read(int(handler.headers["Content-Length"]))
                    handler.send_response(200)
                    handler.end_headers()
                    handler.wfile.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
                    goes_on.wait(30)
                    handler.wfile.write(b"".join(json.dumps(line).encode() + b"\n" for line in ({"event": "end", "step": 2, "text": "Done."}, RESULT)))
                    handler.close_connection = True
                self.server.RequestHandlerClass.do_POST = build

        folder = self.folder({"app.py": "def handler(event, context): return 1\n"})
        with Building() as server:
            environment = clean_environment(self.home, LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY)
            with Screen([PROGRAM, "deploy", str(folder)], environment) as screen:
                screen.wait_for("Building [##########          ] step 3 of 4")
                self.assertEqual(screen.lines[2:4], ["      Step 1/4 : FROM x", "      Step 3/4 : RUN y"])
                goes_on.set()
                self.assertEqual(screen.end(), 0, screen.text)
            self.assertIn("      Done.", screen.lines)
            self.assertNotIn("step 3 of 4", screen.text)


class Bars(CommandLineTest):
    def setUp(self):
        super().setUp()
        self.code = self.folder({"app.py": "def handler(event, context): return 1\n"})
        (self.code / "data.bin").write_bytes(os.urandom(SIZE))

    def deploying(self, server, columns=80):
        environment = clean_environment(self.home, LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY)
        return Screen([PROGRAM, "deploy", str(self.code)], environment, columns)

    def test_packaging_and_upload_are_shown(self):
        with ScriptedServer(accepting) as server, self.deploying(server) as screen:
            self.assertEqual(screen.end(), 0, screen.text)
        for what in ("Packaging", "Uploading"):
            self.assertIn(f"      {what} [####################] 100% of 40.0 MB", screen.lines)
        self.assertIn("      Done. (2 files, 40.0 MB)", screen.lines)

    def test_there_are_none_where_a_line_cannot_be_drawn_over(self):
        with ScriptedServer(accepting) as server:
            environment = clean_environment(self.home, LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY, TERM="dumb")
            with Screen([PROGRAM, "deploy", str(self.code)], environment) as screen:
                self.assertEqual(screen.end(), 0, screen.text)
        self.assertIn("[1/3] Packaging function code... Done. (2 files, 40.0 MB)", screen.lines)
        self.assertNotIn("Uploading", screen.text)
        self.assertNotIn(b"\x1b", screen.raw)

    def test_they_fit_a_narrow_terminal(self):
        with ScriptedServer(accepting) as server, self.deploying(server, 30) as screen:
            self.assertEqual(screen.end(), 0, screen.text)
        self.assertIn("      Uploading 100%", screen.lines)
        self.assertEqual(len([line for line in screen.lines if "Uploading" in line]), 1, screen.text)

    def test_they_follow_a_terminal_that_is_resized(self):
        with ScriptedServer(accepting) as server, self.deploying(server) as screen:
            screen.wait_for("Packaging")
            screen.resize(30)
            self.assertEqual(screen.end(), 0, screen.text)
        self.assertIn("      Uploading 100%", screen.lines)

    def test_ctrl_c_leaves_the_line(self):
        class Stuck(ScriptedServer):
            """It reads no deploy."""

            def __init__(self):
                super().__init__(accepting)
                serve = self.server.RequestHandlerClass.do_POST

                def stand_still(handler):
                    if handler.path.endswith("/deploy"):
                        time.sleep(20)
                    else:
                        serve(handler)
                self.server.RequestHandlerClass.do_POST = stand_still

        with Stuck() as server, self.deploying(server) as screen:
            screen.wait_for("Uploading [")
            time.sleep(0.3)
            screen.type("\x03")
            self.assertEqual(screen.end(), -2, screen.text)
            self.assertEqual(screen.screen.cursor.x, 0, screen.text)
            self.assertNotIn("100%", screen.lines[-1])

    def test_there_are_none_in_a_pipe(self):
        done, _ = self.deploy_to(accepting, self.code)
        self.assertNotIn("\r", done.stderr)
        self.assertNotIn("[#", done.stderr)
        self.assertIn("[1/3] Packaging function code... Done. (2 files, 40.0 MB)\n", done.stderr)


if __name__ == "__main__":
    unittest.main()
