// The little cryptography that the server needs, over OpenSSL: digests, HMAC, authenticated
// encryption, random bytes, constant-time comparison. Pure functions, any thread. Secrets given in
// are not kept.
#pragma once

#include "base/result.h"

#include <memory>
#include <string>
#include <string_view>

namespace lambda {

// Raw digest bytes (32).
[[nodiscard]] std::string sha256(std::string_view bytes);
[[nodiscard]] std::string hmac_sha256(std::string_view key, std::string_view message);

// SHA-256 over data that arrives in pieces.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(Sha256Stream&&) noexcept;
  Sha256Stream& operator=(Sha256Stream&&) noexcept;
  void update(std::string_view bytes);
  // Raw digest bytes; the stream is used up.
  [[nodiscard]] std::string finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// From the kernel's generator. Throws std::runtime_error when there is none (a broken machine).
[[nodiscard]] std::string random_bytes(std::size_t count);
// `count` characters drawn evenly from `alphabet`.
[[nodiscard]] std::string random_text(std::size_t count, std::string_view alphabet);
// A random (version 4) UUID, lower case.
[[nodiscard]] std::string random_uuid();

// Takes the same time wherever the first difference is. Different lengths compare false at once.
[[nodiscard]] bool equals_in_constant_time(std::string_view a, std::string_view b);

// Writes zeros over it, and empties it.
void wipe(std::string& secret);

// AES-256-GCM under a 32-byte key: 12 bytes nonce | ciphertext | 16 bytes tag. `context` is
// authenticated and not stored: opening with another context fails, so that a sealed value cannot
// be moved to another row.
[[nodiscard]] std::string seal(std::string_view key, std::string_view plain,
                               std::string_view context);
[[nodiscard]] Result<std::string> unseal(std::string_view key, std::string_view sealed,
                                         std::string_view context);

}  // namespace lambda
