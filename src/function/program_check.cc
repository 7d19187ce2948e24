#include "function/program_check.h"

#include "function/validation.h"

#include <array>
#include <cstdint>
#include <elf.h>
#include <optional>

namespace lambda::function {
namespace {

constexpr std::string_view kBootstrap = "bootstrap";

std::uint32_t little32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i > 0; --i) {
    value = value << 8 | static_cast<unsigned char>(bytes[at + i - 1]);
  }
  return value;
}

std::uint16_t little16(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) |
                                    static_cast<unsigned char>(bytes[at + 1]) << 8);
}

std::string_view mach_cpu(std::uint32_t type) {
  constexpr std::uint32_t x86_64 = 0x01000007;
  constexpr std::uint32_t arm64 = 0x0100000C;
  if (type == x86_64) return "Mach-O x86_64";
  if (type == arm64) return "Mach-O arm64";
  return "Mach-O";
}

std::string elf_machine(std::uint16_t machine, bool is_64_bit) {
  switch (machine) {
    case EM_X86_64:
      return is_64_bit ? "x86_64" : "x32";
    case EM_AARCH64:
      return "arm64";
    case EM_386:
      return "32-bit x86";
    case EM_ARM:
      return "32-bit arm";
    case EM_RISCV:
      return "riscv";
    case EM_PPC64:
      return "ppc64";
    case EM_S390:
      return "s390x";
    default:
      return fmt::format("machine {}", machine);
  }
}

// Where the file would run, or nothing when that is here (or it is no program at all).
std::optional<std::string> foreign_target(std::string_view head) {
  constexpr std::uint32_t mach_64 = 0xFEEDFACF;
  constexpr std::uint32_t mach_32 = 0xFEEDFACE;
  constexpr std::uint32_t mach_universal = 0xBEBAFECA;  // CA FE BA BE
  if (head.size() >= 8) {
    const auto magic = little32(head, 0);
    if (magic == mach_64 || magic == mach_32) {
      return fmt::format("macOS ({})", mach_cpu(little32(head, 4)));
    }
    if (magic == mach_universal) return "macOS (Mach-O universal)";
  }
  if (head.starts_with("MZ")) return "Windows (PE)";
  if (head.size() < 20 || !head.starts_with(ELFMAG)) return std::nullopt;
  const bool is_64_bit = head[EI_CLASS] == ELFCLASS64;
  const bool is_little = head[EI_DATA] == ELFDATA2LSB;
  const auto swapped = [](std::uint16_t value) {
    return static_cast<std::uint16_t>(value >> 8 | value << 8);
  };
  const auto stored = little16(head, 18);
  const auto machine = elf_machine(is_little ? stored : swapped(stored), is_64_bit);
  if (is_64_bit && is_little && machine == host_architecture()) return std::nullopt;
  return fmt::format("{}{} (ELF)", is_little ? "" : "big-endian ", machine);
}

std::string remedy(std::string_view path) {
  const auto here = host_architecture();
  if (path.ends_with(".node")) {
    return fmt::format("run `npm ci` on Linux {}, for example in a container, and deploy again",
                       here);
  }
  if (path == kBootstrap) {
    return fmt::format("rebuild it on Linux {}, for example in a Debian 12 container", here);
  }
  return fmt::format(
      "rebuild it on Linux {}; for Python packages: `pip install --platform manylinux2014_{} "
      "--only-binary=:all: --target . PACKAGE`",
      here, here == "arm64" ? "aarch64" : here);
}

// "#!/bin/sh\r": the kernel looks for an interpreter whose name ends in a carriage return.
bool has_windows_shebang(std::string_view head) {
  if (!head.starts_with("#!")) return false;
  const auto line = head.substr(0, head.find('\n'));
  return line.size() < head.size() && line.ends_with('\r');
}

}  // namespace

bool is_program_path(std::string_view path) {
  if (path == kBootstrap) return true;
  if (path.starts_with("prebuilds/") || path.find("/prebuilds/") != std::string_view::npos) {
    return false;
  }
  const auto name = path.substr(path.rfind('/') + 1);
  if (name.ends_with(".so") || name.ends_with(".node")) return true;
  // libfoo.so.1.2
  const auto so = name.rfind(".so.");
  return so != std::string_view::npos && so + 4 < name.size() &&
         name.find_first_not_of("0123456789.", so + 4) == std::string_view::npos;
}

Result<Done> check_program(std::string_view path, std::string_view head) {
  if (const auto target = foreign_target(head)) {
    return fail(ErrorCode::invalid, "{} is built for {}, and this server runs Linux {}: {}", path,
                *target, host_architecture(), remedy(path));
  }
  if (path == kBootstrap && has_windows_shebang(head)) {
    return fail(ErrorCode::invalid,
                "{} has Windows line endings, so its first line names no program: convert it with "
                "`sed -i 's/\\r$//' {}` and deploy again",
                path, path);
  }
  return Done{};
}

}  // namespace lambda::function
