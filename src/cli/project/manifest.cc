#include "cli/project/manifest.h"

#include "base/deploy_rules.h"
#include "base/egress_rules.h"
#include "base/nearest_word.h"

#include <spdlog/fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <iterator>
#include <sstream>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string>& known_keys() {
  static const std::vector<std::string> keys = {"name",
                                                "runtime",
                                                "handler",
                                                "kind",
                                                "description",
                                                "url",
                                                "driver",
                                                "isolation",
                                                "port",
                                                "timeout",
                                                "memory",
                                                "ephemeral_storage",
                                                "environment",
                                                "include",
                                                "path",
                                                "retries",
                                                "max_age",
                                                "on_success",
                                                "on_failure",
                                                "function",
                                                "concurrency",
                                                "idle_time",
                                                "min_instances",
                                                "cpus",
                                                "egress",
                                                "schedule",
                                                "secrets",
                                                "build",
                                                "build_environment",
                                                "logs"};
  return keys;
}

// "tz" for timezone, "env" for environment: some of its letters in their order, the first among
// them.
bool abbreviates(std::string_view text, std::string_view word) {
  if (text.size() < 2 || text.front() != word.front()) return false;
  for (const char letter : word) {
    if (!text.empty() && text.front() == letter) text.remove_prefix(1);
  }
  return text.empty();
}

// The key that is meant, or "".
std::string meant_key(const std::string& name, const std::vector<std::string>& known) {
  auto near = nearest_word(name, known);
  if (!near.empty()) return near;
  std::vector<std::string> longer;
  std::ranges::copy_if(known, std::back_inserter(longer),
                       [&name](const std::string& key) { return abbreviates(name, key); });
  return longer.size() == 1 ? longer.front() : std::string();
}

// By a ".." or by a link.
bool leads_out(const fs::path& folder, const fs::path& path) {
  std::error_code error;
  const auto root = fs::weakly_canonical(folder, error);
  const auto inside = fs::weakly_canonical(folder / path, error).lexically_relative(root);
  return path.lexically_normal().begin()->string() == ".." ||
         (!inside.empty() && inside.begin()->string() == "..");
}

struct Reader {
  const fs::path& file;

  tl::unexpected<Error> wrong(const toml::node& node, std::string_view key,
                              std::string_view what) const {
    return fail(ErrorCode::invalid, "{} line {}: {} {}", file.string(), node.source().begin.line,
                key, what);
  }
  Result<Done> text(const toml::table& table, const char* key,
                    std::optional<std::string>& into) const {
    const auto* node = table.get(key);
    if (node == nullptr) return Done{};
    if (!node->is_string()) return wrong(*node, key, "must be a text in quotes");
    into = node->as_string()->get();
    return Done{};
  }
  // `such_as` is a number that a person may have meant, in `unit`: "seconds".
  Result<Done> number(const toml::table& table, const char* key, std::optional<std::int64_t>& into,
                      std::string_view such_as, std::optional<Range> range,
                      std::string_view unit = {}) const {
    const auto* node = table.get(key);
    if (node == nullptr) return Done{};
    if (!node->is_integer()) {
      return wrong(*node, key,
                   fmt::format("must be a whole number{}{} without quotes, such as {} = {}",
                               unit.empty() ? "" : " of ", unit, key, such_as));
    }
    into = node->as_integer()->get();
    if (range && (*into < range->least || *into > range->most)) {
      return wrong(*node, key,
                   fmt::format("must be a whole number{}{} from {} to {}, not {}",
                               unit.empty() ? "" : " of ", unit, range->least, range->most, *into));
    }
    return Done{};
  }
  Result<Done> cpus(const toml::table& table, std::optional<double>& into) const {
    const auto* node = table.get("cpus");
    if (node == nullptr) return Done{};
    if (node->is_number()) into = node->value<double>();
    if (!into || !cpu_thousandths(*into))
      return wrong(*node, "cpus", fmt::format("must be {} (no limit)", kCpusRule));
    return Done{};
  }
  // "1h", or seconds.
  Result<Done> age(const toml::table& table, const char* key,
                   std::optional<std::string>& into) const {
    const auto* node = table.get(key);
    if (node == nullptr || node->is_string()) return text(table, key, into);
    if (!node->is_integer()) return wrong(*node, key, "must be seconds, or a text such as \"1h\"");
    into = std::to_string(node->as_integer()->get());
    return Done{};
  }
  // [logs]: a size in MB or as "64MB", and an age.
  Result<Done> logs(const toml::table& table, Manifest& manifest) const {
    static const std::vector<std::string> keys = {"size", "age"};
    const auto* node = table.get("logs");
    if (node == nullptr) return Done{};
    if (!node->is_table())
      return wrong(*node, "logs", "must be a table, such as [logs] with size = \"64MB\"");
    const auto& own = *node->as_table();
    auto done = check_keys(own, keys);
    if (done) done = age(own, "age", manifest.log_age);
    const auto* size = own.get("size");
    if (!done || size == nullptr || size->is_string())
      return done ? text(own, "size", manifest.log_size) : done;
    if (!size->is_integer()) return wrong(*size, "size", "must be MB, or a text such as \"64MB\"");
    manifest.log_size = std::to_string(size->as_integer()->get());
    return Done{};
  }
  // "internet", or a list of networks.
  Result<Done> egress(const toml::table& table, Manifest& manifest) const {
    const auto* node = table.get("egress");
    if (node == nullptr) return Done{};
    constexpr auto rule =
        "must be \"none\", \"internet\", \"default\", or a list of networks such as "
        "[\"10.1.0.0/16\", \"2001:db8::/32\"]";
    std::vector<std::string> words;
    if (node->is_string()) words.push_back(node->as_string()->get());
    if (const auto* list = node->as_array()) {
      for (const auto& item : *list) {
        if (!item.is_string()) return wrong(item, "egress", rule);
        words.push_back(item.as_string()->get());
      }
    }
    if (words.empty()) return wrong(*node, "egress", rule);
    const auto text = fmt::format("{}", fmt::join(words, ","));
    if (text != "default") {
      if (const auto parsed = parse_egress(text); !parsed)
        return fail(Error(parsed.error()), "{} line {}", file.string(), node->source().begin.line);
    }
    manifest.egress = text;
    return Done{};
  }
  Result<Done> environment(const toml::table& table, const char* key,
                           std::map<std::string, std::string>& into) const {
    const auto* node = table.get(key);
    if (node == nullptr) return Done{};
    if (!node->is_table()) return wrong(*node, key, "must be a table of texts");
    for (const auto& [name, value] : *node->as_table()) {
      if (!value.is_string()) return wrong(value, key, "must hold texts in quotes");
      into[std::string(name.str())] = value.as_string()->get();
    }
    return Done{};
  }
  // What stands above [[function]] tables holds for all of them.
  Result<Done> secrets(const toml::table& table, Manifest& manifest) const {
    const auto* node = table.get("secrets");
    if (node == nullptr) return Done{};
    constexpr auto rule = "must be a list of names, such as [\"DB_PASSWORD\", \"CERT:file\"]";
    if (!node->is_array()) return wrong(*node, "secrets", rule);
    if (!manifest.secrets) manifest.secrets.emplace();
    for (const auto& item : *node->as_array()) {
      if (!item.is_string()) return wrong(item, "secrets", rule);
      manifest.secrets->push_back(item.as_string()->get());
    }
    return Done{};
  }
  Result<Done> flag(const toml::table& table, const char* key, bool& into) const {
    const auto* node = table.get(key);
    if (node == nullptr) return Done{};
    if (!node->is_boolean()) return wrong(*node, key, "must be true or false, without quotes");
    into = node->as_boolean()->get();
    return Done{};
  }
  Result<Done> include(const toml::table& table, const fs::path& folder, Manifest& manifest) const {
    const auto* node = table.get("include");
    if (node == nullptr) return Done{};
    if (!node->is_array()) return wrong(*node, "include", "must be a list of paths");
    for (const auto& item : *node->as_array()) {
      if (!item.is_string()) return wrong(item, "include", "must be a list of paths");
      const fs::path path = item.as_string()->get();
      if (path.is_absolute() || leads_out(folder, path)) {
        return wrong(
            item, "include",
            fmt::format("names \"{}\", which {}: only what lies in the folder of "
                        "lambda.toml is packaged. Copy it there, or put lambda.toml into a "
                        "folder that holds both and name the function's own with path",
                        path.string(),
                        path.is_absolute() ? "is an absolute path" : "leads out of the folder"));
      }
      manifest.include.push_back(folder / path);
    }
    return Done{};
  }
  // A text, or a date of TOML's own.
  Result<Done> moment(const toml::table& table, const char* key,
                      std::optional<std::string>& into) const {
    const auto* node = table.get(key);
    if (node == nullptr || node->is_string()) return text(table, key, into);
    std::ostringstream written;
    if (const auto* day = node->as_date()) {
      written << **day;
    } else if (const auto* time = node->as_date_time(); time != nullptr && !(**time).offset) {
      written << **time;
    } else {
      return wrong(*node, key, "must be a date, or a text such as \"2026-01-31T09:30:00\"");
    }
    into = written.str();
    return Done{};
  }
  // The event of a schedule: JSON in a text, or a table.
  Result<Done> event(const toml::table& table, const char* key,
                     std::optional<std::string>& into) const {
    const auto* node = table.get(key);
    if (node == nullptr || node->is_string()) return text(table, key, into);
    if (!node->is_table()) return wrong(*node, key, "must be a table, or JSON in a text");
    std::ostringstream written;
    written << toml::json_formatter(*node->as_table(), toml::format_flags::quote_dates_and_times);
    into = written.str();
    return Done{};
  }
  Result<Done> schedules(const toml::table& table, Manifest& manifest) const {
    const auto* node = table.get("schedule");
    if (node == nullptr) return Done{};
    if (!node->is_array_of_tables())
      return wrong(*node, "schedule", "must be written as [[schedule]]");
    manifest.schedules.clear();
    for (const auto& item : *node->as_array()) {
      auto schedule = read_schedule(*item.as_table());
      if (!schedule) return fail(std::move(schedule.error()));
      if (!schedule->cron)
        return wrong(item, "[[schedule]]", "needs an expression: cron = \"...\"");
      manifest.schedules.push_back(std::move(*schedule));
    }
    return Done{};
  }
  Result<ManifestSchedule> read_schedule(const toml::table& table) const {
    static const std::vector<std::string> keys = {
        "name", "cron", "timezone", "overlap", "misfire", "jitter", "data", "from", "until"};
    ManifestSchedule schedule;
    auto done = check_keys(table, keys);
    if (done) done = text(table, "name", schedule.name);
    if (done) done = text(table, "cron", schedule.cron);
    if (done) done = text(table, "timezone", schedule.timezone);
    if (done) done = text(table, "overlap", schedule.overlap);
    if (done) done = text(table, "misfire", schedule.misfire);
    if (done) done = age(table, "jitter", schedule.jitter);
    if (done) done = event(table, "data", schedule.data);
    if (done) done = moment(table, "from", schedule.from);
    if (done) done = moment(table, "until", schedule.until);
    if (!done) return fail(std::move(done.error()));
    return schedule;
  }
  Result<Done> check_keys(const toml::table& table, const std::vector<std::string>& known) const {
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      const auto near = meant_key(name, known);
      return wrong(node, "unknown key \"" + name + "\"",
                   near.empty() ? fmt::format("(there are {})", fmt::join(known, ", "))
                                : "(did you mean \"" + near + "\"?)");
    }
    return Done{};
  }
  // Over what `manifest` says already.
  Result<Manifest> read(const toml::table& table, const fs::path& folder, Manifest manifest) const;
  // [[function]] tables; what stands above the first of them holds for all.
  Result<std::vector<Manifest>> read_several(const toml::table& table, const toml::node& functions,
                                             const fs::path& folder) const;
};

Result<Manifest> Reader::read(const toml::table& table, const fs::path& folder,
                              Manifest manifest) const {
  std::optional<std::string> path;
  auto done = check_keys(table, known_keys());
  if (done) done = text(table, "path", path);
  if (done) done = text(table, "name", manifest.name);
  if (done) done = text(table, "runtime", manifest.runtime);
  if (done) done = text(table, "handler", manifest.handler);
  if (done) done = text(table, "kind", manifest.kind);
  if (done) done = text(table, "description", manifest.description);
  if (done) done = text(table, "url", manifest.url);
  if (done) done = text(table, "driver", manifest.driver);
  if (done) done = text(table, "isolation", manifest.isolation);
  if (done) done = number(table, "port", manifest.port, "8080", kPortRange);
  if (done) done = number(table, "concurrency", manifest.concurrency, "32", kConcurrencyRange);
  if (done) done = number(table, "idle_time", manifest.idle_time, "600", kIdleTimeRange, "seconds");
  if (done) done = number(table, "min_instances", manifest.min_instances, "2", kMinInstancesRange);
  if (done) done = cpus(table, manifest.cpus);
  if (done) done = egress(table, manifest);
  if (done) done = number(table, "timeout", manifest.timeout, "30", kTimeoutRange, "seconds");
  if (done) done = number(table, "memory", manifest.memory, "256", kMemoryRange, "MB");
  if (done)
    done = number(table, "ephemeral_storage", manifest.ephemeral_storage, "512",
                  kEphemeralStorageRange, "MB");
  if (done) done = number(table, "retries", manifest.retries, "2", std::nullopt);
  if (done) done = age(table, "max_age", manifest.max_age);
  if (done) done = text(table, "on_success", manifest.on_success);
  if (done) done = text(table, "on_failure", manifest.on_failure);
  if (done) done = logs(table, manifest);
  if (done) done = schedules(table, manifest);
  if (done) done = environment(table, "environment", manifest.environment);
  if (done) done = secrets(table, manifest);
  if (done) done = flag(table, "build", manifest.build);
  if (done) done = environment(table, "build_environment", manifest.build_environment);
  if (done) done = include(table, folder, manifest);
  if (!done) return fail(std::move(done.error()));
  manifest.directory = path ? folder / *path : folder;
  manifest.written = true;
  return manifest;
}

Result<std::vector<Manifest>> Reader::read_several(const toml::table& table,
                                                   const toml::node& functions,
                                                   const fs::path& folder) const {
  if (!functions.is_array_of_tables())
    return wrong(functions, "function", "must be written as [[function]]");
  for (const char* own : {"name", "path"}) {
    if (const auto* node = table.get(own); node != nullptr)
      return wrong(*node, own, "belongs to one function: write it below its [[function]]");
  }
  auto common = read(table, folder, {});
  if (!common) return fail(std::move(common.error()));
  std::vector<Manifest> all;
  for (const auto& item : *functions.as_array()) {
    auto one = read(*item.as_table(), folder, *common);
    if (!one) return fail(std::move(one.error()));
    if (!one->name) return wrong(item, "[[function]]", "needs a name");
    if (std::ranges::any_of(all, [&one](const Manifest& other) { return other.name == one->name; }))
      return wrong(item, "[[function]]", "has the name of an earlier one: \"" + *one->name + "\"");
    all.push_back(std::move(*one));
  }
  return all;
}

}  // namespace

Result<std::vector<Manifest>> read_manifests(const fs::path& folder) {
  const fs::path file = folder / "lambda.toml";
  std::error_code error;
  if (!fs::exists(file, error)) {
    Manifest plain;
    plain.directory = folder;
    return std::vector<Manifest>{plain};
  }
  toml::table table;
  try {
    table = toml::parse_file(file.string());
  } catch (const toml::parse_error& problem) {
    return fail(ErrorCode::invalid, "{} line {}: {}", file.string(), problem.source().begin.line,
                problem.description());
  }
  const Reader reader{file};
  const auto* functions = table.get("function");
  if (functions != nullptr) return reader.read_several(table, *functions, folder);
  auto one = reader.read(table, folder, {});
  if (!one) return fail(std::move(one.error()));
  return std::vector<Manifest>{std::move(*one)};
}

}  // namespace lambda::cli
