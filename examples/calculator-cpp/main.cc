// Calculates. `op` is add, sub, mul or div; `a` and `b` are numbers: in the query (?a=1&b=2&op=add)
// or in the event itself. Answers {"result": 3}; 400 and {"error": ...} for what cannot be
// calculated.
#include "lambda_runtime.h"

#include <boost/json.hpp>

#include <cmath>

namespace json = boost::json;

// What the caller did wrong.
struct BadInput : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string text_of(const json::value& value) {
  return value.is_string() ? std::string(value.as_string()) : json::serialize(value);
}

double number(const json::object& values, const std::string& name) {
  const auto* value = values.if_contains(name);
  if (value == nullptr) throw BadInput(name + " is missing: call me with ?a=1&b=2&op=add");
  const auto text = lambda_runtime::trim(text_of(*value));
  char* end = nullptr;
  const double parsed = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !std::isfinite(parsed))
    throw BadInput(name + " is not a finite number: " + text);
  return parsed;
}

double calculate(double a, double b, const std::string& op) {
  if (op == "add") return a + b;
  if (op == "sub") return a - b;
  if (op == "mul") return a * b;
  if (op != "div") throw BadInput("op is " + op + ", but must be one of add, sub, mul, div");
  if (b == 0) throw BadInput("division by zero");
  return a / b;
}

json::value result_of(const json::object& values) {
  const double a = number(values, "a");
  const double b = number(values, "b");
  const auto* op = values.if_contains("op");
  const double result = calculate(a, b, op == nullptr ? "add" : text_of(*op));
  if (!std::isfinite(result)) throw BadInput("the result is too large");
  constexpr double kExact = 9007199254740992;  // 2^53: up to here a double holds every whole number
  if (result == std::trunc(result) && std::abs(result) < kExact)
    return static_cast<std::int64_t>(result);
  return result;
}

std::string answer(const std::string& text) {
  const auto event = json::parse(text);
  const auto* query = event.as_object().if_contains("queryStringParameters");
  const auto& values =
      query != nullptr && query->is_object() ? query->as_object() : event.as_object();
  try {
    return json::serialize(json::object{{"result", result_of(values)}});
  } catch (const BadInput& error) {
    const auto body = json::serialize(json::object{{"error", error.what()}});
    return json::serialize(
        json::object{{"statusCode", 400},
                     {"headers", json::object{{"Content-Type", "application/json"}}},
                     {"body", body}});
  }
}

int main() {
  return lambda_runtime::run(answer);
}
