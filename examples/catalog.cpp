// Prints every event this program may log, without logging one of them.
#include <cairn/all.hpp>
#include <cairn/catalog.hpp>

#include <cstdio>

namespace {

void ship(const cairn::Logger& log, int order_id, double minutes) {
  CAIRN_INFORMATION(log, "Shipped {OrderId} after {Minutes:.0f} minutes", order_id, minutes);
  if (minutes > 60) CAIRN_WARNING(log, "Slow: {OrderId} took {Minutes:.0f} minutes", order_id, minutes);
}

}  // namespace

int main(int count, char**) {
  if (count > 1) ship(cairn::log(), 7, 90);
  const auto events = cairn::catalog();
  for (const cairn::CatalogEvent& event : events) std::puts(to_text(event).c_str());
  return events.size() == 2 ? 0 : 1;
}
