#include "api/code_request.h"

#include "base/encoding.h"

#include <memory>

namespace lambda::api {
namespace {

namespace json = boost::json;

Result<function::Package> store_zip(function::PackageStore& packages, const std::string& zip) {
  auto upload = packages.begin_upload();
  if (!upload) return fail(std::move(upload.error()));
  auto appended = (*upload)->append(zip);
  if (!appended) return fail(std::move(appended.error()));
  return (*upload)->finish();
}

Task<Result<TakenCode>> take_zip(Services& services, std::string text, std::string_view operation) {
  auto work = [&packages = services.packages, text = std::move(text),
               operation]() -> Result<function::Package> {
    auto zip = base64_decode(text);
    if (!zip)
      return fail(Error(ErrorCode::invalid, "ZipFile is not base64")
                      .with_aws_type("SerializationException"));
    if (zip->size() > kMaxZipBytes) {
      return fail(
          Error(
              ErrorCode::too_large,
              fmt::format("Zipped size must be smaller than {} bytes for the {} operation; `lambda "
                          "deploy` takes packages of up to 250 MB unpacked",
                          kMaxZipBytes, operation))
              .with_aws_type("RequestEntityTooLargeException"));
    }
    return store_zip(packages, *zip);
  };
  auto package = co_await run_blocking(services.disk, std::move(work));
  if (!package) {
    if (package.error().code() == ErrorCode::invalid && package.error().aws_type().empty()) {
      // AWS's sentence stands before every reason; the package store has said it where it is the
      // zip itself.
      constexpr std::string_view kSentence =
          "Could not unzip uploaded file. Please check your file, then try to upload again";
      if (package.error().message().starts_with(kSentence))
        co_return fail(std::move(package.error()));
      co_return fail(std::move(package.error()), "{}", kSentence);
    }
    co_return fail(std::move(package.error()));
  }
  TakenCode taken;
  taken.code.sha256 = package->sha256_base64;
  taken.code.size = package->size;
  taken.code.package_digest = package->digest;
  co_return taken;
}

}  // namespace

Task<Result<TakenCode>> take_code(Services& services, const Exchange& exchange,
                                  const json::object& members,
                                  const function::Configuration& settings) {
  if (members.contains("S3Bucket") || members.contains("S3Key")) {
    co_return fail(ErrorCode::invalid,
                   "this server has no S3: send the code itself as ZipFile (aws: --zip-file "
                   "fileb://code.zip), or use `lambda deploy`");
  }
  auto image = text_member(members, "ImageUri");
  if (!image) co_return fail(std::move(image.error()));
  auto zip = text_member(members, "ZipFile");
  if (!zip) co_return fail(std::move(zip.error()));
  if (*image && *zip)
    co_return fail(
        ErrorCode::invalid,
        "Please do not provide other FunctionCode parameters when providing an ImageUri.");
  if (*image) {
    if (auto may = exchange.authorize_image(); !may) co_return fail(std::move(may.error()));
    auto reference = **image;
    const auto driver = settings.driver.value_or(services.standard_driver);
    co_return co_await services.resolve_image(std::move(reference), driver);
  }
  if (!*zip) co_return fail(ErrorCode::invalid, "Please provide a source for function code.");
  co_return co_await take_zip(services, std::move(**zip), exchange.rule.operation());
}

}  // namespace lambda::api
