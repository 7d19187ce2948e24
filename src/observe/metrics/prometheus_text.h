// The metrics as Prometheus reads them: text exposition format 0.0.4. docs/metrics.md has every
// name; what a name means does not change. Any thread; takes 0.3 s for 10,000
// functions.
#pragma once

#include "observe/metrics/scene.h"

#include <string>
#include <string_view>

namespace lambda::observe {

inline constexpr std::string_view kPrometheusContentType =
    "text/plain; version=0.0.4; charset=utf-8";

[[nodiscard]] std::string prometheus_text(const Scene& scene);

}  // namespace lambda::observe
