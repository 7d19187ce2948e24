#include "function/function.h"

#include <algorithm>

namespace lambda::function {

std::string_view to_string(PackageType type) {
  return type == PackageType::zip ? "Zip" : "Image";
}

std::string_view to_string(Kind kind) {
  return kind == Kind::handler ? "handler" : "http";
}

std::string_view to_string(UrlAuth auth) {
  switch (auth) {
    case UrlAuth::closed:
      return "closed";
    case UrlAuth::open:
      return "open";
    case UrlAuth::key:
      return "key";
    case UrlAuth::iam:
      return "iam";
  }
  return "closed";
}

std::string_view to_string(Isolation isolation) {
  return isolation == Isolation::fork ? "fork" : "exec";
}

std::string_view to_string(DriverName driver) {
  return driver == DriverName::native ? "native" : "docker";
}

std::string_view to_string(State state) {
  switch (state) {
    case State::pending:
      return "Pending";
    case State::active:
      return "Active";
    case State::inactive:
      return "Inactive";
    case State::failed:
      return "Failed";
  }
  return "Active";
}

std::string_view to_string(UpdateStatus status) {
  switch (status) {
    case UpdateStatus::none:
      return "";
    case UpdateStatus::successful:
      return "Successful";
    case UpdateStatus::failed:
      return "Failed";
    case UpdateStatus::in_progress:
      return "InProgress";
  }
  return "";
}

std::optional<UrlAuth> parse_url_auth(std::string_view text) {
  if (text == "open") return UrlAuth::open;
  if (text == "key") return UrlAuth::key;
  if (text == "iam") return UrlAuth::iam;
  if (text == "none" || text == "closed") return UrlAuth::closed;
  return std::nullopt;
}

std::optional<Kind> parse_kind(std::string_view text) {
  if (text == "handler") return Kind::handler;
  if (text == "http") return Kind::http;
  return std::nullopt;
}

std::optional<Isolation> parse_isolation(std::string_view text) {
  if (text == "fork") return Isolation::fork;
  if (text == "exec") return Isolation::exec;
  return std::nullopt;
}

std::optional<DriverName> parse_driver(std::string_view text) {
  if (text == "native") return DriverName::native;
  if (text == "docker") return DriverName::docker;
  return std::nullopt;
}

std::optional<PackageType> parse_package_type(std::string_view text) {
  if (text == "Zip") return PackageType::zip;
  if (text == "Image") return PackageType::image;
  return std::nullopt;
}

std::string Version::label() const {
  return is_latest() ? "$LATEST" : std::to_string(number);
}

const Alias* Function::live() const {
  const auto found = aliases.find(std::string(kLiveAlias));
  return found == aliases.end() ? nullptr : &found->second;
}

VersionPtr Function::version(std::uint64_t number) const {
  if (number == 0) return latest;
  const auto found = versions.find(number);
  return found == versions.end() ? nullptr : found->second;
}

VersionPtr Function::answering() const {
  const auto* alias = live();
  auto found = alias == nullptr ? nullptr : version(alias->version);
  return found ? found : latest;
}

bool Function::is_as_draft(const Version& version) const {
  if (version.is_latest()) return true;
  auto configuration = version.configuration;
  configuration.description = version.draft_description;
  return version.code == latest->code && configuration == latest->configuration;
}

bool Function::draft_is_news() const {
  return !latest->live_since && !is_as_draft(*answering());
}

}  // namespace lambda::function
