#include "deploy/bytecode.h"

#include "base/encoding.h"

#include <boost/json.hpp>

#include <memory>
#include <utility>
#include <vector>

namespace lambda::deploy {
namespace {

namespace json = boost::json;

// Some 50 MB of Python; what is not compiled then is compiled at every cold start instead.
constexpr std::chrono::seconds kLimit{120};
// The compiler holds one answer and the syntax tree of one file.
constexpr int kMemoryMb = 1024;
constexpr std::string_view kCompiler = "/var/runtime/compile_all.py";

struct Batch {
  std::vector<function::PackageStore::ExtraFile> files;
  std::size_t left_out = 0;
  bool more = false;
};

// What came of all batches.
struct Tally {
  std::size_t files = 0;
  std::size_t left_out = 0;
};

const json::array* array_in(const json::object* object, std::string_view key) {
  const auto* found = object == nullptr ? nullptr : object->if_contains(key);
  return found == nullptr ? nullptr : found->if_array();
}

Result<Batch> parse_answer(const std::string& answer) {
  boost::system::error_code error;
  const auto value = json::parse(answer, error);
  const auto* object = error ? nullptr : value.if_object();
  const auto* files = array_in(object, "files");
  if (files == nullptr)
    return fail(ErrorCode::internal, "the bytecode compiler answered something else than files");
  Batch batch;
  for (const auto& item : *files) {
    const auto* file = item.if_object();
    const auto* path = file == nullptr ? nullptr : file->if_contains("path");
    const auto* data = file == nullptr ? nullptr : file->if_contains("data");
    if (path == nullptr || data == nullptr || !path->is_string() || !data->is_string()) continue;
    auto bytes = base64_decode(data->as_string());
    if (bytes) batch.files.push_back({std::string(path->as_string()), std::move(*bytes)});
  }
  if (const auto* left_out = array_in(object, "left_out")) batch.left_out = left_out->size();
  const auto* more = object->if_contains("more");
  // It runs beside the code that it compiles: a batch with nothing in it would have no end.
  batch.more = more != nullptr && *more == true && !files->empty();
  return batch;
}

// Keeps one answer of the compiler. False: it was the last.
Task<Result<bool>> keep(function::PackageStore* packages, BlockingPool* disk, std::string digest,
                        std::shared_ptr<Tally> tally, std::string answer) {
  auto store = [packages, digest, answer = std::move(answer)]() -> Result<Batch> {
    auto batch = parse_answer(answer);
    if (!batch) return batch;
    auto added = packages->add_derived_files(digest, batch->files);
    if (!added) return fail(std::move(added.error()), "keep bytecode");
    return batch;
  };
  auto batch = co_await run_blocking(*disk, std::move(store));
  if (!batch) co_return fail(std::move(batch.error()));
  tally->files += batch->files.size();
  tally->left_out += batch->left_out;
  co_return batch->more;
}

}  // namespace

bool wants_bytecode(const function::Configuration& configuration) {
  return configuration.package_type == function::PackageType::zip &&
         configuration.runtime.starts_with("python");
}

Task<std::optional<std::string>> compile_bytecode(invoke::Invoker& invoker,
                                                  function::PackageStore& packages,
                                                  BlockingPool& disk,
                                                  function::VersionPtr version) {
  // The same function with the compiler in its place: a handler, whatever the function is.
  auto compiler = std::make_shared<function::Version>(*version);
  compiler->configuration.kind = function::Kind::handler;
  compiler->configuration.memory_mb = std::max(compiler->configuration.memory_mb, kMemoryMb);
  compiler->configuration.environment.reset();
  std::vector<std::string> argv{"/usr/bin/python3", "-I", "-S", std::string(kCompiler)};
  const auto tally = std::make_shared<Tally>();
  invoke::Invoker::TakeAnswer take = [&packages, &disk, digest = version->code.package_digest,
                                      tally](std::string answer) {
    return keep(&packages, &disk, digest, tally, std::move(answer));
  };
  function::VersionPtr shown = compiler;
  auto done =
      co_await invoker.run_builtin(std::move(shown), std::move(argv), kLimit, std::move(take));
  constexpr std::string_view kMeaning = "the function works, but its cold starts are slower";
  if (!done) {
    co_return fmt::format("bytecode of {} files is missing, {}: {}",
                          tally->files == 0 ? "all" : "some", kMeaning, done.error().message());
  }
  if (tally->left_out > 0) {
    co_return fmt::format("{} files are too large for bytecode: {}", tally->left_out, kMeaning);
  }
  co_return std::nullopt;
}

}  // namespace lambda::deploy
