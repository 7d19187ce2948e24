// What a back end brings to be run under the contract tests: itself, a place where its functions'
// code may lie, and eyes for what it leaves behind.
//
// To add a back end: write a DriverHost, and add its factory to driver_hosts() in driver_hosts.cc.
// LAMBDA_CONTRACT_DRIVERS=native,stem,docker chooses; by default all are run.
#pragma once

#include "sandbox/sandbox.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace lambda::sandbox {

class DriverHost {
 public:
  virtual ~DriverHost() = default;
  virtual Driver& driver() = 0;
  // An existing directory; directories made below it may be a spec's task_directory.
  virtual std::filesystem::path task_area() = 0;
  // What of sandbox `id` can still be found from outside, in words; "" for nothing.
  virtual std::string leftovers(const std::string& id) = 0;
};

struct DriverHostFactory {
  std::string name;
  std::unique_ptr<DriverHost> (*make)();
};

std::vector<DriverHostFactory> driver_hosts();

std::unique_ptr<DriverHost> make_native_host();
// The native driver again, every sandbox of which is a stem that waited.
std::unique_ptr<DriverHost> make_stem_host();
std::unique_ptr<DriverHost> make_docker_host();

}  // namespace lambda::sandbox
