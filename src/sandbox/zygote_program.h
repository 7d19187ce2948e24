// What a zygote is started with (native/zygotes.h), and so what a function's runtime must be
// started with for a fork to be the same: its arguments, and of its environment what is read at a
// start. lambda-spawn takes neither from lambdad, because it executes them as root.
#pragma once

#include <array>
#include <string_view>
#include <utility>

namespace lambda::sandbox {

inline constexpr std::array<const char*, 3> kZygoteArguments = {"/usr/bin/python3", "-s",
                                                                "/var/runtime/bootstrap.py"};

// Of every function in a runtime (pool/sandbox_spec.cc).
inline constexpr std::string_view kTimeZone = ":UTC";
inline constexpr std::string_view kLanguage = "en_US.UTF-8";
inline constexpr std::string_view kProgramPath =
    "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin";
inline constexpr std::string_view kLibraryPath =
    "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/"
    "lib";

inline constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kZygoteEnvironment = {
    {{"AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"},
     {"LANG", kLanguage},
     {"LD_LIBRARY_PATH", kLibraryPath},
     {"PATH", kProgramPath},
     {"TZ", kTimeZone}}};

}  // namespace lambda::sandbox
