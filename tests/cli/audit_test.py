"""lambda audit asks page by page: more entries than the server gives at a time."""

import json
import unittest
from urllib.parse import parse_qs, urlsplit

from command_line import KEY, CommandLineTest, ScriptedServer, answer_json

OLDEST = 2500


def page(received):
    query = {name: values[0] for name, values in parse_qs(urlsplit(received.path).query).items()}
    newest = min(int(query.get("before", OLDEST + 1)) - 1, OLDEST)
    numbers = range(newest, max(newest - int(query["limit"]), 0), -1)
    entries = [{"id": number, "time": "2026-01-31T09:30:00Z", "who": "x", "name": query.get("key", ""), "address": "", "operation": "Deploy",
                "function": "greet", "note": "", "status": 200, "error": ""} for number in numbers]
    return answer_json({"entries": entries})


class Audit(CommandLineTest):
    def audit(self, *arguments):
        with ScriptedServer(page) as server:
            done = self.run_lambda("audit", *arguments, LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY)
        return done, [each.path for each in server.received]

    def test_more_than_the_server_gives_at_a_time_are_asked_for_page_by_page(self):
        for limit, count, pages in ((50, 50, 1), (1000, 1000, 1), (1001, 1001, 2), (2500, 2500, 3), (100_000, 2500, 3)):
            done, asked = self.audit("-n", limit, "--key", "ci", "-o", "json")
            self.assert_ends(done, 0)
            entries = json.loads(done.stdout)["entries"]
            self.assertEqual([each["id"] for each in entries], list(range(OLDEST, OLDEST - count, -1)))
            self.assertEqual({each["name"] for each in entries}, {"ci"})
            self.assertEqual(len(asked), pages, asked)

    def test_no_number_is_refused(self):
        for limit in ("0", "1000001", "99999999", "x", "-1"):
            done, asked = self.audit("-n", limit)
            self.assert_ends(done, 2, "from 1 to 1000000")
            self.assertEqual(asked, [])


if __name__ == "__main__":
    unittest.main()
