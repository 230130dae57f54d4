// SPDX-License-Identifier: Apache-2.0
#include "core/process/data_store.h"

#include <doctest/doctest.h>

#include <string>

using namespace tetragon::process;

namespace {

void add(DataStore& store, uint64_t id, const std::string& piece) {
  tetragon_data data{};
  data.struct_size = sizeof(data);
  data.id = id;
  data.piece = {piece.data(), piece.size()};
  store.add(data);
}

}  // namespace

TEST_CASE("pieces are joined in their order and taken once") {
  DataStore store(10);
  add(store, 1, "ab");
  add(store, 2, "x");
  add(store, 1, "cd");
  CHECK(store.size() == 2);
  CHECK(store.take(1) == "abcd");
  CHECK(store.take(1).empty());
  CHECK(store.take(2) == "x");
  CHECK(store.size() == 0);
  CHECK(store.stats().received == 3);
  CHECK(store.stats().added == 2);
  CHECK(store.stats().appended == 1);
  CHECK(store.stats().matched == 2);
  CHECK(store.stats().not_matched == 1);
}

TEST_CASE("senseless pieces are counted and dropped") {
  DataStore store(10, 100);
  add(store, 0, "x");
  add(store, 5, std::string(101, 'x'));
  CHECK(store.size() == 0);
  CHECK(store.stats().bad == 2);
}

TEST_CASE("an empty piece is a piece") {
  DataStore store(10);
  tetragon_data data{};
  data.id = 3;
  store.add(data);
  CHECK(store.size() == 1);
  CHECK(store.take(3).empty());
  CHECK(store.stats().matched == 1);
}

TEST_CASE("too many entries: the oldest goes") {
  DataStore store(2);
  add(store, 1, "a");
  add(store, 2, "b");
  add(store, 3, "c");
  CHECK(store.size() == 2);
  CHECK(store.capacity() == 2);
  CHECK(store.stats().evicted == 1);
  CHECK(store.take(1).empty());
  CHECK(store.take(2) == "b");
  CHECK(store.take(3) == "c");
}

TEST_CASE("too many bytes: the oldest go, and bytes taken are free again") {
  DataStore store(100, 10);
  add(store, 1, "aaaa");
  add(store, 2, "bbbb");
  add(store, 3, "cccc");
  CHECK(store.take(1).empty());
  CHECK(store.take(2) == "bbbb");
  add(store, 4, "dddd");
  CHECK(store.take(3) == "cccc");
  CHECK(store.take(4) == "dddd");
  CHECK(store.stats().evicted == 1);
}

TEST_CASE("one id that never ends cannot grow beyond the bound") {
  DataStore store(100, 10);
  for (int i = 0; i < 100; ++i) add(store, 7, "abc");
  CHECK(store.size() <= 1);
  CHECK(store.take(7).size() <= 10);
}
