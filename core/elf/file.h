// SPDX-License-Identifier: Apache-2.0
#pragma once

// An executable or shared library on disk, read with bounds checks: no libelf, no libbpf. The parts that are asked for
// are read, never mapped: a file that shrinks while it is looked at gives an error, where a mapping gives SIGBUS.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/util/fd.h"
#include "core/util/result.h"

namespace tetragon::elf {

enum class Machine : uint16_t { other = 0, i386 = 3, x86_64 = 62, arm = 40, aarch64 = 183 };
std::string_view to_string(Machine machine) noexcept;
// Of the programs that this build runs beside.
Machine native_machine() noexcept;

struct Segment {  // PT_LOAD
  uint64_t offset = 0, address = 0, file_size = 0, memory_size = 0;
  bool executable = false, writable = false;
};

struct Section {
  std::string name;
  uint32_t type = 0;
  uint32_t link = 0;
  uint64_t flags = 0, address = 0, offset = 0, size = 0, entry_size = 0;
};

class ElfFile {
 public:
  // Regular files only; never blocks on a pipe or a device.
  static Result<ElfFile> open(const std::string& path);
  // Of an open descriptor; name is for messages.
  static Result<ElfFile> from_fd(UniqueFd fd, std::string name);
  // A copy of a whole file (tests, fuzzing).
  static Result<ElfFile> from_memory(std::string bytes, std::string name = "memory");

  const std::string& name() const noexcept { return name_; }
  bool is_64() const noexcept { return is_64_; }
  Machine machine() const noexcept { return machine_; }
  bool is_shared_object() const noexcept { return shared_; }  // also position-independent programs
  const std::vector<Segment>& segments() const noexcept { return segments_; }
  const std::vector<Section>& sections() const noexcept { return sections_; }
  const Section* find_section(std::string_view name) const noexcept;

  // Ok when processes of this machine run the file's code (x86_64 runs i386 too); else says what it is.
  Result<void> check_native() const;

  // From the loaded notes (or the note sections): the GNU build id, 1 to 64 bytes.
  Result<std::string> build_id() const;

  // Where in the file the byte at this address comes from. The plain forms say why there is none.
  Result<uint64_t> code_offset(uint64_t address) const;      // in an executable segment
  Result<uint64_t> data_offset(uint64_t address) const;      // in a writable segment
  Result<uint64_t> code_address(uint64_t offset) const;      // the other way: the offset of an instruction
  Result<void> check_code_offset(uint64_t offset) const;     // `offsets` of a policy
  Result<void> check_counter_offset(uint64_t offset) const;  // `refCtrOffsets`: writable, 2 bytes, aligned

  // Bytes of the file; all of them or an error.
  Result<std::string> read(uint64_t offset, uint64_t size) const;
  Result<std::string> read(const Section& section) const { return read(section.offset, section.size); }

 private:
  ElfFile() = default;
  Result<void> parse();
  Result<void> parse_sections(uint64_t offset, uint64_t count, uint32_t names, uint16_t entry_size);

  std::string name_;
  UniqueFd fd_;         // or
  std::string memory_;  // the bytes
  uint64_t size_ = 0;
  bool is_64_ = false, shared_ = false;
  Machine machine_ = Machine::other;
  uint16_t machine_number_ = 0;
  std::vector<Segment> segments_;
  std::vector<Segment> notes_;  // PT_NOTE
  std::vector<Section> sections_;
};

// Little-endian number at `at`; 0 beyond the end (callers check sizes where it matters).
template <class T>
T number_at(std::string_view bytes, uint64_t at) noexcept {
  if (at > bytes.size() || bytes.size() - at < sizeof(T)) return 0;
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>(value | static_cast<T>(static_cast<T>(static_cast<uint8_t>(bytes[at + i])) << (8 * i)));
  return value;
}
// NUL-terminated text at `at`; what there is when the NUL is missing.
std::string_view text_at(std::string_view bytes, uint64_t at) noexcept;

struct Note {
  std::string_view owner, description;
  uint32_t type = 0;
};
// Calls back for every whole note; stops when it returns false.
template <class Visit>
void for_each_note(std::string_view bytes, Visit&& visit) {
  uint64_t at = 0;
  while (bytes.size() - at >= 12) {
    const uint64_t owner_size = number_at<uint32_t>(bytes, at);
    const uint64_t size = number_at<uint32_t>(bytes, at + 4);
    Note note;
    note.type = number_at<uint32_t>(bytes, at + 8);
    const uint64_t owner_at = at + 12;
    const uint64_t description_at = owner_at + ((owner_size + 3) & ~uint64_t{3});
    if (description_at > bytes.size() || size > bytes.size() - description_at) return;
    note.owner = bytes.substr(owner_at, owner_size);
    if (!note.owner.empty() && note.owner.back() == '\0') note.owner.remove_suffix(1);
    note.description = bytes.substr(description_at, size);
    if (!visit(note)) return;
    at = description_at + ((size + 3) & ~uint64_t{3});
    if (at > bytes.size()) return;
  }
}

std::string hex(uint64_t number);  // "0x1f"

}  // namespace tetragon::elf
