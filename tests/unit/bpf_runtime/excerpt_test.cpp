// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/kernel_excerpt.h"

#include <bpf/btf.h>
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/bpf_runtime/prepared_elf.h"
#include "core/util/file.h"

using namespace tetragon::bpf_runtime;

namespace {

struct Types {
  btf* raw = btf__new_empty();
  ~Types() { btf__free(raw); }
  int number = btf__add_int(raw, "int", 4, BTF_INT_SIGNED);
  int inner = structure("inner", "value", number, 4);
  int other = structure("far_away", "value", number, 4);
  int pointer = btf__add_ptr(raw, other);
  int array = btf__add_array(raw, number, inner, 3);
  int outer = outer_structure();
  int named = btf__add_typedef(raw, "alias_t", outer);
  int proto = btf__add_func_proto(raw, 0);
  int function = btf__add_func(raw, "do_it", BTF_FUNC_GLOBAL, proto);

  int structure(const char* name, const char* member, int type, unsigned size) const {
    const int id = btf__add_struct(raw, name, size);
    btf__add_field(raw, member, type, 0, 0);
    return id;
  }
  int outer_structure() const {
    const int id = btf__add_struct(raw, "outer", 24);
    btf__add_field(raw, "next", pointer, 0, 0);
    btf__add_field(raw, "parts", array, 64, 0);
    return id;
  }
};

const btf_type* find(const btf* types, const char* name, unsigned kind) {
  const int id = btf__find_by_name_kind(types, name, kind);
  return id <= 0 ? nullptr : btf__type_by_id(types, static_cast<unsigned>(id));
}

}  // namespace

TEST_CASE("names without their flavors, as libbpf cuts them") {
  CHECK(essential_name("task_struct") == "task_struct");
  CHECK(essential_name("task_struct___audit") == "task_struct");
  CHECK(essential_name("a___b___c") == "a___b");
  CHECK(essential_name("a____b") == "a____b");
  CHECK(essential_name("___a") == "___a");
  CHECK(essential_name("a___") == "a___");
  CHECK(essential_name("a___b") == "a");
  CHECK(essential_name("") == "");
}

TEST_CASE("an excerpt holds what is held by value, and pointers to nothing") {
  const Types types;
  BtfDemand demand;
  demand.roots = {"alias_t"};
  demand.number = {{BTF_KIND_FUNC, "do_it"}, {BTF_KIND_STRUCT, "far_away"}};
  auto excerpt = KernelExcerpt::make(types.raw, demand, "/no/such/folder");
  REQUIRE(excerpt.ok());
  CHECK((*excerpt)->number(BTF_KIND_FUNC, "do_it").id == static_cast<unsigned>(types.function));
  CHECK((*excerpt)->number(BTF_KIND_STRUCT, "far_away").id == static_cast<unsigned>(types.other));
  btf* read = btf__parse((*excerpt)->path().c_str(), nullptr);
  REQUIRE(read != nullptr);
  CHECK(find(read, "far_away", BTF_KIND_STRUCT) == nullptr);
  CHECK(find(read, "do_it", BTF_KIND_FUNC) == nullptr);
  REQUIRE(find(read, "inner", BTF_KIND_STRUCT) != nullptr);
  const btf_type* alias = find(read, "alias_t", BTF_KIND_TYPEDEF);
  REQUIRE(alias != nullptr);
  const btf_type* outer = btf__type_by_id(read, alias->type);
  REQUIRE(btf_is_struct(outer));
  CHECK(std::string(btf__name_by_offset(read, outer->name_off)) == "outer");
  CHECK(outer->size == 24);
  REQUIRE(btf_vlen(outer) == 2);
  const btf_type* next = btf__type_by_id(read, btf_members(outer)[0].type);
  CHECK(btf_is_ptr(next));
  CHECK(next->type == 0);
  CHECK(btf_members(outer)[1].offset == 64);
  const btf_type* parts = btf__type_by_id(read, btf_members(outer)[1].type);
  REQUIRE(btf_is_array(parts));
  CHECK(btf_array(parts)->nelems == 3);
  CHECK(btf__resolve_size(read, btf_array(parts)->type) == 4);
  btf__free(read);
}

TEST_CASE("a name twice is ambiguous; one that a module may define is left to libbpf") {
  Types types;
  types.structure("far_away", "value", types.number, 4);
  BtfDemand demand;
  demand.roots = {"in_module", "nowhere", "outer"};
  demand.number = {{BTF_KIND_STRUCT, "far_away"}, {BTF_KIND_FUNC, "of_module"}};
  char folder[] = "/tmp/excerpt_XXXXXX";
  REQUIRE(::mkdtemp(folder) != nullptr);
  std::ofstream(std::string(folder) + "/module") << std::string("..\0in_module\0of_module\0", 24);
  auto excerpt = KernelExcerpt::make(types.raw, demand, folder);
  std::filesystem::remove_all(folder);
  REQUIRE(excerpt.ok());
  CHECK_FALSE((*excerpt)->number(BTF_KIND_STRUCT, "far_away").unambiguous);
  CHECK_FALSE((*excerpt)->number(BTF_KIND_FUNC, "of_module").unambiguous);
  BtfDemand part;
  part.roots = {"nowhere", "outer"};
  CHECK((*excerpt)->complete_for(part));
  CHECK_FALSE((*excerpt)->complete_for(demand));
  CHECK(part.within(demand));
  CHECK_FALSE(demand.within(part));
}

TEST_CASE("a file that is broken anywhere is left to libbpf, never read beyond its end") {
  const auto sample = tetragon::read_file(SAMPLE_OBJECT);
  REQUIRE(sample.ok());
  const auto bytes = std::as_bytes(std::span(*sample));
  CHECK(PreparedElf::read(bytes).has_value());
  for (std::size_t size = 0; size < bytes.size(); size += size < 128 ? 1 : 17) {
    (void)PreparedElf::read(bytes.first(size));
  }
  std::vector<std::byte> broken(bytes.begin(), bytes.end());
  const Types types;
  auto excerpt = KernelExcerpt::make(types.raw, {}, "/no/such/folder");
  REQUIRE(excerpt.ok());
  for (std::size_t at = 0; at < broken.size(); ++at) {
    const std::byte old = broken[at];
    for (const std::byte other : {std::byte{0xff}, std::byte{0}, old ^ std::byte{0x10}}) {
      broken[at] = other;
      if (auto prepared = PreparedElf::read(broken)) (void)prepared->resolve(**excerpt);
    }
    broken[at] = old;
  }
}
