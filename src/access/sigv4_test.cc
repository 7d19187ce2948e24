#include "access/sigv4.h"

#include "base/crypto.h"
#include "base/encoding.h"

#include <gtest/gtest.h>

namespace lambda::access {
namespace {

constexpr std::string_view kSecret = "secretsecretsecret";

// A request that botocore signs the same way.
http::Request vector_request() {
  http::Request request;
  request.method = "POST";
  request.target =
      "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Apy1/"
      "invocations?Qualifier=%24LATEST";
  request.headers.add("Host", "127.0.0.1:9000");
  request.headers.add("X-Amz-Date", "20260102T030405Z");
  request.headers.add(
      "Authorization",
      "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/lambda/aws4_request, "
      "SignedHeaders=host;x-amz-date, "
      "Signature=6c4771433a15c60091957094f472a3ced82bda694569408a7f03a7cda034d4e4");
  return request;
}

WallTime at(long seconds) {
  return WallTime(std::chrono::seconds(seconds));
}
constexpr long kSigned = 1767323045;  // 2026-01-02T03:04:05Z
constexpr std::string_view kBody = R"({"a":1})";

TEST(SigV4, AgreesWithTheVector) {
  const auto request = vector_request();
  const auto signature = find_signature(request);
  ASSERT_TRUE(signature && *signature);
  EXPECT_EQ(hex_encode(sha256(canonical_request(request, **signature, kBody))),
            "5e041bd8d25012c121ca4b961e6b3533bd905735e134487ca2152c541a3814a5");
  EXPECT_EQ(hex_encode(signing_key(**signature, kSecret)),
            "2ea28dae19c31330512b56bce9a14f4b89f83217253a42f7f6b0392128f8bbdc");
  const auto verified = verify_signature(request, **signature, kSecret, kBody, at(kSigned + 60));
  EXPECT_TRUE(verified) << verified.error().message();
}

struct Change {
  const char* name;
  void (*change)(http::Request&);
};
class Tampered : public testing::TestWithParam<Change> {};

TEST_P(Tampered, IsRefused) {
  auto request = vector_request();
  GetParam().change(request);
  const auto signature = find_signature(request);
  if (!signature) return;  // refused even earlier
  ASSERT_TRUE(*signature);
  EXPECT_FALSE(verify_signature(request, **signature, kSecret, kBody, at(kSigned)));
}

INSTANTIATE_TEST_SUITE_P(
    Requests, Tampered,
    testing::Values(
        Change{"Method", [](http::Request& r) { r.method = "GET"; }},
        Change{"Path", [](http::Request& r) { r.target.replace(r.target.find("py1"), 3, "py2"); }},
        Change{"Query", [](http::Request& r) { r.target += "&x=1"; }},
        Change{"Host", [](http::Request& r) { r.headers.set("Host", "127.0.0.1:9001"); }},
        Change{"Date", [](http::Request& r) { r.headers.set("X-Amz-Date", "20260102T030406Z"); }},
        Change{
            "Hash",
            [](http::Request& r) { r.headers.add("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"); }}),
    [](const auto& wrong) { return wrong.param.name; });

TEST(SigV4, RefusesAnotherBodySecretOrTime) {
  const auto request = vector_request();
  const auto signature = **find_signature(request);
  EXPECT_FALSE(verify_signature(request, signature, kSecret, "{}", at(kSigned)));
  EXPECT_FALSE(verify_signature(request, signature, "other", kBody, at(kSigned)));
  const auto late = verify_signature(request, signature, kSecret, kBody, at(kSigned + 301));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().message(),
            "Signature expired: 20260102T030405Z is now earlier than 20260102T030406Z "
            "(20260102T030906Z - 5 min.)");
  EXPECT_FALSE(verify_signature(request, signature, kSecret, kBody, at(kSigned - 301)));
}

TEST(SigV4, NamesWhatIsMissing) {
  auto request = vector_request();
  request.headers.set(
      "Authorization",
      "AWS4-HMAC-SHA256 Credential=A/20260102/us-east-1/lambda/aws4_request, SignedHeaders=host");
  const auto found = find_signature(request);
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message().find("'Signature'"), std::string::npos);
}

TEST(SigV4, IsNothingWithoutASignature) {
  http::Request request;
  request.target = "/";
  request.headers.add("Authorization", "Bearer x");
  EXPECT_FALSE(*find_signature(request));
}

TEST(SigV4, VerifiesPresignedUrls) {
  auto request = vector_request();
  request.headers.remove("Authorization");
  request.headers.remove("X-Amz-Date");
  request.target =
      "/2015-03-31/functions/f/"
      "invocations?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20260102%2Fus-east-1%2F"
      "lambda%2Faws4_request&X-Amz-Date=20260102T030405Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host";
  auto with = request;
  with.target += "&X-Amz-Signature=00";
  auto signature = **find_signature(with);
  signature.signature =
      hex_encode(hmac_sha256(signing_key(signature, kSecret),
                             string_to_sign(signature, canonical_request(request, signature, ""))));
  EXPECT_TRUE(verify_signature(with, signature, kSecret, "", at(kSigned + 59)));
  EXPECT_FALSE(verify_signature(with, signature, kSecret, "", at(kSigned + 61)));
}

}  // namespace
}  // namespace lambda::access
