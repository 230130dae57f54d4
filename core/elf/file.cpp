// SPDX-License-Identifier: Apache-2.0
#include "core/elf/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/util/file.h"
#include "core/util/strings.h"

namespace tetragon::elf {
namespace {

constexpr uint32_t kLoad = 1, kNote = 4;           // program header types
constexpr uint32_t kSectionNote = 7, kNobits = 8;  // section types
constexpr uint32_t kGnuBuildId = 3;
constexpr uint16_t kExecutable = 2, kShared = 3;
// More than any linker makes; keeps hostile files from costing memory.
constexpr uint64_t kMaxHeaders = 1 << 16;
constexpr uint64_t kMaxRead = uint64_t{1} << 30;
constexpr uint64_t kMaxNotes = 1 << 20;

std::string_view type_name(uint16_t type) {
  switch (type) {
    case 1: return "an object file (.o)";
    case 4: return "a core dump";
    default: return "of an unknown type";
  }
}

bool contains(uint64_t begin, uint64_t size, uint64_t at) noexcept {
  return at >= begin && at - begin < size;
}

}  // namespace

std::string hex(uint64_t number) {
  char text[19];
  char* end = text + sizeof(text);
  char* at = end;
  do {
    *--at = "0123456789abcdef"[number & 15];
    number >>= 4;
  } while (number != 0);
  *--at = 'x';
  *--at = '0';
  return {at, end};
}

std::string_view to_string(Machine machine) noexcept {
  switch (machine) {
    case Machine::i386: return "i386";
    case Machine::x86_64: return "x86_64";
    case Machine::arm: return "arm";
    case Machine::aarch64: return "aarch64";
    case Machine::other: break;
  }
  return "another machine";
}

Machine native_machine() noexcept {
#if defined(__x86_64__)
  return Machine::x86_64;
#elif defined(__aarch64__)
  return Machine::aarch64;
#else
  return Machine::other;
#endif
}

std::string_view text_at(std::string_view bytes, uint64_t at) noexcept {
  if (at >= bytes.size()) return {};
  bytes.remove_prefix(at);
  return bytes.substr(0, bytes.find('\0'));
}

Result<ElfFile> ElfFile::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return file_error("open " + quoted(path), errno);
  return from_fd(std::move(fd), path);
}

Result<ElfFile> ElfFile::from_fd(UniqueFd fd, std::string name) {
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return file_error("look at " + quoted(name), errno);
  if (!S_ISREG(st.st_mode)) return Error(Code::invalid, quoted(name) + " is not a regular file");
  ElfFile file;
  file.name_ = std::move(name);
  file.fd_ = std::move(fd);
  file.size_ = static_cast<uint64_t>(st.st_size);
  if (auto parsed = file.parse(); !parsed) return std::move(parsed).error().with_context(quoted(file.name_));
  return file;
}

Result<ElfFile> ElfFile::from_memory(std::string bytes, std::string name) {
  ElfFile file;
  file.name_ = std::move(name);
  file.size_ = bytes.size();
  file.memory_ = std::move(bytes);
  if (auto parsed = file.parse(); !parsed) return std::move(parsed).error().with_context(quoted(file.name_));
  return file;
}

Result<std::string> ElfFile::read(uint64_t offset, uint64_t size) const {
  if (offset > size_ || size > size_ - offset) {
    return Error(Code::invalid,
                 "bytes " + hex(offset) + " + " + hex(size) + " lie beyond the end of the file (" + hex(size_) + ")");
  }
  if (size > kMaxRead) return Error(Code::limit, "a part of " + hex(size) + " bytes is more than is read at once");
  if (!fd_) return memory_.substr(offset, size);
  std::string bytes(size, '\0');
  uint64_t used = 0;
  while (used < size) {
    const ssize_t n = ::pread(fd_.get(), bytes.data() + used, size - used, static_cast<off_t>(offset + used));
    if (n < 0) {
      if (errno == EINTR) continue;
      return file_error("read", errno);
    }
    if (n == 0) return Error(Code::invalid, "the file became shorter while it was read");
    used += static_cast<uint64_t>(n);
  }
  return bytes;
}

Result<void> ElfFile::parse() {
  auto head = read(0, size_ < 64 ? size_ : 64);
  if (!head) return std::move(head).error();
  const std::string_view bytes = *head;
  if (bytes.size() < 52 || bytes.substr(0, 4) != "\177ELF") return Error(Code::invalid, "not an ELF file");
  if (bytes[4] != 1 && bytes[4] != 2) return Error(Code::invalid, "neither a 32-bit nor a 64-bit ELF file");
  if (bytes[5] != 1)
    return Error(Code::unsupported, "a big-endian ELF file; only little-endian machines are supported");
  is_64_ = bytes[4] == 2;
  if (is_64_ && bytes.size() < 64) return Error(Code::invalid, "the ELF header is cut");
  const auto type = number_at<uint16_t>(bytes, 16);
  if (type != kExecutable && type != kShared)
    return Error(Code::invalid, "neither a program nor a shared library, but " + std::string(type_name(type)));
  shared_ = type == kShared;
  machine_number_ = number_at<uint16_t>(bytes, 18);
  switch (machine_number_) {
    case 3: machine_ = Machine::i386; break;
    case 40: machine_ = Machine::arm; break;
    case 62: machine_ = Machine::x86_64; break;
    case 183: machine_ = Machine::aarch64; break;
    default: break;
  }

  const uint64_t program_at = is_64_ ? number_at<uint64_t>(bytes, 32) : number_at<uint32_t>(bytes, 28);
  const uint64_t section_at = is_64_ ? number_at<uint64_t>(bytes, 40) : number_at<uint32_t>(bytes, 32);
  const uint64_t base = is_64_ ? 54 : 42;
  const auto program_entry = number_at<uint16_t>(bytes, base);
  const auto program_count = number_at<uint16_t>(bytes, base + 2);
  const auto section_entry = number_at<uint16_t>(bytes, base + 4);
  const auto section_count = number_at<uint16_t>(bytes, base + 6);
  const auto section_names = number_at<uint16_t>(bytes, base + 8);

  if (program_count != 0) {
    if (program_entry < (is_64_ ? 56 : 32)) return Error(Code::invalid, "program headers are too small");
    auto table = read(program_at, uint64_t{program_count} * program_entry);
    if (!table) return std::move(table).error().with_context("program headers");
    for (uint64_t i = 0; i < program_count; ++i) {
      const uint64_t at = i * program_entry;
      const auto kind = number_at<uint32_t>(*table, at);
      if (kind != kLoad && kind != kNote) continue;
      Segment segment;
      const auto flags = number_at<uint32_t>(*table, at + (is_64_ ? 4 : 24));
      segment.executable = (flags & 1) != 0;
      segment.writable = (flags & 2) != 0;
      segment.offset = is_64_ ? number_at<uint64_t>(*table, at + 8) : number_at<uint32_t>(*table, at + 4);
      segment.address = is_64_ ? number_at<uint64_t>(*table, at + 16) : number_at<uint32_t>(*table, at + 8);
      segment.file_size = is_64_ ? number_at<uint64_t>(*table, at + 32) : number_at<uint32_t>(*table, at + 16);
      segment.memory_size = is_64_ ? number_at<uint64_t>(*table, at + 40) : number_at<uint32_t>(*table, at + 20);
      // Bytes that the file does not have cannot be hooked.
      if (segment.offset > size_) continue;
      if (segment.file_size > size_ - segment.offset) segment.file_size = size_ - segment.offset;
      (kind == kLoad ? segments_ : notes_).push_back(segment);
    }
  }
  if (section_at == 0 || section_at >= size_) return {};  // no section table: stripped to the bone, still a program
  if (section_entry < (is_64_ ? 64 : 40)) return Error(Code::invalid, "section headers are too small");
  uint64_t count = section_count;
  uint32_t names = section_names;
  // Both have another place when they do not fit.
  if (count == 0 || names == 0xffff) {
    auto first = read(section_at, section_entry);
    if (!first) return std::move(first).error().with_context("section headers");
    if (count == 0) count = is_64_ ? number_at<uint64_t>(*first, 32) : number_at<uint32_t>(*first, 20);
    if (names == 0xffff) names = number_at<uint32_t>(*first, is_64_ ? 40 : 24);
  }
  if (count > kMaxHeaders) return Error(Code::limit, std::to_string(count) + " sections; more than any linker makes");
  return parse_sections(section_at, count, names, section_entry);
}

Result<void> ElfFile::parse_sections(uint64_t offset, uint64_t count, uint32_t names, uint16_t entry_size) {
  auto table = read(offset, count * entry_size);
  if (!table) return {};  // a cut table is as good as none
  std::vector<uint32_t> name_at;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t at = i * entry_size;
    Section section;
    name_at.push_back(number_at<uint32_t>(*table, at));
    section.type = number_at<uint32_t>(*table, at + 4);
    if (is_64_) {
      section.flags = number_at<uint64_t>(*table, at + 8);
      section.address = number_at<uint64_t>(*table, at + 16);
      section.offset = number_at<uint64_t>(*table, at + 24);
      section.size = number_at<uint64_t>(*table, at + 32);
      section.link = number_at<uint32_t>(*table, at + 40);
      section.entry_size = number_at<uint64_t>(*table, at + 56);
    } else {
      section.flags = number_at<uint32_t>(*table, at + 8);
      section.address = number_at<uint32_t>(*table, at + 12);
      section.offset = number_at<uint32_t>(*table, at + 16);
      section.size = number_at<uint32_t>(*table, at + 20);
      section.link = number_at<uint32_t>(*table, at + 24);
      section.entry_size = number_at<uint32_t>(*table, at + 36);
    }
    if (section.type == kNobits) section.size = 0;
    sections_.push_back(std::move(section));
  }
  if (names < count) {
    if (auto text = read(sections_[names])) {
      for (uint64_t i = 0; i < count; ++i) sections_[i].name = text_at(*text, name_at[i]).substr(0, 256);
    }
  }
  return {};
}

const Section* ElfFile::find_section(std::string_view name) const noexcept {
  for (const Section& section : sections_) {
    if (section.name == name) return &section;
  }
  return nullptr;
}

Result<void> ElfFile::check_native() const {
  const Machine native = native_machine();
  if (machine_ == native || (native == Machine::x86_64 && machine_ == Machine::i386)) return {};
  return Error(Code::unsupported, quoted(name_) + " is a program of " +
                                      (machine_ == Machine::other ? "machine " + std::to_string(machine_number_)
                                                                  : std::string(to_string(machine_))) +
                                      "; this host is " + std::string(to_string(native)));
}

Result<std::string> ElfFile::build_id() const {
  std::string found;
  const auto look = [&](uint64_t offset, uint64_t size) {
    auto bytes = read(offset, size < kMaxNotes ? size : kMaxNotes);
    if (!bytes) return;
    for_each_note(*bytes, [&](const Note& note) {
      if (note.type != kGnuBuildId || note.owner != "GNU") return true;
      if (note.description.empty() || note.description.size() > 64) return true;
      found = note.description;
      return false;
    });
  };
  for (const Segment& segment : notes_) {
    look(segment.offset, segment.file_size);
    if (!found.empty()) return found;
  }
  for (const Section& section : sections_) {
    if (section.type != kSectionNote) continue;
    look(section.offset, section.size);
    if (!found.empty()) return found;
  }
  return Error(Code::not_found, quoted(name_) + " has no build id (not linked with --build-id)");
}

Result<uint64_t> ElfFile::code_offset(uint64_t address) const {
  for (const Segment& segment : segments_) {
    if (segment.executable && contains(segment.address, segment.file_size, address))
      return segment.offset + (address - segment.address);
  }
  return Error(Code::invalid, "address " + hex(address) + " is in no executable segment of " + quoted(name_));
}

Result<uint64_t> ElfFile::data_offset(uint64_t address) const {
  for (const Segment& segment : segments_) {
    if (segment.writable && contains(segment.address, segment.file_size, address))
      return segment.offset + (address - segment.address);
  }
  return Error(Code::invalid, "address " + hex(address) + " is in no writable segment of " + quoted(name_));
}

Result<uint64_t> ElfFile::code_address(uint64_t offset) const {
  for (const Segment& segment : segments_) {
    if (segment.executable && contains(segment.offset, segment.file_size, offset))
      return segment.address + (offset - segment.offset);
  }
  return Error(Code::invalid, "file offset " + hex(offset) + " is in no executable segment of " + quoted(name_));
}

Result<void> ElfFile::check_code_offset(uint64_t offset) const {
  auto address = code_address(offset);
  if (!address) return std::move(address).error();
  return {};
}

Result<void> ElfFile::check_counter_offset(uint64_t offset) const {
  for (const Segment& segment : segments_) {
    if (!segment.writable || !contains(segment.offset, segment.file_size, offset)) continue;
    if (segment.file_size - (offset - segment.offset) < 2) break;
    if (offset % 2 != 0)
      return Error(Code::invalid,
                   "reference counter offset " + hex(offset) + " is odd; the kernel counts in 2 aligned bytes");
    return {};
  }
  return Error(Code::invalid,
               "reference counter offset " + hex(offset) + " is in no writable segment of " + quoted(name_));
}

}  // namespace tetragon::elf
