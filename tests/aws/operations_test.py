"""docs/differences.md says of every operation of AWS Lambda how it is answered, and the server answers it that way."""

import unittest

from javascript_sdk import JavaScriptTest
from operations_table import table


class Operations(JavaScriptTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.table = table()

    def test_the_table_is_true(self):
        answers = self.script("every_operation.mjs")
        self.assertEqual(sorted(self.table), sorted(answers))
        refusals = {note for answer, note in self.table.values() if answer == "refused"}
        for operation, (expected, note) in self.table.items():
            with self.subTest(operation=operation):
                got = answers[operation]
                self.assertNotEqual(got["status"], 0, got)
                self.assertLess(got["status"], 500, got)
                if expected == "unknown":
                    self.assertEqual((got["status"], got["name"]), (404, "UnknownOperationException"), got)
                elif expected == "refused":
                    self.assertEqual((got["status"], got["name"], got["message"]), (400, "InvalidParameterValueException", note))
                else:
                    self.assertNotIn(got["name"], ("UnknownOperationException", "MethodNotAllowedException"), got)
                    self.assertNotIn(got["message"], refusals)


if __name__ == "__main__":
    unittest.main()
