// lambda keys create, list, revoke.
#include "base/encoding.h"
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/exit_code.h"
#include "cli/output.h"

#include <cstdio>

namespace lambda::cli {
namespace {

namespace json = boost::json;

std::string joined(const json::array& words) {
  std::string text;
  for (const auto& word : words) {
    if (!text.empty()) text += ",";
    text += word.as_string();
  }
  return text;
}

std::string functions_of(const json::object& key) {
  const auto text = joined(array_in(key, "functions"));
  return text.empty() ? "all" : text;
}

// "2026-01-31 09:30": of a time in UTC.
std::string minute_text(const std::string& iso) {
  if (iso.size() < 16) return iso;
  return iso.substr(0, 10) + " " + iso.substr(11, 5);
}

std::string end_of(const json::object& key) {
  const auto expires = text_in(key, "expires");
  if (text_in(key, "state") == "revoked") return "revoked";
  if (expires.empty()) return "never";
  return minute_text(expires) + (text_in(key, "state") == "expired" ? " (expired)" : "");
}

std::string use_of(const json::object& key) {
  const auto used = text_in(key, "lastUsed");
  if (used.empty()) return "never";
  const auto address = text_in(key, "lastAddress");
  return ago_text(used, now_seconds()) + (address.empty() ? "" : ", " + address);
}

}  // namespace

int keys_create(const ConnectionOptions& connection, const KeysOptions& options, bool as_json) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  json::object body;
  body["name"] = options.name;
  body["scopes"] = json::array(options.scopes.begin(), options.scopes.end());
  body["functions"] = json::array(options.functions.begin(), options.functions.end());
  if (!options.expires.empty()) body["expires"] = options.expires;
  auto key = connected.server->json("POST", "/_lambda/keys", &body);
  if (!key) return explain(key.error());
  if (as_json) {
    print_json(*key);
    return kDone;
  }
  // What is secret goes where it is sent; the rest, which a log may keep, says what it is.
  std::printf("LAMBDA_API_KEY=%s\nAWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n",
              text_in(*key, "token").c_str(), text_in(*key, "accessKeyId").c_str(),
              text_in(*key, "secretAccessKey").c_str());
  const auto end = end_of(*key);
  std::fprintf(stderr, "Key \"%s\": %s on %s functions, %s. It is shown this once.\n",
               text_in(*key, "name").c_str(), joined(array_in(*key, "scopes")).c_str(),
               functions_of(*key).c_str(),
               end == "never" ? "without an end" : ("until " + end + " UTC").c_str());
  return kDone;
}

int keys_list(const ConnectionOptions& connection, bool all, bool as_json) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto reply = connected.server->json("GET", all ? "/_lambda/keys?all=true" : "/_lambda/keys");
  if (!reply) return explain(reply.error());
  if (as_json) {
    print_json(*reply);
    return kDone;
  }
  Table table({"NAME", "ID", "SCOPES", "FUNCTIONS", "CREATED", "EXPIRES (UTC)", "LAST USED"});
  for (const auto& item : array_in(*reply, "keys")) {
    const auto& key = item.as_object();
    table.add({text_in(key, "name"), text_in(key, "id"), joined(array_in(key, "scopes")),
               functions_of(key), ago_text(text_in(key, "created"), now_seconds()), end_of(key),
               use_of(key)});
  }
  std::fputs(table.text().c_str(), stdout);
  return kDone;
}

int keys_revoke(const ConnectionOptions& connection, const std::string& key, bool as_json) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto reply = connected.server->json("DELETE", "/_lambda/keys/" + percent_encode(key));
  if (!reply) return explain(reply.error());
  tell(as_json, *reply,
       fmt::format("Revoked the key \"{}\" ({}).", text_in(*reply, "name"), text_in(*reply, "id")));
  if (flag_in(*reply, "lastAdmin")) {
    std::fputs(
        "No administrator's key is left. Nobody is locked out: root and the group lambda still "
        "come in by the\nserver's unix socket, and the server makes a new admin.key when it starts "
        "again.\n",
        stderr);
  }
  return kDone;
}

}  // namespace lambda::cli
