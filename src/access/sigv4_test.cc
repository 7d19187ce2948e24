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

// Signed by botocore, for http://greet.localhost at that time.
struct Vector {
  const char* name;
  const char* target;
  const char* signature;
  bool unsigned_body = false;
};
class Vectors : public testing::TestWithParam<Vector> {
 public:
  static bool verifies(const std::string& target) {
    const auto& vector = GetParam();
    http::Request request;
    request.method = "GET";
    request.target = target;
    request.headers.add("Host", "greet.localhost");
    request.headers.add("X-Amz-Date", "20260102T030405Z");
    if (vector.unsigned_body) request.headers.add("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD");
    request.headers.add(
        "Authorization",
        fmt::format("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/lambda/"
                    "aws4_request, SignedHeaders=host{};x-amz-date, Signature={}",
                    vector.unsigned_body ? ";x-amz-content-sha256" : "", vector.signature));
    const auto signature = find_signature(request);
    return signature && *signature &&
           verify_signature(request, **signature, kSecret, "", at(kSigned)).has_value();
  }
};

TEST_P(Vectors, Verify) {
  const std::string target = GetParam().target;
  EXPECT_TRUE(verifies(target));
  EXPECT_FALSE(verifies("/x" + target));
  EXPECT_FALSE(verifies("/x/.." + target));
}

INSTANTIATE_TEST_SUITE_P(
    Requests, Vectors,
    testing::Values(Vector{"EmptySegments", "/a//b/./c/",
                           "fe23b2da857e11afcfd8a35201084202be90ae4e438ac412f18cff0a2c2657e3"},
                    Vector{"EncodedSlash", "/x%2Fy/z",
                           "e8768429c2b7bac2e5287d53a722d5692549aa186819c92cb39287e86d8757b9"},
                    Vector{"RepeatedNames", "/?b=2&a=2&a=1&c=&B=x%20y",
                           "3d2cdeb35689814221977073daf97a5ac1c99c8bca8c684144ce9914d782420e"},
                    Vector{"UnsignedBody", "/",
                           "effab425702b9465543e64a39d55b90895f96fc4da1d1b5d36e0945ef293900c",
                           true}),
    [](const auto& vector) { return vector.param.name; });

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
            "(20260102T030906Z - 5 min.). It is 2026-01-02 03:09:06 UTC on the server: set this "
            "machine's clock");
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

TEST(SigV4, RefusesHeadersThatAreNamedTwiceOrOutOfOrder) {
  using Names = std::vector<std::string>;
  for (const auto& names : {Names{"host", "x-amz-date", "x-amz-date"}, Names{"x-amz-date", "host"},
                            Names{"host", "host"}}) {
    auto request = vector_request();
    auto signature = find_signature(request);
    ASSERT_TRUE(signature && *signature);
    (*signature)->signed_headers = names;
    request.headers.add("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD");
    const auto refused = verify_before_body(request, **signature, kSecret, at(kSigned));
    ASSERT_FALSE(refused) << testing::PrintToString(names);
    EXPECT_NE(refused.error().message().find("each named once"), std::string::npos);
  }
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
  const auto late = verify_signature(with, signature, kSecret, "", at(kSigned + 61));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().aws_type(), "InvalidSignatureException");
  EXPECT_EQ(late.error().message(),
            "Signature expired: 20260102T030405Z is now earlier than 20260102T030406Z "
            "(20260102T030506Z - 1 min.)");
}

TEST(SigV4, APresignedUrlLastsAWeekAtTheMost) {
  const auto found = [](const std::string& seconds) {
    http::Request request;
    request.method = "GET";
    request.target =
        "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20260102%2Fus-east-1%2Flambda%2F"
        "aws4_request&X-Amz-Date=20260102T030405Z&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
        "&X-Amz-Expires=" +
        seconds;
    return find_signature(request);
  };
  const auto week = found("604800");
  ASSERT_TRUE(week && *week);
  EXPECT_TRUE(check_time(**week, at(kSigned + 604'800)));
  EXPECT_FALSE(check_time(**week, at(kSigned + 604'801)));
  for (const char* seconds : {"604801", "0", "-1", "1h", "", "99999999999999999999"}) {
    const auto refused = found(seconds);
    ASSERT_FALSE(refused) << seconds;
    EXPECT_EQ(refused.error().aws_type(), "IncompleteSignatureException");
  }
}

}  // namespace
}  // namespace lambda::access
