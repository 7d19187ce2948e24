#include "deploy/image_code.h"

#include "base/crypto.h"
#include "base/encoding.h"

#include <boost/json.hpp>

namespace lambda::deploy {
namespace {

namespace json = boost::json;

json::array strings(const std::vector<std::string>& items) {
  return json::array(items.begin(), items.end());
}

// See function::Code::image_info.
std::string describe_image(const sandbox::ImageInfo& image) {
  json::object environment;
  for (const auto& [name, value] : image.environment) environment[name] = value;
  json::object info;
  info["entryPoint"] = strings(image.entry_point);
  info["command"] = strings(image.command);
  info["environment"] = std::move(environment);
  info["workingDirectory"] = image.working_directory;
  info["exposedPorts"] = json::array(image.exposed_ports.begin(), image.exposed_ports.end());
  return json::serialize(info);
}

}  // namespace

function::Code code_of_image(std::string uri, const sandbox::ImageInfo& image) {
  function::Code code;
  code.image_uri = std::move(uri);
  code.image_id = image.id;
  code.size = image.size;
  code.image_info = describe_image(image);
  const std::string_view hex = std::string_view(image.id).substr(image.id.find(':') + 1);
  const auto digest = hex_decode(hex);
  code.sha256 = base64_encode(digest ? *digest : sha256(image.id));
  return code;
}

}  // namespace lambda::deploy
