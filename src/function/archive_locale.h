// The locale that libarchive reads and writes names in. For .cc files of function/.
#pragma once

#include <clocale>

namespace lambda::function {

// libarchive converts names to the thread's locale, and the C locale knows no "é".
class Utf8Locale {
 public:
  Utf8Locale() {
    // Made once and kept as long as the process: it is immutable.
    static const locale_t utf8 = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    if (utf8 != nullptr) before_ = ::uselocale(utf8);
  }
  ~Utf8Locale() {
    if (before_ != nullptr) ::uselocale(before_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  locale_t before_ = nullptr;
};

}  // namespace lambda::function
