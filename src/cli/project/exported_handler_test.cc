#include "cli/project/exported_handler.h"

#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

TEST(PythonHandler, IsDefinedAssignedOrImported) {
  for (const char* source :
       {"def handler(event, context):", "x = 1\nasync def handler (e, c): pass", "handler = make()",
        "handler: Handler = make()", "from app import other, handler", "from a import b as handler",
        "async  def  handler(e, c): pass"}) {
    EXPECT_EQ(python_handler_in(source), "handler") << source;
  }
  EXPECT_EQ(python_handler_in("def lambda_handler(e, c): pass"), "lambda_handler");
  EXPECT_EQ(python_handler_in("class Mangum: pass\nlambda_handler = Mangum()"), "lambda_handler");
}

TEST(PythonHandler, IsNothingElse) {
  for (const char* source :
       {"", "  def handler(self): pass", "handler == 1", "handlers = 1", "import handler",
        "# def handler(", "def handler_of(x): pass", "from handler import other"}) {
    EXPECT_FALSE(python_handler_in(source)) << source;
  }
}

TEST(NodeHandler, IsExportedInMoreThanOneWay) {
  for (const char* source :
       {"exports.handler = async () => 1", "module.exports.handler = f", "export const handler = 1",
        "export async function handler(event) {}", "export function* handler() {}",
        "export  let\nhandler = 1", "export { a, handler }", "export {\n  main as handler\n};",
        "module.exports = { other, handler }", "exports = module.exports = {handler: f}",
        "0 && (module.exports = {\n  handler\n});"}) {
    EXPECT_TRUE(exports_handler(source)) << source;
  }
}

TEST(NodeHandler, IsNothingElse) {
  for (const char* source :
       {"", "const handler = 1", "export const handlers = 1", "exports.handlerOf = 1",
        "export { a } ; handler()", "const x = { handler }", "myexport const handler",
        "function handler() {}"}) {
    EXPECT_FALSE(exports_handler(source)) << source;
  }
}

TEST(NodeHandler, IsFoundInABundleOfMegabytes) {
  std::string bundle = "module.exports = {" + std::string(8 << 20, 'x') + " handler";
  EXPECT_FALSE(exports_handler(bundle));
  bundle += "};\nexports.handler = 1;";
  EXPECT_TRUE(exports_handler(bundle));
}

}  // namespace
}  // namespace lambda::cli
