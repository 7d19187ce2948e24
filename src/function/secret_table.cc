// Every change is in the database first, then in memory.
#include "function/secret_table.h"

#include "base/crypto.h"
#include "base/encoding.h"
#include "base/nearest_word.h"
#include "store/database.h"
#include "store/wall_time.h"

#include <SQLiteCpp/SQLiteCpp.h>

namespace lambda::function {
namespace {

using store::from_ms;
using store::to_ms;

constexpr std::size_t kDigestDigits = 12;

tl::unexpected<Error> does_not_exist(std::string_view function, std::string_view name,
                                     std::string_view nearest) {
  return fail(ErrorCode::invalid,
              "function {0} asks for the secret {1}, which does not exist{2}: make it with `lambda "
              "secret put {1}`, or deploy {0} without it",
              function, name, nearest.empty() ? "" : fmt::format(" (did you mean {}?)", nearest));
}

}  // namespace

SecretTable::SecretTable(store::Database& database, const Clock& clock, Tenant tenant,
                         store::MasterKey master)
    : database_(database), clock_(clock), tenant_(std::move(tenant)), master_(std::move(master)) {}

Result<std::unique_ptr<SecretTable>> SecretTable::load(store::Database& database,
                                                       const Clock& clock, Tenant tenant,
                                                       store::MasterKey master) {
  std::unique_ptr<SecretTable> table(
      new SecretTable(database, clock, std::move(tenant), std::move(master)));
  if (auto read = table->read_all(); !read) return fail(std::move(read.error()));
  return table;
}

Result<Done> SecretTable::read_all() {
  auto work = [this](SQLite::Database& connection) {
    SQLite::Statement select(connection,
                             "SELECT function, name, form, digest, sealed, changed FROM secrets "
                             "WHERE account = ? AND region = ?");
    select.bind(1, tenant_.account);
    select.bind(2, tenant_.region);
    while (select.executeStep()) {
      Entry entry;
      entry.secret.function = select.getColumn(0).getString();
      entry.secret.name = select.getColumn(1).getString();
      entry.secret.form =
          parse_secret_form(select.getColumn(2).getString()).value_or(SecretForm::environment);
      entry.secret.digest = select.getColumn(3).getString();
      entry.sealed = select.getColumn(4).getString();
      entry.secret.changed = from_ms(select.getColumn(5).getInt64());
      Id id(entry.secret.function, entry.secret.name);
      entries_.insert_or_assign(std::move(id), std::move(entry));
    }
  };
  if (auto read = database_.read("load secrets", work); !read) return read;
  for (const auto& [id, entry] : entries_) {
    auto value = open(entry);
    if (!value) return fail(std::move(value.error()));
    wipe(*value);
  }
  return Done{};
}

std::string SecretTable::context(std::string_view function, std::string_view name) const {
  return fmt::format("secret\n{}\n{}\n{}\n{}", tenant_.account, tenant_.region, function, name);
}

Result<std::string> SecretTable::open(const Entry& entry) const {
  const auto& [function, name, form, digest, changed] = entry.secret;
  auto value = master_.unseal(entry.sealed, context(function, name));
  if (value) return value;
  return fail(ErrorCode::internal,
              "the secret {}{} does not open: its row was changed, or master.key in the data "
              "directory is not the one that it was encrypted with. Restore that file from the "
              "backup that goes with this database",
              name, function.empty() ? "" : " of function " + function);
}

std::string SecretTable::digest(std::string_view function, std::string_view name,
                                std::string_view value) const {
  const auto key = master_.derive("digests of secrets");
  auto text = context(function, name) + "\n";
  text += value;
  auto digits = hex_encode(hmac_sha256(key, text)).substr(0, kDigestDigits);
  wipe(text);
  return digits;
}

Result<Secret> SecretTable::put(std::string function, std::string name,
                                std::optional<SecretForm> form, std::string_view value) {
  if (auto good = check_secret_name(name); !good) return fail(std::move(good.error()));
  Entry entry;
  {
    const std::lock_guard guard(mutex_);
    const auto before = entries_.find(Id(function, name));
    if (before != entries_.end()) entry.secret.form = before->second.secret.form;
  }
  if (form) entry.secret.form = *form;
  if (auto good = check_secret_value(name, value, entry.secret.form); !good)
    return fail(std::move(good.error()));
  entry.secret.digest = digest(function, name, value);
  entry.secret.changed = clock_.now();
  entry.sealed = master_.seal(value, context(function, name));
  entry.secret.function = std::move(function);
  entry.secret.name = std::move(name);
  if (auto saved = save(entry); !saved) return fail(std::move(saved.error()));
  auto secret = entry.secret;
  const std::lock_guard guard(mutex_);
  entries_.insert_or_assign(Id(secret.function, secret.name), std::move(entry));
  ++revision_;
  return secret;
}

Result<Done> SecretTable::save(const Entry& entry) {
  const auto& secret = entry.secret;
  auto work = [&](SQLite::Database& connection) {
    SQLite::Statement insert(connection,
                             "INSERT OR REPLACE INTO secrets VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    insert.bind(1, tenant_.account);
    insert.bind(2, tenant_.region);
    insert.bind(3, secret.function);
    insert.bind(4, secret.name);
    insert.bind(5, std::string(to_string(secret.form)));
    insert.bind(6, secret.digest);
    insert.bind(7, entry.sealed.data(), static_cast<int>(entry.sealed.size()));
    insert.bind(8, to_ms(secret.changed));
    insert.exec();
  };
  return database_.change("save the secret " + secret.name, work);
}

Result<Done> SecretTable::remove(std::string_view function, std::string_view name) {
  const Id id(function, name);
  {
    const std::lock_guard guard(mutex_);
    if (!entries_.contains(id)) {
      const auto meant = nearest(function, name);
      const auto whose = function.empty() ? std::string("shared secret")
                                          : fmt::format("secret of function {}", function);
      return fail(ErrorCode::not_found, "there is no {} {}{}: `lambda secret list` shows all",
                  whose, name, meant.empty() ? "" : fmt::format(" (did you mean {}?)", meant));
    }
  }
  auto work = [&](SQLite::Database& connection) {
    SQLite::Statement erase(connection,
                            "DELETE FROM secrets WHERE account = ? AND region = ? AND function = ? "
                            "AND name = ?");
    erase.bind(1, tenant_.account);
    erase.bind(2, tenant_.region);
    erase.bind(3, id.first);
    erase.bind(4, id.second);
    erase.exec();
  };
  if (auto saved = database_.change("delete the secret " + id.second, work); !saved) return saved;
  const std::lock_guard guard(mutex_);
  entries_.erase(id);
  ++revision_;
  return Done{};
}

void SecretTable::forget(std::string_view function) {
  const std::lock_guard guard(mutex_);
  std::erase_if(entries_, [function](const auto& item) { return item.first.first == function; });
  ++revision_;
}

std::string SecretTable::nearest(std::string_view function, std::string_view name) const {
  NearestWord nearest(name);
  for (const auto& [id, entry] : entries_) {
    if (id.first.empty() || id.first == function) nearest.offer(id.second);
  }
  return nearest.best();
}

std::vector<Secret> SecretTable::list() const {
  std::vector<Secret> all;
  const std::lock_guard guard(mutex_);
  all.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) all.push_back(entry.secret);
  return all;
}

Result<std::vector<SecretTable::Entry>> SecretTable::entries_for(
    std::string_view function, const SecretReferences& asked) const {
  std::vector<Entry> entries;
  const std::lock_guard guard(mutex_);
  for (const auto& [name, form] : asked) {
    auto found = entries_.find(Id(function, name));
    if (found == entries_.end()) found = entries_.find(Id("", name));
    if (found == entries_.end()) return does_not_exist(function, name, nearest(function, name));
    entries.push_back(found->second);
    if (form) entries.back().secret.form = *form;
  }
  for (auto own = entries_.lower_bound(Id(function, ""));
       own != entries_.end() && own->first.first == function && !function.empty(); ++own) {
    if (!asked.contains(own->first.second)) entries.push_back(own->second);
  }
  return entries;
}

Result<std::vector<Secret>> SecretTable::secrets_for(std::string_view function,
                                                     const SecretReferences& asked) const {
  auto entries = entries_for(function, asked);
  if (!entries) return fail(std::move(entries.error()));
  std::vector<Secret> secrets;
  secrets.reserve(entries->size());
  for (auto& entry : *entries) secrets.push_back(std::move(entry.secret));
  return secrets;
}

Result<SecretValues> SecretTable::values_for(std::string_view function,
                                             const SecretReferences& asked) const {
  auto entries = entries_for(function, asked);
  if (!entries) return fail(std::move(entries.error()));
  SecretValues values;
  for (const auto& entry : *entries) {
    auto value = open(entry);
    if (!value) return fail(std::move(value.error()));
    const auto& secret = entry.secret;
    if (auto fits = check_secret_value(secret.name, *value, secret.form); !fits)
      return fail(std::move(fits.error()), "start function {}", function);
    auto& into = secret.form == SecretForm::file ? values.files : values.environment;
    into[secret.name] = std::move(*value);
  }
  return values;
}

}  // namespace lambda::function
