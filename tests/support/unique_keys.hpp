// What a JSON parser takes in silence: a key that an object has twice.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace cairn::testing {

/// Refuses a key that comes twice in its object.
class UniqueKeys : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::string fault;
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    objects_.emplace_back();
    return true;
  }
  bool key(string_t& name) override {
    if (!objects_.back().insert(name).second) fault = "a key twice: " + name;
    return fault.empty();
  }
  bool end_object() override {
    objects_.pop_back();
    return true;
  }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& e) override {
    fault = e.what();
    return false;
  }

 private:
  std::vector<std::set<std::string>> objects_;
};

}  // namespace cairn::testing
