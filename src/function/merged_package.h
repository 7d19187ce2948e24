// A package with more in it: an uploaded zip and what was installed beside it (a tar), as one zip.
// The same two give the same zip, byte for byte: entries in their order, without times. Blocking;
// any thread.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "function/package_store.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::function {

struct MergedPackage {
  Package package;
  // Names at the root of what was installed of which the uploaded files were taken instead.
  std::vector<std::string> kept_own;
};

// Where both have a file of one name the uploaded one counts. `left_out`: a folder of the upload
// that does not come along, because the installed one takes its place whole ("node_modules"); or
// "". `digest`: a package of the store. `tar`: a seekable descriptor; its position is moved.
// Errors: invalid (a tar that cannot be read, a device in it), and all those of PackageUpload: the
// result is checked as any upload is.
Result<MergedPackage> merge_package(PackageStore& store, std::string_view digest,
                                    std::string_view left_out, int tar);

}  // namespace lambda::function
