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
        "0 && (module.exports = {\n  handler\n});",
        "module.exports = {\n  other: () => { return {}; },\n  handler: async () => 1,\n};"}) {
    EXPECT_TRUE(exports_handler(source)) << source;
  }
}

TEST(NodeHandler, IsFoundInWhatBundlersWrite) {
  constexpr const char* kEsbuild =
      "__export(index_exports, {\n  default: () => index_default,\n  handler: () => handler\n});\n"
      "module.exports = __toCommonJS(index_exports);\nvar handler = 1;";
  constexpr const char* kWebpack =
      "__webpack_require__.d(__webpack_exports__, { handler: () => run });\n"
      "module.exports = __webpack_exports__;";
  constexpr const char* kSwc =
      "_export(exports, {\n  get other () { return other; },\n  get handler () {";
  for (const char* source : {kEsbuild, kWebpack, kSwc, "d(f,{handler:()=>x});module.exports=m(f);",
                             "__export(exports, {\n  handler: () => handler\n});",
                             "Object.defineProperty(exports, \"handler\", {",
                             "Object.defineProperty(exports,'handler',{get:f})",
                             "var e=1;export{e as handler,a as version};",
                             "export {\n  fn_default as default,\n  handler\n};"}) {
    EXPECT_TRUE(exports_handler(source)) << source;
  }
}

TEST(NodeHandler, IsNotWhatAModuleInsideABundleExports) {
  constexpr const char* kInner =
      "__export(inner_exports, { handler: () => handler });\n"
      "var x = __toCommonJS(inner_exports);\nmodule.exports = __toCommonJS(index_exports);";
  for (const char* source : {kInner, "d(f,{x:()=>handler}),g({f,handler});module.exports=m(f);",
                             "route(server, { handler });\nmodule.exports = main;",
                             "Object.defineProperty(target, \"handler\", {", "(, { handler }"}) {
    EXPECT_FALSE(exports_handler(source)) << source;
  }
}

TEST(NodeHandler, IsNothingElse) {
  for (const char* source :
       {"", "const handler = 1", "export const handlers = 1", "exports.handlerOf = 1",
        "export { a } ; handler()", "const x = { handler }", "myexport const handler",
        "function handler() {}", "module.exports = { run() { return { handler }; } };",
        "module.exports = { main: handler };", "module.exports = {}; f({ a: {}, handler })"}) {
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
