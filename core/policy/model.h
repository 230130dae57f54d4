// SPDX-License-Identifier: Apache-2.0
#pragma once

// A TracingPolicy as it was written: typed, with the place of every part, before anything is known of the kernel.
// Made by parse.h; checked against the rules of the language by validate.h; lowered for a kernel by compile.h.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tetragon::policy {

// Where something stands in the file; 1-based. line 0: not written (a default).
struct Place {
  uint32_t line = 0;
  uint32_t column = 0;
};

template <class T>
struct At {
  T value{};
  Place place;
  const T& operator*() const noexcept { return value; }
  const T* operator->() const noexcept { return &value; }
  bool written() const noexcept { return place.line != 0; }
};

struct Arg {  // args, data, returnArg
  Place place;
  At<uint32_t> index;
  At<std::string> type;         // "auto" when not written
  At<uint32_t> size_arg_index;  // 1-based; 0: none
  At<bool> return_copy, max_data;
  At<std::string> label, resolve, source, btf_type;
};

struct ArgSelector {  // matchArgs, matchData, matchReturnArgs
  Place place;
  At<uint32_t> index;
  std::vector<At<uint32_t>> args;  // positions in the spec's list; take precedence over index
  At<std::string> op;              // the canonical spelling: "GT", not "GreaterThan"
  std::vector<At<std::string>> values;
};

struct PidSelector {
  Place place;
  At<std::string> op;
  std::vector<At<uint32_t>> values;
  At<bool> is_namespace_pid, follow_forks;
};

struct NamespaceSelector {
  Place place;
  At<std::string> ns, op;  // "Mnt"; "In"
  std::vector<At<std::string>> values;
};

struct NamespaceChangesSelector {
  Place place;
  At<std::string> op;
  std::vector<At<std::string>> values;  // names of namespaces
};

struct CapabilitySelector {
  Place place;
  At<std::string> type, op;  // "Effective" when not written
  At<bool> is_namespace_capability;
  std::vector<At<std::string>> values;  // upper case, trimmed
};

struct BinarySelector {
  Place place;
  At<std::string> op;
  std::vector<At<std::string>> values;
  At<bool> follow_children;
};

struct Action {
  Place place;
  At<std::string> name;  // canonical spelling: "NotifyEnforcer" for "NotifyKiller"
  At<int32_t> arg_error;
  At<uint32_t> arg_sig, arg_fd, arg_name, arg_sock, arg_index, arg_value;
  At<std::string> arg_url, arg_fqdn, rate_limit, rate_limit_scope;
  At<bool> kernel_stack_trace, user_stack_trace, ima_hash;
  std::vector<At<std::string>> arg_regs;
};

struct Selector {
  Place place;
  std::vector<PidSelector> match_pids;
  std::vector<NamespaceSelector> match_namespaces;
  std::vector<CapabilitySelector> match_capabilities;
  std::vector<NamespaceChangesSelector> match_namespace_changes;
  std::vector<CapabilitySelector> match_capability_changes;
  std::vector<BinarySelector> match_binaries, match_parent_binaries;
  std::vector<ArgSelector> match_args, match_data, match_return_args;
  std::vector<Action> match_actions, match_return_actions;
  std::vector<At<std::string>> macros;  // already merged into the above when the parser is done
};

enum class Section { kprobes, fentries, tracepoints, uprobes, usdts, lsmhooks };
constexpr const char* to_string(Section section) noexcept {
  constexpr const char* names[] = {"kprobes", "fentries", "tracepoints", "uprobes", "usdts", "lsmhooks"};
  return names[static_cast<int>(section)];
}

// One element of a hook section. What a section does not have stays as it is by default.
struct Hook {
  Section section = Section::kprobes;
  uint32_t number = 0;  // in its section, from 0
  Place place;
  // kprobes, fentries: the function, or list:NAME. lsmhooks: the hook.
  At<std::string> call;
  At<bool> syscall;  // kprobes, fentries: true by default
  At<bool> ret;      // `return`
  std::optional<Arg> return_arg;
  At<std::string> return_arg_action;
  At<bool> ignore_call_not_found;
  // tracepoints
  At<std::string> subsystem, event;
  At<bool> raw;
  // uprobes, usdts
  At<std::string> path, btf_path;
  std::vector<At<std::string>> symbols;
  std::vector<At<uint64_t>> offsets, addrs, ref_ctr_offsets;
  At<std::string> provider, name;
  // all
  std::vector<Arg> args, data;
  std::vector<Selector> selectors;
  At<std::string> message;            // as events carry it: quoted as Go does, without the outer quotes
  std::vector<At<std::string>> tags;  // likewise
};

// A section that a plugin serves under a name of its own: elements with the common keys, and scalars for the plugin.
struct PluginHook {
  At<std::string> section;
  Hook hook;
  std::map<std::string, At<std::string>> attributes;
};

enum class ListType { plain, syscalls, generated_syscalls, generated_ftrace };

struct List {
  Place place;
  At<std::string> name;
  At<ListType> type;
  std::vector<At<std::string>> values;
  At<std::string> pattern;
};

struct Enforcer {
  Place place;
  std::vector<At<std::string>> calls;
};

struct LabelSelector {
  Place place;
  struct Expression {
    Place place;
    At<std::string> key, op;
    std::vector<At<std::string>> values;
  };
  std::vector<std::pair<At<std::string>, At<std::string>>> match_labels;
  std::vector<Expression> match_expressions;
  bool empty() const noexcept { return match_labels.empty() && match_expressions.empty(); }
};

struct Option {
  Place place;
  At<std::string> name, value;
};

struct Policy {
  std::string file;  // for messages; empty: it came over the API
  At<std::string> name;
  At<std::string> namespace_;  // TracingPolicyNamespaced only
  bool namespaced = false;
  std::vector<Hook> hooks;  // all sections, in the order of the file
  std::vector<PluginHook> plugin_hooks;
  At<bool> loader;
  std::optional<LabelSelector> pod_selector, container_selector, host_selector;
  std::vector<List> lists;
  std::vector<Enforcer> enforcers;
  std::vector<Option> options;

  const List* find_list(std::string_view list) const noexcept {
    for (const List& one : lists) {
      if (*one.name == list) return &one;
    }
    return nullptr;
  }
  const Option* find_option(std::string_view option) const noexcept {
    for (const Option& one : options) {
      if (*one.name == option) return &one;
    }
    return nullptr;
  }
};

// One thing that is wrong with a policy, or worth a warning.
struct Finding {
  Place place;
  bool warning = false;
  std::string field;  // path of the field: "spec.kprobes[0].args[1].type"
  std::string text;   // what is wrong, why, and what is allowed
};
// More of one policy are not kept: nobody reads them, and hostile text can have many.
constexpr std::size_t max_findings = 1000;
// "FILE:LINE:COLUMN: FIELD: TEXT"
std::string to_string(const Finding& finding, std::string_view file);

}  // namespace tetragon::policy
