#include "base/crypto.h"

#include "base/encoding.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <array>
#include <stdexcept>

namespace lambda {
namespace {

constexpr int kNonceBytes = 12;
constexpr int kTagBytes = 16;

const unsigned char* as_bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* as_bytes(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

struct CipherFree {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, CipherFree>;

void check(int ok, const char* step) {
  if (ok != 1) throw std::runtime_error(std::string("OpenSSL failed in ") + step);
}

}  // namespace

std::string sha256(std::string_view bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(as_bytes(bytes), bytes.size(), as_bytes(digest));
  return digest;
}

std::string hmac_sha256(std::string_view key, std::string_view message) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  unsigned int length = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), as_bytes(message), message.size(),
       as_bytes(digest), &length);
  return digest;
}

struct Sha256Stream::Context {
  EVP_MD_CTX* md = EVP_MD_CTX_new();
  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { EVP_MD_CTX_free(md); }
};

Sha256Stream::Sha256Stream() : context_(std::make_unique<Context>()) {
  check(EVP_DigestInit_ex(context_->md, EVP_sha256(), nullptr), "digest init");
}
Sha256Stream::~Sha256Stream() = default;
Sha256Stream::Sha256Stream(Sha256Stream&&) noexcept = default;
Sha256Stream& Sha256Stream::operator=(Sha256Stream&&) noexcept = default;

void Sha256Stream::update(std::string_view bytes) {
  check(EVP_DigestUpdate(context_->md, bytes.data(), bytes.size()), "digest update");
}

std::string Sha256Stream::finish() {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  unsigned int length = 0;
  check(EVP_DigestFinal_ex(context_->md, as_bytes(digest), &length), "digest final");
  return digest;
}

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  check(RAND_bytes(as_bytes(bytes), static_cast<int>(count)), "random bytes");
  return bytes;
}

std::string random_text(std::size_t count, std::string_view alphabet) {
  // Bytes past the last whole multiple of the alphabet are drawn again, so that no character is
  // likelier.
  const std::size_t limit = 256 / alphabet.size() * alphabet.size();
  std::string text;
  text.reserve(count);
  while (text.size() < count) {
    for (const char c : random_bytes(count)) {
      const auto value = static_cast<unsigned char>(c);
      if (value < limit && text.size() < count) text += alphabet[value % alphabet.size()];
    }
  }
  return text;
}

std::string random_uuid() {
  std::string bytes = random_bytes(16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  std::string text = hex_encode(bytes);
  for (const std::size_t at : {8u, 13u, 18u, 23u}) text.insert(at, "-");
  return text;
}

bool equals_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(std::string& secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

std::string seal(std::string_view key, std::string_view plain, std::string_view context) {
  const std::string nonce = random_bytes(kNonceBytes);
  const CipherContext cipher(EVP_CIPHER_CTX_new());
  check(
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, as_bytes(key), as_bytes(nonce)),
      "seal");
  int length = 0;
  check(EVP_EncryptUpdate(cipher.get(), nullptr, &length, as_bytes(context),
                          static_cast<int>(context.size())),
        "seal context");
  std::string sealed(plain.size(), '\0');
  check(EVP_EncryptUpdate(cipher.get(), as_bytes(sealed), &length, as_bytes(plain),
                          static_cast<int>(plain.size())),
        "seal text");
  std::array<unsigned char, kTagBytes> rest{};
  check(EVP_EncryptFinal_ex(cipher.get(), rest.data(), &length), "seal end");
  std::string tag(kTagBytes, '\0');
  check(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, tag.data()), "seal tag");
  return nonce + sealed + tag;
}

Result<std::string> unseal(std::string_view key, std::string_view sealed,
                           std::string_view context) {
  if (sealed.size() < kNonceBytes + kTagBytes) {
    return fail(ErrorCode::internal, "a sealed value is too short to be one");
  }
  const auto nonce = sealed.substr(0, kNonceBytes);
  const auto body = sealed.substr(kNonceBytes, sealed.size() - kNonceBytes - kTagBytes);
  std::string tag(sealed.substr(sealed.size() - kTagBytes));
  const CipherContext cipher(EVP_CIPHER_CTX_new());
  check(
      EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, as_bytes(key), as_bytes(nonce)),
      "unseal");
  int length = 0;
  check(EVP_DecryptUpdate(cipher.get(), nullptr, &length, as_bytes(context),
                          static_cast<int>(context.size())),
        "unseal context");
  std::string plain(body.size(), '\0');
  check(EVP_DecryptUpdate(cipher.get(), as_bytes(plain), &length, as_bytes(body),
                          static_cast<int>(body.size())),
        "unseal text");
  check(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()),
        "unseal tag");
  std::array<unsigned char, kTagBytes> rest{};
  if (EVP_DecryptFinal_ex(cipher.get(), rest.data(), &length) != 1) {
    return fail(ErrorCode::internal,
                "a sealed value does not open: it was changed, or the master key is another one");
  }
  return plain;
}

}  // namespace lambda
