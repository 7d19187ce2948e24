// What the server knows of a function: its versions, aliases and settings, as immutable values.
//
// The catalog (function/catalog.h) publishes them as shared_ptr<const ...>: readers on any thread
// keep what they hold, writers replace whole records. Nothing in here does I/O.
#pragma once

#include "base/clock.h"
#include "function/secret.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::function {

enum class PackageType { zip, image };
// handler: an event goes to a handler through the Runtime API. http: it serves HTTP itself on
// $PORT.
enum class Kind { handler, http };
// Who may call the function's URL. closed: nobody (functions made by API clients until they open
// one).
enum class UrlAuth { closed, open, key, iam };
enum class DriverName { native, docker };
// Whether its Python may be forked from one that is shared until then (native driver).
enum class Isolation { fork, exec };

[[nodiscard]] std::string_view to_string(PackageType type);     // "Zip", "Image"
[[nodiscard]] std::string_view to_string(Kind kind);            // "handler", "http"
[[nodiscard]] std::string_view to_string(UrlAuth auth);         // "closed", "open", "key", "iam"
[[nodiscard]] std::string_view to_string(Isolation isolation);  // "fork", "exec"
[[nodiscard]] std::string_view to_string(DriverName driver);    // "native", "docker"
[[nodiscard]] std::optional<UrlAuth> parse_url_auth(
    std::string_view text);  // "none" reads as closed
[[nodiscard]] std::optional<Kind> parse_kind(std::string_view text);
[[nodiscard]] std::optional<Isolation> parse_isolation(std::string_view text);
[[nodiscard]] std::optional<DriverName> parse_driver(std::string_view text);
[[nodiscard]] std::optional<PackageType> parse_package_type(std::string_view text);

struct ImageConfig {
  std::vector<std::string> entry_point;
  std::vector<std::string> command;
  std::string working_directory;
  bool operator==(const ImageConfig&) const = default;
};

// The code of one version.
struct Code {
  std::string sha256;  // standard base64 of the SHA-256 over the package as uploaded (zip bytes, or
                       // of the image's id)
  std::uint64_t size = 0;  // bytes of the package; of the image
  std::string
      package_digest;     // hex SHA-256 that names the package in the PackageStore; "" for images
  std::string image_uri;  // what the caller named ("func-greet:3"); "" for zips
  std::string image_id;   // "sha256:..." of the local image; "" for zips
  // What the image itself says, found when it was deployed, so that a start needs no Docker: JSON
  // {"entryPoint":[],"command":[],"environment":{},"workingDirectory":"","exposedPorts":[]}; "" for
  // zips.
  std::string image_info;
  bool operator==(const Code&) const = default;
};

// Requests at once in one instance of an HTTP function that names no number.
inline constexpr unsigned kHttpConcurrency = 32;

// Settings of one version: everything a rollback restores.
struct Configuration {
  std::string runtime;  // "python3.11"; "" for images
  std::string handler;  // "" for images
  std::string role;     // kept for AWS clients; shape-checked
  std::string description;
  int timeout_seconds = 3;         // 1..900
  int memory_mb = 128;             // 128..10240
  int ephemeral_storage_mb = 512;  // 512..10240
  PackageType package_type = PackageType::zip;
  Kind kind = Kind::handler;
  std::optional<std::uint16_t> port;    // HTTP functions: $PORT
  std::optional<unsigned> concurrency;  // HTTP functions: requests at once in one instance
  std::optional<int> idle_seconds;      // then an instance is given up; absent: the server's
  Isolation isolation = Isolation::fork;
  // What it may reach, as base/egress_rules.h writes it; absent: the server's.
  std::optional<std::string> egress;
  unsigned cpu_thousandths = 0;  // of CPUs that an instance may use after its init; 0: no limit
  unsigned min_instances = 0;    // of them are kept ready while calls go to the version by `live`
  // Whether somebody named them, now or at an earlier deploy. What nobody named follows from the
  // code (EXPOSE), anew at every deploy.
  bool kind_named = false;
  bool port_named = false;
  std::optional<std::map<std::string, std::string>> environment;  // absent: never given
  SecretReferences secrets;  // of shared ones, or in another form; their values are no part of it
  std::string architecture = "x86_64";
  std::optional<ImageConfig> image_config;
  std::string dead_letter_target;  // DeadLetterConfig.TargetArn: an ARN or an http(s) URL; "": none
  std::optional<DriverName> driver;  // as it was made; absent in old rows: the server's default
  // Fields that AWS's clients set and read back and that change nothing here (VpcConfig, KMSKeyArn,
  // TracingConfig, LoggingConfig, SnapStart ...): the JSON of each, by its AWS name.
  std::map<std::string, std::string> echoed;
  bool operator==(const Configuration&) const = default;
};

enum class State { pending, active, inactive, failed };
enum class UpdateStatus { none, successful, failed, in_progress };
[[nodiscard]] std::string_view to_string(State state);          // "Pending", "Active", ...
[[nodiscard]] std::string_view to_string(UpdateStatus status);  // "Successful", ...; none is ""

// The draft ($LATEST, number 0) or a published, immutable version (1, 2, ...).
//
// A record is replaced when `live` moves to its version (live_since) or when its clean-up rule
// changes (deployed): code, configuration and revision_id then stay the same. Whoever keeps state
// for a version keys it by (function, number, revision_id), never by the pointer.
struct Version {
  std::string function;
  std::uint64_t number = 0;
  Configuration configuration;
  Code code;
  std::string revision_id;
  WallTime last_modified{};
  State state = State::active;
  std::string state_reason;
  std::string state_reason_code;
  UpdateStatus last_update = UpdateStatus::none;
  std::string last_update_reason;
  std::string last_update_reason_code;
  // The last time `live` moved to it (the draft: to a version that is as it is); absent: never was
  // live.
  std::optional<WallTime> live_since;
  // Published versions only:
  std::string message;            // lambda deploy -m
  bool deployed = false;          // made by lambda deploy (and so subject to its clean-up)
  std::string draft_description;  // $LATEST's own when this was published (PublishVersion may
                                  // name another); tells whether the draft changed since

  [[nodiscard]] bool is_latest() const { return number == 0; }
  // "$LATEST" or the number.
  [[nodiscard]] std::string label() const;
};
using VersionPtr = std::shared_ptr<const Version>;

struct Alias {
  std::string name;
  std::uint64_t version = 0;  // 0: $LATEST
  std::string description;
  std::string revision_id;
  // At most one extra version and its share of calls, 0.0 to 1.0.
  std::optional<std::pair<std::uint64_t, double>> additional;
  bool operator==(const Alias&) const = default;
};

// The alias that hosts, /fn/ and `lambda invoke` follow.
inline constexpr std::string_view kLiveAlias = "live";

// AWS's FunctionUrlConfig beside our own `auth` (created by CreateFunctionUrlConfig or by lambda
// deploy --url).
struct UrlConfig {
  UrlAuth auth = UrlAuth::closed;
  std::string cors_json;  // the Cors object as given, or ""
  std::string invoke_mode = "BUFFERED";
  WallTime created{};
  WallTime modified{};
};

// How much of its log is kept, where the function says so itself; absent: as the server's
// configuration has it. Of the function, not of a version: no rollback changes it.
struct LogSettings {
  std::optional<std::int64_t> size_mb;      // kLogSizeRange
  std::optional<std::chrono::seconds> age;  // kLogAgeRange, or 0: whatever its age
  bool operator==(const LogSettings&) const = default;
};
// What is named is set, or given back to the server.
struct LogSettingsChange {
  std::optional<std::optional<std::int64_t>> size_mb;
  std::optional<std::optional<std::chrono::seconds>> age;
  void apply_to(LogSettings& settings) const {
    if (size_mb) settings.size_mb = *size_mb;
    if (age) settings.age = *age;
  }
};

struct Function {
  std::string name;        // as created, case kept
  std::string host_label;  // unique, lower case; "" when the name cannot be one
  VersionPtr latest;       // never null
  std::map<std::uint64_t, VersionPtr> versions;
  std::map<std::string, Alias> aliases;
  std::map<std::string, std::string> tags;
  UrlConfig url;
  std::optional<int> reserved_concurrency;
  LogSettings logs;
  WallTime created{};
  std::uint64_t next_version = 1;  // numbers are never given twice

  [[nodiscard]] const Alias* live() const;
  // The version with that number (0: the draft), or null.
  [[nodiscard]] VersionPtr version(std::uint64_t number) const;
  // The version that the URL answers with: `live`'s, else the draft.
  [[nodiscard]] VersionPtr answering() const;
  // Whether the version is what the draft would be published as.
  [[nodiscard]] bool is_as_draft(const Version& version) const;
  // AWS's tools change the draft alone: then it is newer than what the URL answers with. A draft
  // that was live as it is, is no news, whichever version the URL follows since.
  [[nodiscard]] bool draft_is_news() const;
};
using FunctionPtr = std::shared_ptr<const Function>;

// What has become of a function and one of its versions: no call finds a version that was replaced,
// or was deleted alone, and whoever had it already may still call it; of a deleted function nothing
// is left, also where another has its name.
enum class Standing { current, replaced, deleted };

// What a qualifier stands for, resolved once a call. `alias` is empty for numbers and $LATEST.
struct Resolved {
  FunctionPtr function;
  VersionPtr version;
  std::string qualifier;  // as asked: "", "$LATEST", "7", "live"
};

}  // namespace lambda::function
