#include "driver_host.h"

#include <algorithm>
#include <cstdlib>

namespace lambda::sandbox {

std::vector<DriverHostFactory> driver_hosts() {
  std::vector<DriverHostFactory> all;
  all.push_back({"native", make_native_host});
  all.push_back({"stem", make_stem_host});
  all.push_back({"docker", make_docker_host});
  const char* chosen = std::getenv("LAMBDA_CONTRACT_DRIVERS");
  if (chosen == nullptr) return all;
  const std::string list = "," + std::string(chosen) + ",";
  std::erase_if(all, [&list](const DriverHostFactory& factory) {
    return list.find("," + factory.name + ",") == std::string::npos;
  });
  return all;
}

}  // namespace lambda::sandbox
