// lambda config set-context, use-context, contexts, delete-context.
#include "cli/commands.h"
#include "cli/config_change.h"
#include "cli/exit_code.h"
#include "cli/output.h"

#include <cstdio>

namespace lambda::cli {

int config_set_context(const std::string& name, const std::string& url) {
  if (auto good = check_context_name(name); !good) return explain(good.error());
  auto settings = read_settings();
  if (!settings) return explain(settings.error());
  const bool made = !settings->contexts.contains(name);
  auto& context = settings->contexts[name];
  auto forgotten = change_host(context, url);
  if (!forgotten) return explain(forgotten.error());
  auto written = write_settings(*settings);
  if (!written) return explain(written.error());
  std::fprintf(
      stderr, "The context %s is %s%s.\n", name.c_str(),
      url == "local" ? "the server on this machine" : url.c_str(),
      forgotten->empty() ? "" : (" now; the key of " + *forgotten + " is forgotten").c_str());
  if (context.key.empty() && url != "local")
    std::fprintf(stderr, "Keep its key: lambda config set-key --context %s\n", name.c_str());
  if (made && settings->current != name)
    std::fprintf(stderr, "Use it: lambda config use-context %s\n", name.c_str());
  return kDone;
}

int config_use_context(const std::string& name) {
  auto settings = read_settings();
  if (!settings) return explain(settings.error());
  auto context = settings->context(name, "the command line");
  if (!context) return explain(context.error());
  settings->current = name;
  auto written = write_settings(*settings);
  if (!written) return explain(written.error());
  std::fprintf(stderr, "Commands go to %s from now on (the context %s).\n",
               context->host.empty() ? "the server on this machine" : context->host.c_str(),
               name.c_str());
  warn_of_variables({"LAMBDA_HOST", "LAMBDA_CONTEXT", "LAMBDA_DATA_DIR"});
  return kDone;
}

int config_contexts(const ConnectionOptions& connection, bool as_json) {
  auto settings = read_settings();
  if (!settings) return explain(settings.error());
  settings->contexts.try_emplace(kDefaultContext);
  const auto used = chosen_context(connection, *settings).name;
  const auto key_text = [](const Context& context) {
    return context.key.empty() ? std::string() : context.key.substr(0, 12) + "...";
  };
  if (as_json) {
    boost::json::array all;
    for (const auto& [name, context] : settings->contexts) {
      all.push_back({{"name", name},
                     {"host", context.host.empty() ? "local" : context.host},
                     {"key", key_text(context)},
                     {"used", name == used}});
    }
    print_json({{"contexts", std::move(all)}});
    return kDone;
  }
  Table table({"NAME", "USED", "HOST", "KEY"});
  for (const auto& [name, context] : settings->contexts) {
    table.add({name, name == used ? "yes" : "",
               context.host.empty() ? "the server on this machine" : context.host,
               key_text(context)});
  }
  std::fputs(table.text().c_str(), stdout);
  return kDone;
}

int config_delete_context(const std::string& name) {
  auto settings = read_settings();
  if (!settings) return explain(settings.error());
  if (!settings->contexts.contains(name)) {
    auto none = settings->context(name, "the command line");
    if (!none) return explain(Error(ErrorCode::not_found, none.error().message()));
    std::fputs("Nothing was kept for the context default.\n", stderr);
    return kDone;
  }
  if (settings->current == name && name != kDefaultContext) {
    return explain(Error(ErrorCode::conflict,
                         fmt::format("the context {} is in use: use another first (`lambda config "
                                     "use-context default` is the one that is always there)",
                                     name)));
  }
  settings->contexts.erase(name);
  auto written = write_settings(*settings);
  if (!written) return explain(written.error());
  std::fprintf(stderr, "The context %s and its key are forgotten.\n", name.c_str());
  return kDone;
}

}  // namespace lambda::cli
