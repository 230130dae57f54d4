// SPDX-License-Identifier: Apache-2.0
// uprobes and usdts: places in programs.
#include <algorithm>
#include <map>

#include "core/elf/symbols.h"
#include "core/policy/compile_hook.h"
#include "core/util/strings.h"

namespace tetragon::policy {

// Where btfType is looked up: the file that btfPath names, else the program itself.
const kernel::Types* HookCompiler::program_types(const Arg& arg, const std::string& field) {
  const std::string& path = hook_.btf_path->empty() ? *hook_.path : *hook_.btf_path;
  auto types = facts_.file_types(path);
  if (!types.ok()) {
    error(arg.btf_type.place, field + ".btfType", types.error().message() + "; name a file with BTF in btfPath");
    return nullptr;
  }
  return *types;
}

void HookCompiler::uprobe() {
  const std::string& path = *hook_.path;
  compiled_.description = section_ + "[" + std::to_string(hook_.number) + "] " + path;
  auto file = elf::ElfFile::open(path);
  if (!file.ok()) {
    error(hook_.path.place, ".path", file.error().message());
    return;
  }
  if (auto native = file->check_native(); !native.ok()) {
    error(hook_.path.place, ".path", native.error().message());
    return;
  }
  if (!file->is_64() && (!hook_.args.empty() || *hook_.ret)) {
    error(hook_.path.place, ".path",
          "it is a 32-bit program: its arguments are not in registers and cannot be read; leave out args and return");
    return;
  }
  const auto add = [&](std::string symbol, Result<uint64_t> offset, size_t n, Place place, const std::string& field) {
    if (!offset.ok()) {
      error(place, field, offset.error().message());
      return;
    }
    if (*hook_.ret) {
      if (auto possible = elf::check_return_probe(*file, *offset); !possible.ok()) {
        error(place, field, possible.error().message());
        return;
      }
    }
    HookTarget target;
    target.instance = static_cast<uint32_t>(compiled_.targets.size());
    target.name = symbol;
    target.path = path;
    target.offset = *offset;
    if (n < hook_.ref_ctr_offsets.size()) {
      target.ref_ctr_offset = *hook_.ref_ctr_offsets[n];
      if (auto counter = file->check_counter_offset(target.ref_ctr_offset); !counter.ok()) {
        error(hook_.ref_ctr_offsets[n].place, path_ + ".refCtrOffsets[" + std::to_string(n) + "]",
              counter.error().message());
      }
    }
    hook::Instance instance;
    instance.path = path;
    instance.symbol = symbol;
    instance.offset = symbol.empty() ? *offset : 0;
    instance.ref_ctr_offset = target.ref_ctr_offset;
    compiled_.targets.push_back(std::move(target));
    compiled_.info.instances.push_back(std::move(instance));
  };
  for (size_t n = 0; n < hook_.symbols.size(); ++n) {
    const auto& symbol = hook_.symbols[n];
    auto found = elf::find_function(*file, *symbol);
    add(*symbol, found.ok() ? Result<uint64_t>(found->offset) : Result<uint64_t>(found.error()), n, symbol.place,
        path_ + ".symbols[" + std::to_string(n) + "]");
  }
  for (size_t n = 0; n < hook_.offsets.size(); ++n) {
    const auto& offset = hook_.offsets[n];
    const auto good = file->check_code_offset(*offset);
    add({}, good.ok() ? Result<uint64_t>(*offset) : Result<uint64_t>(good.error()), n, offset.place,
        path_ + ".offsets[" + std::to_string(n) + "]");
  }
  for (size_t n = 0; n < hook_.addrs.size(); ++n) {
    add({}, file->code_offset(*hook_.addrs[n]), SIZE_MAX, hook_.addrs[n].place,
        path_ + ".addrs[" + std::to_string(n) + "]");
  }

  for (size_t n = 0; n < hook_.args.size(); ++n) {
    const Arg& arg = hook_.args[n];
    const std::string field = path_ + ".args[" + std::to_string(n) + "]";
    ValueSource source;
    source.load.from = TG_FROM_ARG;
    source.load.index = static_cast<uint8_t>(*arg.index);
    source.what = "argument " + std::to_string(*arg.index);
    if (!arg.btf_type->empty()) {
      source.types = program_types(arg, field);
      if (source.types == nullptr) {
        continue;
      }
      source.type = source.types->find(*arg.btf_type);
      source.known = source.type != 0;
      source.in_place = true;
      source.user = true;
      source.what += " (" + *arg.btf_type + ")";
      if (!source.known) {
        error(arg.btf_type.place, field + ".btfType",
              "there is no type " + quoted(*arg.btf_type) + " in the BTF of the program");
        continue;
      }
    }
    add_value(Part::args, n, arg, source);
  }
  if (*hook_.ret && hook_.return_arg) {
    ValueSource source;
    source.load.from = TG_FROM_RETURN;
    source.what = "the return value";
    add_value(Part::ret, 0, *hook_.return_arg, source);
  }
  add_data();
  finish(std::move(compiled_));
}

void HookCompiler::usdt() {
  compiled_.description = section_ + "[" + std::to_string(hook_.number) + "] " + *hook_.provider + ":" + *hook_.name;
  auto file = elf::ElfFile::open(*hook_.path);
  if (!file.ok()) {
    error(hook_.path.place, ".path", file.error().message());
    return;
  }
  if (auto native = file->check_native(); !native.ok()) {
    error(hook_.path.place, ".path", native.error().message());
    return;
  }
  auto sites = elf::find_usdts(*file, *hook_.provider, *hook_.name);
  if (!sites.ok()) {
    error(hook_.name.place, ".name", sites.error().message());
    return;
  }
  // Places with the same operands share a program.
  std::map<std::string, std::vector<const elf::UsdtSite*>> layouts;
  for (const elf::UsdtSite& site : *sites) {
    std::string layout;
    for (const Arg& arg : hook_.args) {
      layout += *arg.index < site.args.size()
                    ? site.args[*arg.index].text + " " + std::to_string(site.args[*arg.index].constant)
                    : "?";
      if (*arg.size_arg_index != 0 && *arg.size_arg_index <= site.args.size()) {
        layout += " " + site.args[*arg.size_arg_index - 1].text;
      }
      layout += "|";
    }
    layouts[layout].push_back(&site);
  }
  const CompiledHook base = compiled_;
  for (const auto& [layout, same] : layouts) {
    compiled_ = base;
    args_.clear();
    data_.clear();
    next_set_ = 1;
    next_cel_ = 0;
    usdt_layout(same);
    if (failed()) {
      return;
    }
  }
}

void HookCompiler::usdt_layout(const std::vector<const elf::UsdtSite*>& sites) {
  const std::vector<elf::UsdtArg>& operands = sites.front()->args;
  for (size_t n = 0; n < hook_.args.size(); ++n) {
    const Arg& arg = hook_.args[n];
    const std::string field = path_ + ".args[" + std::to_string(n) + "]";
    if (*arg.index >= operands.size()) {
      error(arg.index.place, field + ".index",
            "the probe has " + std::to_string(operands.size()) + " arguments; count from 0");
      continue;
    }
    const elf::UsdtArg& operand = operands[*arg.index];
    ValueSource source;
    source.what = "argument " + std::to_string(*arg.index) + " (" + operand.text + ")";
    source.load.width = operand.width;
    switch (operand.kind) {
      case elf::UsdtArg::Kind::constant:
        source.load.from = TG_FROM_CONSTANT;
        source.load.constant = operand.constant;
        break;
      case elf::UsdtArg::Kind::registers:
        source.load.from = TG_FROM_CONTEXT;
        source.load.offset = static_cast<int32_t>(operand.base.offset);
        break;
      case elf::UsdtArg::Kind::memory:
        if (operand.index) {
          error(arg.index.place, field, source.what + " lies at an indexed address, which cannot be read");
          continue;
        }
        source.load.from = TG_FROM_REGISTER_MEMORY;
        source.load.offset = static_cast<int32_t>(operand.base.offset);
        source.load.constant = operand.constant;
        break;
      case elf::UsdtArg::Kind::unusable:
        error(arg.index.place, field, source.what + " cannot be read: " + operand.problem);
        continue;
    }
    if (!arg.btf_type->empty()) {
      source.types = program_types(arg, field);
      if (source.types == nullptr) {
        continue;
      }
      source.type = source.types->find(*arg.btf_type);
      source.known = source.type != 0;
      source.in_place = true;
      source.user = true;
      if (!source.known) {
        error(arg.btf_type.place, field + ".btfType",
              "there is no type " + quoted(*arg.btf_type) + " in the BTF of the program");
        continue;
      }
    }
    add_value(Part::args, n, arg, source);
    HookValue& value = args_.back();
    if (value.slot < 0) {
      continue;
    }
    tg_slot_config& slot = compiled_.config.slots[value.slot];
    // A narrow operand is extended as it says itself; the language's type only says how it is printed.
    if (slot.type == TG_TYPE_NUMBER && arg.resolve->empty() && operand.width < value.width) {
      slot.load.flags &= static_cast<uint8_t>(~TG_LOAD_SIGNED);
      slot.load.flags |= operand.is_signed ? TG_LOAD_SIGNED : 0;
    }
    if (slot.size_from != 0) {
      slot.size_from = 0;
      const uint32_t size = *arg.size_arg_index - 1;
      if (size >= operands.size() || (operands[size].kind != elf::UsdtArg::Kind::registers &&
                                      operands[size].kind != elf::UsdtArg::Kind::constant)) {
        error(arg.size_arg_index.place, field + ".sizeArgIndex",
              "the size must be an argument that is a register or a constant; the probe has " +
                  std::to_string(operands.size()) + ", counted from 1");
        continue;
      }
      if (operands[size].kind == elf::UsdtArg::Kind::constant) {
        slot.type = TG_TYPE_FIXED_BYTES;
        slot.limit = static_cast<uint32_t>(std::clamp<int64_t>(operands[size].constant, 1, 4096));
      } else {
        slot.flags |= TG_SLOT_SIZE_CONTEXT;
        slot.size_offset = static_cast<uint16_t>(operands[size].base.offset);
        slot.size_width = operands[size].width;
      }
    }
  }
  add_data();
  for (const elf::UsdtSite* site : sites) {
    HookTarget target;
    target.instance = static_cast<uint32_t>(compiled_.targets.size());
    target.name = *hook_.provider + "/" + *hook_.name;
    target.path = *hook_.path;
    target.offset = site->offset;
    target.ref_ctr_offset = site->semaphore_offset;
    compiled_.targets.push_back(std::move(target));
    hook::Instance instance;
    instance.path = *hook_.path;
    instance.provider = *hook_.provider;
    instance.name = *hook_.name;
    compiled_.info.instances.push_back(std::move(instance));
  }
  finish(std::move(compiled_));
}

}  // namespace tetragon::policy
