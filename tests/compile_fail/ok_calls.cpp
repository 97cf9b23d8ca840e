#include <cairn/all.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

struct OkPoint {
  int x;
  int y;
};
struct OkOrder {
  int id;
  OkPoint at;
};
enum class OkSide { buy, sell };
template <>
struct cairn::EnumNames<OkSide> {
  static constexpr std::array names{cairn::EnumName{OkSide::buy, "Buy"}, cairn::EnumName{OkSide::sell, "Sell"}};
};

void calls(const cairn::Logger& log, const std::string& user, const OkOrder& order, const std::exception& e);
void calls(const cairn::Logger& log, const std::string& user, const OkOrder& order, const std::exception& e) {
  using namespace std::chrono_literals;
  const double ms = 1.5;
  log.information("nothing");
  log.information("{{braces}} }} }");
  log.information("{User} {Ms:.1f} {Id:05d} {Id2,-8:x}", user, ms, order.id, 7U);
  log.information("{1} {0} {1}", user, ms);
  log.information("{@Order} {$At}", order, order.at);
  log.information("{Side:u} {Flag:B} {C:c} {Pointer:p}", OkSide::buy, true, 'c', static_cast<const void*>(&log));
  log.information("{When:%H:%M:%S} {Took:%Q%q} {Took2}", std::chrono::system_clock::now(), 5ms, 7us);
  log.information("{List:03d} {Names:u} {Map} {Maybe:.2f}", std::vector<int>{1}, std::vector<std::string>{"a"},
                  std::map<std::string, int>{}, std::optional<double>());
  log.information("{user.name} {Größe} {Password}", user, 1, cairn::secret(user));
  std::string token = "t";
  log.information("{Token} {Other}", cairn::secret(token), cairn::secret("literal"));
  log.information("{Token:*>10} {$Other,8}", cairn::secret(token), cairn::secret(order));
  log.error(e, "failed {User}", user);
  log.error(std::current_exception(), "failed {User}", user);
  log.information(cairn::dynamic_template(user), 1, 2);
  CAIRN_INFORMATION(log, "nothing");
  CAIRN_WARNING(log, "Slow {} took {Elapsed:.1f} ms", order.id, ms);
  CAIRN_ERROR(log, e, "Could not ship {OrderId} of {}", order.id, user);
  CAIRN_INFORMATION(log, "{@Order} {}", order, order.at.x);
  CAIRN_INFORMATION(log, "{Count} {Pair}", 3, (std::pair<int, int>{1, 2}));
  (void)cairn::render("{User}", user).text;
}
