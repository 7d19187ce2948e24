// lambda doctor. Steps: the settings here -> is the server reached? -> its own checks -> its clock
// and its names as they are seen from here. Where it is not reached, what can be seen without it.
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/doctor_report.h"
#include "cli/exit_code.h"
#include "cli/foreign_text.h"
#include "cli/output.h"
#include "cli/terminal.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;
using boost::json::object;

constexpr const char* kDockerSocket = "/var/run/docker.sock";

bool resolves(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return false;
  ::freeaddrinfo(found);
  return true;
}

Finding names_finding(const std::string& domain) {
  if (resolves("doctor." + domain))
    return {"names", "ok", "*." + domain + " resolves here", "", ""};
  const bool local = domain == "localhost";
  return {"names", "warn", "*." + domain + " does not resolve here",
          local
              ? "Programs other than curl and browsers do not find NAME.localhost; /fn/NAME/ works "
                "without."
              : "Functions are not found by their names; /fn/NAME/ works without.",
          local ? "sudo apt-get install libnss-myhostname"
                : "make a DNS record *." + domain + " that leads to the server"};
}

Finding settings_finding() {
  const auto path = settings_path().string();
  if (const auto settings = read_settings(); !settings) {
    return {"settings", "fail", settings.error().message(), "No command can do anything.",
            fmt::format("edit it, or: mv {0} {0}.old", path)};
  }
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0)
    return {"settings", "ok", path + " is not there, and need not be", "", ""};
  if ((info.st_mode & 077) != 0) {
    return {"settings", "warn", path + " can be read by others", "They see the keys in it.",
            "chmod 600 " + path};
  }
  return {"settings", "ok", path, "", ""};
}

// Whether something takes connections there; errno tells why not.
bool connects(const std::string& path) {
  sockaddr_un address{};
  if (path.size() >= sizeof(address.sun_path)) return false;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (socket < 0) return false;
  const bool connected =
      ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  const int number = errno;
  ::close(socket);
  errno = number;
  return connected;
}

Finding docker_finding() {
  if (connects(kDockerSocket))
    return {"docker", "ok", "answers at " + std::string(kDockerSocket), "", ""};
  if (errno == EACCES)
    return {"docker", "ok", "runs, and this user may not use it (the server may)", "", ""};
  return {"docker", "warn", std::string(kDockerSocket) + ": " + std::strerror(errno),
          "Dockerfiles cannot be built, and no function can run in a container.",
          "sudo apt-get install docker.io && sudo systemctl start docker"};
}

// Whether something takes connections there on this machine.
bool is_taken(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  if (socket < 0) return false;
  const bool taken =
      ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  ::close(socket);
  return taken;
}

Finding port_finding() {
  if (!is_taken(80)) return {"port", "ok", "80 is free on this machine", "", ""};
  return {"port", "warn", "80 has another program",
          "A server that is started now listens on 8080, and URLs have a port in them.",
          "sudo ss -ltnp 'sport = :80'    # who has it"};
}

// What is typed here starts no server of another machine.
std::string mend_of_unreached(const Error& error, const std::optional<std::string>& url) {
  if (error.code() == ErrorCode::denied)
    return "lambda config show    # which key is sent, and where it is from";
  if (error.code() == ErrorCode::invalid)
    return "lambda config contexts    # or what names the host: LAMBDA_HOST, LAMBDA_CONTEXT";
  if (url)
    return fmt::format("curl -sS {}/_lambda/health    # who answers there, or why nobody does",
                       *url);
  return "./run    # in the clone; its log: ./run logs";
}

Finding unreached(const Error& error, const std::optional<std::string>& url = {}) {
  return {"server", "fail", error.message(),
          error.code() == ErrorCode::denied ? "This server lets in nobody with this key."
                                            : "No command can do anything.",
          mend_of_unreached(error, url)};
}

// Of another machine.
std::optional<std::string> far_url(const Target& target) {
  if (!target.named || is_loopback(target.url.endpoint)) return std::nullopt;
  return (target.url.endpoint.tls ? "https://" : "http://") + target.url.host_header;
}

// --- whether a server could run here

// Where it would keep its files, or the nearest folder above that is there.
fs::path data_place() {
  const char* named = std::getenv("LAMBDA_DATA_DIR");
  fs::path place = "/var/lib/lambda";
  if (named != nullptr && *named != '\0') {
    std::error_code error;
    place = fs::absolute(named, error);
  } else if (const char* home = std::getenv("HOME");
             ::geteuid() != 0 && home != nullptr && *home == '/') {
    place = fs::path(home) / ".local/share/lambda";
  }
  std::error_code error;
  while (!fs::is_directory(place, error) && place.has_relative_path()) place = place.parent_path();
  return place;
}

void look_at_this_machine(std::vector<Finding>& findings) {
  const auto machine = look_at_machine_of_others(data_place());
  const char* driver = std::getenv("LAMBDA_DRIVER");
  const bool native = driver == nullptr || std::string_view(driver) != "docker";
  findings.push_back(docker_finding());
  for (const auto& check : {kernel_check(machine, native), cgroups_check(machine, native)})
    findings.push_back(finding_of(check));
  findings.push_back(port_finding());
  for (const auto& check : {disk_check(machine.data), clock_check(machine)})
    findings.push_back(finding_of(check));
}

Finding host_finding(const Target& target) {
  const auto& path = target.url.endpoint.unix_path;
  return {"host", "ok",
          fmt::format("{} (from {}), key: {}", path.empty() ? target.url.host_header : path,
                      target.source, target.key.empty() ? "none" : "from " + target.key_source),
          "", ""};
}

Finding server_finding(const object& answer, const std::string& own) {
  const auto version = text_in(answer, "version");
  if (version == own) return {"server", "ok", "version " + version + ", as this program", "", ""};
  return {"server", "warn", fmt::format("version {}; this program is {}", version, own),
          "What one of them knows may be unknown to the other.", "install the same on both"};
}

struct Seen {
  object answer;             // empty where the server is not reached
  bool this_machine = true;  // it is one, as far as its address tells
};

// What the server says, with its checks and those of what is between.
Seen examine(const ConnectionOptions& connection, const std::string& own,
             std::vector<Finding>& findings) {
  Seen seen;
  auto target = find_target(connection);
  if (!target) {
    findings.push_back(unreached(target.error()));
    return seen;
  }
  seen.this_machine = !target->named || is_loopback(target->url.endpoint);
  findings.push_back(host_finding(*target));
  const auto url = far_url(*target);
  ServerConnection server(std::move(*target));
  auto response = server.call("GET", "/_lambda/doctor");
  if (!response) {
    findings.push_back(unreached(response.error(), url));
    return seen;
  }
  boost::system::error_code problem;
  auto value = boost::json::parse(response->body, problem);
  if (problem || !value.is_object()) {
    findings.push_back(
        unreached(Error(ErrorCode::internal, "what answers there is no Lambda server"), url));
    return seen;
  }
  seen.answer = std::move(value.as_object());
  findings.push_back(server_finding(seen.answer, own));
  for (auto& each : findings_in(seen.answer)) findings.push_back(std::move(each));
  findings.push_back(clock_finding(response->headers.get("Date"), now_seconds()));
  return seen;
}

// In quiet names, of what is not well alone.
Table findings_rows(const std::vector<Finding>& findings, bool quiet) {
  Table table({"CHECK", "HEALTH", "FOUND", "MEANING", "MEND"});
  for (const auto& each : findings) {
    if (!quiet || each.health != "ok")
      table.add({each.name, each.health, each.found, each.meaning, each.mend});
  }
  return table;
}

}  // namespace

int doctor(const ConnectionOptions& connection, const DoctorOptions& options) {
  std::vector<Finding> findings{settings_finding()};
  auto [answer, this_machine] = examine(connection, options.own, findings);
  if (answer.empty() && this_machine) look_at_this_machine(findings);
  const auto domain = text_in(answer, "domain");
  findings.push_back(names_finding(domain.empty() ? "localhost" : domain));
  const int code = is_anything_failed(findings) ? kFailed : kDone;
  if (options.json) {
    answer["checks"] = findings_json(findings);
    print_json(answer);
    return code;
  }
  if (options.plain || options.quiet) {
    std::fputs(findings_rows(findings, options.quiet).text().c_str(), stdout);
    return code;
  }
  const auto text =
      findings_text(findings, wants_colour(STDOUT_FILENO), terminal_width(STDOUT_FILENO));
  std::fputs(for_person(text, STDOUT_FILENO).c_str(), stdout);
  return code;
}

}  // namespace lambda::cli
