// What a fragment of a page may take for granted: the whole library, and the usual of the standard one.
#pragma once

#if __has_include(<cairn/all.hpp>)
#include <cairn/all.hpp>
#else
#include <cairn/level.hpp>
#endif

#include <chrono>
#include <deque>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
