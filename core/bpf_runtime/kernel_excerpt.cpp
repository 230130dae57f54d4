// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/kernel_excerpt.h"

#include <bpf/btf.h>
#include <dirent.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/util/file.h"
#include "core/util/strings.h"

namespace tetragon::bpf_runtime {

namespace {

bool can_be_root(const btf_type* type) {
  switch (btf_kind(type)) {
    case BTF_KIND_INT:
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
    case BTF_KIND_ENUM:
    case BTF_KIND_ENUM64:
    case BTF_KIND_FWD:
    case BTF_KIND_TYPEDEF:
    case BTF_KIND_FLOAT: return true;
    default: return false;
  }
}

// Copies types and what they hold by value.
class Copy {
 public:
  explicit Copy(const ::btf* from) : from_(from), to_(btf__new_empty()) {
    if (to_ != nullptr) pointer_ = btf__add_ptr(to_, 0);
  }
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;
  ~Copy() { btf__free(to_); }

  bool take(std::uint32_t root) {
    if (to_ == nullptr || pointer_ < 0) return false;
    pull(root);
    for (; next_ < queue_.size() && good_; ++next_) {
      references(queue_[next_]);
    }
    return good_;
  }
  const ::btf* result() const { return to_; }

 private:
  std::uint32_t pull(std::uint32_t id) {
    if (id == 0) return 0;
    if (const auto known = ids_.find(id); known != ids_.end()) return known->second;
    const btf_type* type = btf__type_by_id(from_, id);
    if (type == nullptr) {
      good_ = false;
      return 0;
    }
    std::uint32_t copy = 0;
    switch (btf_kind(type)) {
      case BTF_KIND_PTR: copy = static_cast<std::uint32_t>(pointer_); break;
      // Nothing holds these by value.
      case BTF_KIND_FUNC:
      case BTF_KIND_FUNC_PROTO:
      case BTF_KIND_VAR:
      case BTF_KIND_DATASEC:
      case BTF_KIND_DECL_TAG: break;
      default: {
        const int made = btf__add_type(to_, from_, type);
        good_ = good_ && made > 0;
        copy = static_cast<std::uint32_t>(std::max(made, 0));
        queue_.push_back(copy);
      }
    }
    ids_.emplace(id, copy);
    return copy;
  }

  // Adding types moves all of them: look the type up again after every pull.
  void references(std::uint32_t id) {
    const auto type = [&] { return const_cast<btf_type*>(btf__type_by_id(to_, id)); };
    switch (btf_kind(type())) {
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION:
        for (int n = 0; n < btf_vlen(type()); ++n) {
          const std::uint32_t member = pull(btf_members(type())[n].type);
          btf_members(type())[n].type = member;
        }
        break;
      case BTF_KIND_ARRAY: {
        const std::uint32_t element = pull(btf_array(type())->type);
        btf_array(type())->type = element;
        const std::uint32_t index = pull(btf_array(type())->index_type);
        btf_array(type())->index_type = index;
        break;
      }
      case BTF_KIND_TYPEDEF:
      case BTF_KIND_CONST:
      case BTF_KIND_VOLATILE:
      case BTF_KIND_RESTRICT:
      case BTF_KIND_TYPE_TAG: {
        const std::uint32_t target = pull(type()->type);
        type()->type = target;
        break;
      }
      default: break;
    }
  }

  const ::btf* from_;
  ::btf* to_;
  int pointer_ = -1;
  bool good_ = true;
  std::unordered_map<std::uint32_t, std::uint32_t> ids_;
  std::vector<std::uint32_t> queue_;
  std::size_t next_ = 0;
};

// Text sections hold every name once, between zero bytes. A module's BTF shares the kernel's names.
bool holds_name(std::string_view bytes, const std::string& name) {
  return bytes.find('\0' + name + '\0') != std::string_view::npos;
}

// Names of `missing` that a module may define.
std::set<std::string, std::less<>> perhaps_in_modules(const ::btf* kernel, const std::set<std::string>& missing,
                                                      const std::string& folder) {
  std::set<std::string, std::less<>> found;
  if (missing.empty()) return found;
  std::vector<std::string> files;
  if (DIR* dir = ::opendir(folder.c_str())) {
    while (const dirent* entry = ::readdir(dir)) {
      if (entry->d_name[0] != '.' && std::strcmp(entry->d_name, "vmlinux") != 0) {
        files.push_back(folder + "/" + entry->d_name);
      }
    }
    ::closedir(dir);
  }
  if (files.empty()) return found;
  __u32 size = 0;
  const void* raw = btf__raw_data(kernel, &size);
  const std::string_view all(static_cast<const char*>(raw), raw == nullptr ? 0 : size);
  for (const std::string& name : missing) {
    if (raw == nullptr || holds_name(all, name)) found.insert(name);
  }
  for (const std::string& file : files) {
    const auto bytes = read_file(file);
    for (const std::string& name : missing) {
      if (!bytes.ok() || holds_name(*bytes, name)) found.insert(name);
    }
  }
  return found;
}

Result<UniqueFd> file_of(const void* data, std::size_t size) {
  UniqueFd file(::memfd_create("tetragon-btf", MFD_CLOEXEC));
  if (!file) return errno_error("make a file in memory for BTF", errno);
  const auto* at = static_cast<const char*>(data);
  for (std::size_t left = size; left > 0;) {
    const ssize_t wrote = ::write(file.get(), at, left);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return errno_error("write BTF to a file in memory", errno);
    at += wrote;
    left -= static_cast<std::size_t>(wrote);
  }
  return file;
}

}  // namespace

std::string_view essential_name(std::string_view name) {
  // As libbpf: three underscores between two other characters, the last such place.
  for (std::size_t at = name.size() < 5 ? 0 : name.size() - 5; at + 5 <= name.size(); --at) {
    if (name[at] != '_' && name.substr(at + 1, 3) == "___" && name[at + 4] != '_') return name.substr(0, at + 1);
    if (at == 0) break;
  }
  return name;
}

bool BtfDemand::within(const BtfDemand& other) const {
  return std::includes(other.roots.begin(), other.roots.end(), roots.begin(), roots.end()) &&
         std::includes(other.number.begin(), other.number.end(), number.begin(), number.end());
}

void BtfDemand::add(const BtfDemand& other) {
  roots.insert(other.roots.begin(), other.roots.end());
  number.insert(other.number.begin(), other.number.end());
}

Result<std::shared_ptr<const KernelExcerpt>> KernelExcerpt::make(const ::btf* kernel, BtfDemand demand,
                                                                 const std::string& modules) {
  auto excerpt = std::shared_ptr<KernelExcerpt>(new KernelExcerpt);
  std::unordered_set<std::string_view> wanted(demand.roots.begin(), demand.roots.end());
  for (const auto& [kind, name] : demand.number) {
    excerpt->numbers_[{kind, name}] = {};
    wanted.insert(name);
  }
  // Most names are no candidate: their first bytes and length tell before anything is hashed.
  std::array<std::uint64_t, 256> lengths{};
  for (const std::string_view name : wanted) {
    lengths[static_cast<unsigned char>(name[0])] |= std::uint64_t{1} << std::min<std::size_t>(name.size(), 63);
  }
  std::set<std::string> missing(demand.roots.begin(), demand.roots.end());
  Copy copy(kernel);
  const __u32 count = btf__type_cnt(kernel);
  for (__u32 id = 1; id < count; ++id) {
    const btf_type* type = btf__type_by_id(kernel, id);
    const bool root = can_be_root(type);
    if ((!root && !btf_is_func(type)) || type->name_off == 0) continue;
    const std::string_view full = btf__name_by_offset(kernel, type->name_off);
    const std::string_view name = root ? essential_name(full) : full;
    if (name.empty() ||
        (lengths[static_cast<unsigned char>(name[0])] >> std::min<std::size_t>(name.size(), 63) & 1) == 0 ||
        !wanted.contains(name)) {
      continue;
    }
    if (const auto number = excerpt->numbers_.find(std::pair(std::uint32_t{btf_kind(type)}, std::string(name)));
        number != excerpt->numbers_.end()) {
      // Of functions libbpf takes the first.
      if (number->second.id == 0) {
        number->second.id = id;
      } else if (root) {
        number->second.unambiguous = false;
      }
    }
    if (root && demand.roots.contains(name)) {
      if (!copy.take(id)) return Error(Code::invalid, "the kernel's BTF cannot be cut down at type " + quoted(name));
      missing.erase(std::string(name));
    }
  }
  for (const auto& [key, number] : excerpt->numbers_) {
    if (number.id == 0) missing.insert(key.second);
  }
  excerpt->elsewhere_ = perhaps_in_modules(kernel, missing, modules);
  for (auto& [key, number] : excerpt->numbers_) {
    if (number.id == 0 && excerpt->elsewhere_.contains(key.second)) number.unambiguous = false;
  }
  __u32 size = 0;
  const void* raw = btf__raw_data(copy.result(), &size);
  if (raw == nullptr) return errno_error("cut down the kernel's BTF", errno);
  auto file = file_of(raw, size);
  TETRAGON_TRY(file);
  excerpt->file_ = std::move(file).value();
  excerpt->size_ = size;
  excerpt->demand_ = std::move(demand);
  return std::shared_ptr<const KernelExcerpt>(std::move(excerpt));
}

std::string KernelExcerpt::path() const {
  return "/proc/self/fd/" + std::to_string(file_.get());
}

KernelExcerpt::Number KernelExcerpt::number(std::uint32_t kind, std::string_view name) const {
  const auto found = numbers_.find(std::pair(kind, std::string(name)));
  return found == numbers_.end() ? Number{0, false} : found->second;
}

bool KernelExcerpt::complete_for(const BtfDemand& demand) const {
  return std::none_of(demand.roots.begin(), demand.roots.end(),
                      [&](const std::string& root) { return elsewhere_.contains(root); });
}

}  // namespace tetragon::bpf_runtime
