// lambda config set-host, set-key, show, aws.
#include "cli/commands.h"
#include "cli/config_change.h"
#include "cli/connection/json_fields.h"
#include "cli/connection/settings_file.h"
#include "cli/exit_code.h"
#include "cli/hidden_input.h"
#include "cli/output.h"
#include "cli/project/dependencies.h"

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace lambda::cli {

int config_set_host(const ConnectionOptions& connection, const std::string& url) {
  const bool local = url == "local";
  auto settings = read_settings();
  if (!settings) return explain(settings.error());
  const auto chosen = chosen_context(connection, *settings);
  auto context = settings->context(chosen.name, chosen.source);
  if (!context) return explain(context.error());
  auto forgotten = change_host(*context, url);
  if (!forgotten) return explain(forgotten.error());
  settings->contexts[chosen.name] = *context;
  auto written = write_settings(*settings);
  if (!written) return explain(written.error());
  const auto of = chosen.name == kDefaultContext ? "" : " of the context " + chosen.name;
  std::fprintf(stderr, "Commands%s go to %s from now on (%s).\n", of.c_str(),
               local ? "the server on this machine" : url.c_str(), settings_path().c_str());
  warn_of_variables({"LAMBDA_HOST", "LAMBDA_DATA_DIR"});
  if (!forgotten->empty()) {
    std::fprintf(stderr,
                 "The key of %s is forgotten; set this one's with `lambda config set-key`.\n",
                 forgotten->c_str());
  }
  return kDone;
}

int config_set_key(const ConnectionOptions& connection) {
  auto settings = read_settings();
  if (!settings) return explain(settings.error());
  const auto chosen = chosen_context(connection, *settings);
  auto context = settings->context(chosen.name, chosen.source);
  if (!context) return explain(context.error());
  auto key = is_terminal(STDIN_FILENO) ? read_hidden_line("Key (lam_..., it is not shown): ")
                                       : read_line().value_or("");
  if (!key) return kInterrupted;
  while (key->ends_with(' ')) key->pop_back();
  if (!looks_like_key(*key)) {
    return explain(Error(ErrorCode::invalid,
                         "that is no key: a key is lam_, 20 characters, _, and 40 characters; the "
                         "administrator's is in admin.key of the server's data directory"));
  }
  context->key = *key;
  settings->contexts[chosen.name] = *context;
  auto written = write_settings(*settings);
  if (!written) return explain(written.error());
  const auto of = chosen.name == kDefaultContext ? "" : ", for the context " + chosen.name;
  std::fprintf(stderr, "The key %s... is kept in %s%s.\n", key->substr(0, 12).c_str(),
               settings_path().c_str(), of.c_str());
  return kDone;
}

int config_show(const ConnectionOptions& connection, bool as_json) {
  auto target = find_target(connection);
  if (!target) return explain(target.error());
  const auto& endpoint = target->url.endpoint;
  const auto host = endpoint.unix_path.empty()
                        ? (endpoint.tls ? "https://" : "http://") + target->url.host_header
                        : "unix:" + endpoint.unix_path;
  const auto key = target->key.empty() ? std::string("none") : target->key.substr(0, 12) + "...";
  if (as_json) {
    print_json({{"context", target->context},
                {"host", host},
                {"hostSource", target->source},
                {"key", target->key.empty() ? boost::json::value() : boost::json::value(key)},
                {"keySource", target->key_source}});
    return kDone;
  }
  Table table({"WHAT", "VALUE", "FROM"});
  auto settings = read_settings();
  if (!settings) return explain(settings.error());
  table.add({"context", target->context, chosen_context(connection, *settings).source});
  table.add({"host", host, target->source});
  table.add({"key", key, target->key_source});
  std::fputs(table.text().c_str(), stdout);
  return kDone;
}

int config_aws(const ConnectionOptions& connection) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  const auto& target = connected.server->target();
  if (target.key.empty()) {
    return explain(
        Error(ErrorCode::denied,
              "AWS's clients need a key, also where the unix socket needs none: set one with "
              "`lambda config set-key`"));
  }
  auto status = connected.server->json("GET", "/_lambda/status");
  if (!status) return explain(status.error());
  // AWS's clients know no unix socket: then the port of the same server.
  const auto& url = target.url;
  std::string endpoint = (url.endpoint.tls ? "https://" : "http://") + url.host_header;
  if (!url.endpoint.unix_path.empty() && number_in(*status, "port") != 80)
    endpoint += ":" + std::to_string(number_in(*status, "port"));
  std::printf("# For AWS's clients; use it with: eval \"$(lambda config aws)\"\n");
  std::printf("export AWS_ACCESS_KEY_ID=%s\n", target.key.substr(4, 20).c_str());
  std::printf("export AWS_SECRET_ACCESS_KEY=%s\n", target.key.substr(25).c_str());
  // The SDK for JavaScript reads the first alone, boto3 the second.
  const auto region = shell_quoted(text_in(*status, "region"));
  std::printf("export AWS_REGION=%s\n", region.c_str());
  std::printf("export AWS_DEFAULT_REGION=%s\n", region.c_str());
  std::printf("export AWS_ENDPOINT_URL_LAMBDA=%s\n", shell_quoted(endpoint).c_str());
  std::printf("unset AWS_SESSION_TOKEN AWS_PROFILE\n");
  std::printf(
      "# The AWS CLI of Debian 12 does not read the endpoint from there:\n"
      "# aws --endpoint-url %s lambda list-functions\n",
      endpoint.c_str());
  return kDone;
}

}  // namespace lambda::cli
