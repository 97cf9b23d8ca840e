// A thread's id is captured in one way, whatever header of types came first.
#include <cairn/types/ostream.hpp>

#include <cairn/logger.hpp>

static_assert(cairn::detail::category_of<std::thread::id> == cairn::detail::Category::custom);
static_assert(!cairn::detail::is_dual<std::thread::id>);

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) { log.information("{Thread}", std::this_thread::get_id()); }
