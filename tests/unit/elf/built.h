// SPDX-License-Identifier: Apache-2.0
#pragma once

// ELF files made in memory, byte by byte, so that every field can be wrong.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/elf/file.h"

namespace tetragon::elf::test {

template <class T>
void put(std::string& out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) out.push_back(static_cast<char>(static_cast<uint64_t>(value) >> (8 * i)));
}

template <class T>
void patch(std::string& bytes, size_t at, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) bytes[at + i] = static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
}

inline std::string note(std::string_view owner, uint32_t type, std::string_view description) {
  std::string out;
  put<uint32_t>(out, static_cast<uint32_t>(owner.size() + 1));
  put<uint32_t>(out, static_cast<uint32_t>(description.size()));
  put<uint32_t>(out, type);
  out += owner;
  out.push_back('\0');
  while (out.size() % 4 != 0) out.push_back('\0');
  out += description;
  while (out.size() % 4 != 0) out.push_back('\0');
  return out;
}

struct Part {
  std::string name;
  uint32_t type = 1;  // PROGBITS
  uint64_t address = 0;
  std::string bytes;
};

// A program of 64 bits: one executable segment (0x400000, the first 4 KiB of the file), one writable (0x600000, the
// second 4 KiB), then the parts, then the section table.
inline std::string program(const std::vector<Part>& parts, uint16_t machine = 62, uint16_t type = 2) {
  std::string out("\177ELF\2\1\1", 7);
  out.resize(16);
  put<uint16_t>(out, type);
  put<uint16_t>(out, machine);
  put<uint32_t>(out, 1);
  put<uint64_t>(out, 0x400100);  // entry
  put<uint64_t>(out, 64);        // program headers
  put<uint64_t>(out, 0);         // section headers: below
  put<uint32_t>(out, 0);
  put<uint16_t>(out, 64);
  put<uint16_t>(out, 56);
  put<uint16_t>(out, 2);
  put<uint16_t>(out, 64);
  put<uint16_t>(out, static_cast<uint16_t>(parts.size() + 2));
  put<uint16_t>(out, static_cast<uint16_t>(parts.size() + 1));
  struct Load {
    uint32_t flags;
    uint64_t offset, address;
  };
  for (const auto& [flags, offset, address] : {Load{5, 0, 0x400000}, Load{6, 0x1000, 0x600000}}) {
    put<uint32_t>(out, 1);
    put<uint32_t>(out, flags);
    put<uint64_t>(out, offset);
    put<uint64_t>(out, address);
    put<uint64_t>(out, address);
    put<uint64_t>(out, 0x1000);
    put<uint64_t>(out, 0x1000);
    put<uint64_t>(out, 0x1000);
  }
  out.resize(0x2000, '\x90');
  std::string names(1, '\0');
  std::string table(64, '\0');
  const auto add = [&](const Part& part) {
    while (out.size() % 8 != 0) out.push_back('\0');
    put<uint32_t>(table, static_cast<uint32_t>(names.size()));
    put<uint32_t>(table, part.type);
    put<uint64_t>(table, 0);
    put<uint64_t>(table, part.address);
    put<uint64_t>(table, out.size());
    names += part.name;
    names.push_back('\0');
    const std::string& bytes = part.name == ".shstrtab" ? names : part.bytes;
    put<uint64_t>(table, bytes.size());
    table.resize(table.size() + 64 - 40, '\0');
    out += bytes;
  };
  for (const Part& part : parts) add(part);
  add({".shstrtab", 3, 0, ""});
  while (out.size() % 8 != 0) out.push_back('\0');
  patch<uint64_t>(out, 40, out.size());
  return out + table;
}

}  // namespace tetragon::elf::test
