#include "deploy/bytecode.h"

#include "base/encoding.h"

#include <boost/json.hpp>

#include <memory>
#include <utility>
#include <vector>

namespace lambda::deploy {
namespace {

// Compiling 250 MB of Python takes well under a minute; the sandbox ends what does not.
constexpr std::chrono::seconds kLimit{120};
// The compiler holds the compiled files in memory until it answers.
constexpr int kMemoryMb = 1024;
constexpr std::string_view kCompiler = "/var/runtime/compile_all.py";

Result<std::vector<function::PackageStore::ExtraFile>> parse_answer(const std::string& answer) {
  boost::system::error_code error;
  const auto value = boost::json::parse(answer, error);
  const auto* object = error ? nullptr : value.if_object();
  const auto* listed = object == nullptr ? nullptr : object->if_contains("files");
  const auto* files = listed == nullptr ? nullptr : listed->if_array();
  if (files == nullptr)
    return fail(ErrorCode::internal, "the bytecode compiler answered something else than files");
  std::vector<function::PackageStore::ExtraFile> parsed;
  for (const auto& item : *files) {
    const auto* file = item.if_object();
    const auto* path = file == nullptr ? nullptr : file->if_contains("path");
    const auto* data = file == nullptr ? nullptr : file->if_contains("data");
    if (path == nullptr || data == nullptr || !path->is_string() || !data->is_string()) continue;
    auto bytes = base64_decode(data->as_string());
    if (bytes) parsed.push_back({std::string(path->as_string()), std::move(*bytes)});
  }
  return parsed;
}

}  // namespace

bool wants_bytecode(const function::Configuration& configuration) {
  return configuration.package_type == function::PackageType::zip &&
         configuration.runtime.starts_with("python");
}

Task<Result<std::size_t>> compile_bytecode(invoke::Invoker& invoker,
                                           function::PackageStore& packages, BlockingPool& disk,
                                           function::VersionPtr version) {
  // The same function with the compiler in its place: a handler, whatever the function is.
  auto compiler = std::make_shared<function::Version>(*version);
  compiler->configuration.kind = function::Kind::handler;
  compiler->configuration.memory_mb = std::max(compiler->configuration.memory_mb, kMemoryMb);
  compiler->configuration.environment.reset();
  std::vector<std::string> argv{"/usr/bin/python3", "-I", "-S", std::string(kCompiler)};
  function::VersionPtr shown = compiler;
  auto answer = co_await invoker.run_builtin(std::move(shown), std::move(argv), kLimit);
  if (!answer) co_return fail(std::move(answer.error()), "compile bytecode");
  auto store = [&packages, digest = version->code.package_digest,
                text = std::move(*answer)]() -> Result<std::size_t> {
    auto files = parse_answer(text);
    if (!files) return fail(std::move(files.error()));
    auto added = packages.add_derived_files(digest, *files);
    if (!added) return fail(std::move(added.error()), "keep bytecode");
    return files->size();
  };
  co_return co_await run_blocking(disk, std::move(store));
}

}  // namespace lambda::deploy
