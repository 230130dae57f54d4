// SPDX-License-Identifier: Apache-2.0
#include "core/policy/parse.h"

#include <algorithm>
#include <exception>
#include <map>
#include <set>
#include <utility>

#include "core/policy/reader.h"
#include "core/policy/validate.h"
#include "core/policy/values.h"
#include "core/policy/yaml.h"
#include "core/util/strings.h"

namespace tetragon::policy {
namespace {

constexpr std::size_t max_message = 256, max_tag = 128;

// As Go's strconv.Quote, without the outer quotes: that is how events carry it.
std::string event_text(std::string_view text) {
  const std::string whole = quoted(text);
  return whole.substr(1, whole.size() - 2);
}

// What follows from the text as a whole: macros, defaults, spellings.
class Finisher {
 public:
  Finisher(Reader& reader, std::vector<Finding>& findings) : reader_(reader), findings_(findings) {}

  void run(Policy& policy) {
    for (Hook& hook : policy.hooks) {
      this->hook(hook, "spec." + std::string(to_string(hook.section)) + "[" + std::to_string(hook.number) + "]");
    }
    for (PluginHook& one : policy.plugin_hooks) {
      this->hook(one.hook, "spec." + *one.section + "[" + std::to_string(one.hook.number) + "]");
    }
    for (const auto& [name, macro] : reader_.macros()) {
      if (used_.count(name) == 0) {
        warn(macro.place, "spec.selectorsMacros." + to_utf8(name.substr(0, 80)), "no selector uses this macro");
      }
    }
  }

 private:
  void error(Place place, std::string field, std::string text) {
    if (findings_.size() >= max_findings) return;
    findings_.push_back({place, false, std::move(field), std::move(text)});
  }
  void warn(Place place, std::string field, std::string text) {
    if (findings_.size() >= max_findings) return;
    findings_.push_back({place, true, std::move(field), std::move(text)});
  }

  void hook(Hook& hook, const std::string& path) {
    for (std::vector<Arg>* args : {&hook.args, &hook.data}) {
      for (Arg& arg : *args) default_type(arg);
    }
    if (hook.return_arg) default_type(*hook.return_arg);
    if (hook.section == Section::kprobes || hook.section == Section::fentries) default_syscall(hook, path);
    for (std::size_t i = 0; i < hook.selectors.size(); ++i) {
      selector(hook, hook.selectors[i], path + ".selectors[" + std::to_string(i) + "]");
    }
    quote(hook.message, max_message, path + ".message");
    for (std::size_t i = 0; i < hook.tags.size(); ++i) {
      quote(hook.tags[i], max_tag, path + ".tags[" + std::to_string(i) + "]");
    }
  }

  // By default `syscall` is true, but who hooks a function that cannot be a system call did not mean that.
  void default_syscall(Hook& hook, const std::string& path) {
    if (hook.syscall.written() || !hook.call.written()) return;
    const auto is_call = [](const std::string& name) { return parse_syscall_name(name).ok(); };
    if (const std::string_view name = list_reference(*hook.call); !name.empty()) {
      const List* list = reader_.policy().find_list(name);
      if (list == nullptr) return;
      const auto [known, added] = of_calls_.emplace(list, false);
      if (added) {
        known->second = *list->type != ListType::generated_ftrace &&
                        std::all_of(list->values.begin(), list->values.end(),
                                    [&is_call](const At<std::string>& value) { return is_call(*value); });
      }
      hook.syscall.value = known->second;
    } else if (!is_call(*hook.call)) {
      hook.syscall.value = false;
      warn(hook.call.place, path + ".syscall",
           "is true by default, but " + quoted(hook.call->substr(0, 80)) +
               " is no system call; taken as syscall: false, which is better written");
    }
  }

  static void default_type(Arg& arg) {
    if (arg.type->empty()) arg.type.value = "auto";
  }

  void quote(At<std::string>& text, std::size_t longest, const std::string& path) {
    if (!text.written() || text->empty()) return;
    if (text->size() < 2) {
      error(text.place, path, "has one byte; allowed: 2 to " + std::to_string(longest));
    } else if (text->size() > longest) {
      warn(text.place, path, "has " + std::to_string(text->size()) + " bytes and is cut to " + std::to_string(longest));
      text.value.resize(longest);
    }
    text.value = event_text(text.value);
  }

  void selector(const Hook& hook, Selector& selector, const std::string& path) {
    for (std::size_t i = 0; i < selector.macros.size(); ++i) {
      const At<std::string>& name = selector.macros[i];
      const std::string field = path + ".macros[" + std::to_string(i) + "]";
      const auto found = reader_.macros().find(*name);
      if (found == reader_.macros().end()) {
        std::vector<std::string_view> names;
        std::string known;
        for (const auto& [other, macro] : reader_.macros()) {
          names.emplace_back(other);
          known += (known.empty() ? "" : ", ") + other;
        }
        const std::string_view near = closest_match(name->substr(0, 80), names);
        error(name.place, field,
              "there is no macro " + quoted(name->substr(0, 80)) + " in spec.selectorsMacros" +
                  (near.empty() ? "" : "; did you mean " + std::string(near) + "?") +
                  (known.empty() ? "" : "; defined: " + known));
        continue;
      }
      used_.insert(*name);
      merged_ += found->second.weight;
      if (merged_ > yaml::max_nodes) {
        error(name.place, field,
              "the policy is too large: macros repeat more than " + std::to_string(yaml::max_nodes) + " values");
        return;
      }
      merge(selector, found->second.selector, name.place, field);
    }
    for (auto* capabilities : {&selector.match_capabilities, &selector.match_capability_changes}) {
      for (CapabilitySelector& one : *capabilities) {
        if (one.type->empty()) one.type.value = "Effective";
        for (At<std::string>& value : one.values) {
          std::string upper(trim(*value));
          for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
          value.value = std::move(upper);
        }
      }
    }
    join_pids(selector);
    if (hook.section == Section::tracepoints) positions(hook, selector, path);
  }

  // Several conditions on the same number hold together: one set says the same.
  static void join_pids(Selector& selector) {
    auto& all = selector.match_pids;
    const auto joinable = [&all](const PidSelector& one) {
      return !*one.follow_forks && *one.is_namespace_pid == *all[0].is_namespace_pid && one.op.written();
    };
    if (all.size() < 2 || !std::all_of(all.begin(), all.end(), joinable)) return;
    std::vector<std::set<uint32_t>> sets;
    for (const PidSelector& one : all) {
      auto& set = sets.emplace_back();
      for (const At<uint32_t>& value : one.values) set.insert(*value);
    }
    const auto first = std::find_if(all.begin(), all.end(), [](const PidSelector& one) { return *one.op == "In"; });
    if (first == all.end()) {
      for (std::size_t i = 1; i < all.size(); ++i) {
        all[0].values.insert(all[0].values.end(), all[i].values.begin(), all[i].values.end());
      }
    } else {
      const auto outside = [&](const At<uint32_t>& value) {
        for (std::size_t i = 0; i < all.size(); ++i) {
          if (sets[i].count(*value) != (*all[i].op == "In" ? 1U : 0U)) return true;
        }
        return false;
      };
      PidSelector joined = *first;
      joined.values.erase(std::remove_if(joined.values.begin(), joined.values.end(), outside), joined.values.end());
      all[0] = std::move(joined);
    }
    all.resize(1);
  }

  // Tracepoints number their arguments by field; policies also count them as they are listed, and that works too.
  void positions(const Hook& hook, Selector& selector, const std::string& path) {
    for (std::size_t i = 0; i < selector.match_args.size(); ++i) {
      ArgSelector& filter = selector.match_args[i];
      if (!filter.args.empty()) continue;
      const auto is = [&filter](const Arg& arg) { return *arg.index == *filter.index; };
      if (std::any_of(hook.args.begin(), hook.args.end(), is) || *filter.index >= hook.args.size()) continue;
      const uint32_t meant = *hook.args[*filter.index].index;
      warn(filter.index.written() ? filter.index.place : filter.place,
           path + ".matchArgs[" + std::to_string(i) + "].index",
           "no argument has index " + std::to_string(*filter.index) + "; taken as the position in args, index " +
               std::to_string(meant));
      filter.index.value = meant;
    }
  }

  template <class T>
  void merge(std::vector<T>& target, const std::vector<T>& from, const char* name, Place place,
             const std::string& field) {
    if (from.empty()) return;
    if (!target.empty()) {
      error(place, field,
            std::string("defines ") + name +
                " a second time: the selector or another macro has it already; each field may come "
                "from one place only");
      return;
    }
    target = from;
  }

  void merge(Selector& to, const Selector& from, Place place, const std::string& field) {
    merge(to.match_pids, from.match_pids, "matchPIDs", place, field);
    merge(to.match_namespaces, from.match_namespaces, "matchNamespaces", place, field);
    merge(to.match_capabilities, from.match_capabilities, "matchCapabilities", place, field);
    merge(to.match_namespace_changes, from.match_namespace_changes, "matchNamespaceChanges", place, field);
    merge(to.match_capability_changes, from.match_capability_changes, "matchCapabilityChanges", place, field);
    merge(to.match_binaries, from.match_binaries, "matchBinaries", place, field);
    merge(to.match_parent_binaries, from.match_parent_binaries, "matchParentBinaries", place, field);
    merge(to.match_args, from.match_args, "matchArgs", place, field);
    merge(to.match_data, from.match_data, "matchData", place, field);
    merge(to.match_return_args, from.match_return_args, "matchReturnArgs", place, field);
    merge(to.match_actions, from.match_actions, "matchActions", place, field);
    merge(to.match_return_actions, from.match_return_actions, "matchReturnActions", place, field);
  }

  Reader& reader_;
  std::vector<Finding>& findings_;
  std::set<std::string> used_;
  std::size_t merged_ = 0;                // what macros repeated
  std::map<const List*, bool> of_calls_;  // holds system calls only
};

// A rule that stumbles over what was already reported, of the field itself or of a part of it, says nothing new.
void drop_consequences(std::vector<Finding>& findings, std::size_t structural) {
  std::set<std::string> broken;
  for (std::size_t i = 0; i < structural; ++i) {
    if (!findings[i].warning) broken.insert(findings[i].field);
  }
  const auto known = [&broken](const Finding& finding) {
    const auto at = broken.lower_bound(finding.field);
    if (at == broken.end() || !at->starts_with(finding.field)) return false;
    const char next = at->c_str()[finding.field.size()];
    return next == '\0' || next == '.' || next == '[';
  };
  findings.erase(std::remove_if(findings.begin() + static_cast<std::ptrdiff_t>(structural), findings.end(), known),
                 findings.end());
}

Parsed read(std::string_view yaml, std::string file, const Vocabulary& vocabulary) {
  Parsed parsed;
  parsed.policy.file = std::move(file);
  yaml::Document document = yaml::load(yaml);
  if (document.error) {
    parsed.findings.push_back(std::move(*document.error));
    return parsed;
  }
  if (!document.root.is_map()) {
    parsed.findings.push_back({{1, 1},
                               false,
                               "",
                               document.root.is_null()
                                   ? "is empty; a policy begins with apiVersion: cilium.io/v1alpha1"
                                   : "a policy is a map that begins with apiVersion: cilium.io/v1alpha1"});
    return parsed;
  }
  Reader reader(vocabulary, parsed.policy, parsed.findings);
  reader.object(document.root, document.root.place, &parsed.policy, root_object());
  Finisher(reader, parsed.findings).run(parsed.policy);
  const std::size_t structural = parsed.findings.size();
  validate(parsed.policy, vocabulary, parsed.findings);
  drop_consequences(parsed.findings, structural);
  std::stable_sort(parsed.findings.begin(), parsed.findings.end(), [](const Finding& a, const Finding& b) {
    return std::pair(a.place.line, a.place.column) < std::pair(b.place.line, b.place.column);
  });
  if (parsed.findings.size() >= max_findings) {
    parsed.findings.push_back(
        {{}, false, "", "there is more wrong than the " + std::to_string(max_findings) + " findings that are kept"});
  }
  return parsed;
}

}  // namespace

bool Parsed::ok() const noexcept {
  return std::all_of(findings.begin(), findings.end(), [](const Finding& one) { return one.warning; });
}

Parsed parse(std::string_view yaml, std::string file, const Vocabulary& vocabulary) {
  std::string name = file;
  try {
    return read(yaml, std::move(file), vocabulary);
  } catch (const std::exception& error) {
    Parsed parsed;
    parsed.policy.file = std::move(name);
    parsed.findings.push_back({{1, 1}, false, "", std::string("cannot be read: ") + error.what()});
    return parsed;
  }
}

std::string to_string(const Finding& finding, std::string_view file) {
  std::string text(file.empty() ? "policy" : file);
  if (finding.place.line != 0) {
    text += ":" + std::to_string(finding.place.line) + ":" + std::to_string(finding.place.column);
  }
  text += ": ";
  if (finding.warning) text += "warning: ";
  if (!finding.field.empty()) text += finding.field + ": ";
  return text + finding.text;
}

}  // namespace tetragon::policy
