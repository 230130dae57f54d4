// SPDX-License-Identifier: Apache-2.0
#include "core/cli/command.h"
#include "core/cli/commands.h"
#include "core/cli/text.h"

namespace tetragon::cli {

namespace {

// A command's full name ("tetra tracingpolicy add") with everything that can stand after it.
struct Node {
  std::string path;
  std::vector<std::string> names;  // of the last word: name and aliases
  const Command* command;
};

void collect(const Command& command, const std::string& parent, std::vector<Node>& out) {
  std::string path = parent.empty() ? command.name : parent + " " + command.name;
  std::vector<std::string> names{command.name};
  names.insert(names.end(), command.aliases.begin(), command.aliases.end());
  out.push_back({path, names, &command});
  for (const Command& child : command.children) {
    if (!child.hidden) {
      collect(child, path, out);
    }
  }
}

std::vector<Node> nodes_of(const Command& root) {
  std::vector<Node> nodes;
  collect(root, "", nodes);
  return nodes;
}

std::vector<Option> visible_options(const Command& command) {
  std::vector<Option> options;
  for (const auto* table : {&command.options, &global_options()}) {
    for (const Option& option : *table) {
      if (!option.hidden) {
        options.push_back(option);
      }
    }
  }
  return options;
}

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (char c : text) {
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return out + "'";
}

std::string words_of(const Node& node) {
  std::string words;
  auto add = [&](const std::string& word) { words += (words.empty() ? "" : " ") + word; };
  for (const Command& child : node.command->children) {
    if (!child.hidden) {
      add(child.name);
    }
  }
  for (const std::string& word : node.command->argument_words) {
    add(word);
  }
  return words;
}

std::string option_words(const Node& node) {
  std::string words;
  for (const Option& option : visible_options(*node.command)) {
    words += (words.empty() ? "--" : " --") + option.name;
    if (option.short_name != 0) {
      words += std::string(" -") + option.short_name;
    }
  }
  return words;
}

// Lines "PATH WORD) path=..." that walk from one command to the next, aliases included.
std::string walk_cases(const std::vector<Node>& nodes, std::string_view indent) {
  std::string out;
  for (const Node& node : nodes) {
    std::size_t cut = node.path.rfind(' ');
    if (cut == std::string::npos) {
      continue;
    }
    std::string parent = node.path.substr(0, cut);
    out += indent;
    for (std::size_t i = 0; i < node.names.size(); ++i) {
      out += (i == 0 ? "" : "|") + quoted(parent + " " + node.names[i]);
    }
    out += ") here=" + quoted(node.path) + " ;;\n";
  }
  return out;
}

std::string value_cases(const std::vector<Node>& nodes, std::string_view indent) {
  std::string out;
  for (const Node& node : nodes) {
    for (const Option& option : visible_options(*node.command)) {
      if (!option.takes_value()) {
        continue;
      }
      std::string choices;
      for (const std::string& choice : option.choices) {
        choices += (choices.empty() ? "" : " ") + choice;
      }
      out += std::string(indent) + quoted(node.path + " --" + option.name);
      if (option.short_name != 0) {
        out += "|" + quoted(node.path + " -" + option.short_name);
      }
      out += ") values=" + quoted(choices) + "; wants=1 ;;\n";
    }
  }
  return out;
}

std::string word_cases(const std::vector<Node>& nodes, std::string_view indent) {
  std::string out;
  for (const Node& node : nodes) {
    bool file = node.command->arguments.starts_with("FILE");
    out += std::string(indent) + quoted(node.path) + ") candidates=" + quoted(words_of(node)) +
           "; switches=" + quoted(option_words(node)) + "; files=" + (file ? "1" : "") + " ;;\n";
  }
  return out;
}

// bash and zsh share the walk; they differ in where words come from and where answers go. The variables avoid names
// that are special in zsh (path, words, options).
std::string walk_function(const std::vector<Node>& nodes) {
  return "_tetra_value() {\n"
         "  values= wants=\n"
         "  case \"$1\" in\n" +
         value_cases(nodes, "    ") +
         "  esac\n"
         "}\n"
         "_tetra_walk() {\n"
         "  here=tetra values= wants=\n"
         "  local word skip=\n"
         "  for word in \"$@\"; do\n"
         "    if [ -n \"$skip\" ]; then skip=; continue; fi\n"
         "    case \"$word\" in\n"
         "      -*) _tetra_value \"$here $word\"; skip=$wants; continue ;;\n"
         "    esac\n"
         "    case \"$here $word\" in\n" +
         walk_cases(nodes, "      ") +
         "    esac\n"
         "  done\n"
         "  candidates= switches= files=\n"
         "  case \"$here\" in\n" +
         word_cases(nodes, "    ") +
         "  esac\n"
         "}\n";
}

std::string bash_script(const Command& root) {
  return "# bash completion of tetra; load with: source <(tetra completion bash)\n" + walk_function(nodes_of(root)) +
         "_tetra() {\n"
         "  local current=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
         "  local here candidates switches files values wants\n"
         "  _tetra_walk \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"\n"
         "  if [[ $previous == -* ]]; then\n"
         "    _tetra_value \"$here $previous\"\n"
         "    if [ -n \"$wants\" ]; then\n"
         "      COMPREPLY=($(compgen -W \"$values\" -- \"$current\"))\n"
         "      return\n"
         "    fi\n"
         "  fi\n"
         "  if [[ $current == -* ]]; then candidates=$switches; files=; fi\n"
         "  COMPREPLY=($(compgen -W \"$candidates\" -- \"$current\"))\n"
         "  if [ -n \"$files\" ]; then COMPREPLY+=($(compgen -f -- \"$current\")); fi\n"
         "}\n"
         "complete -o filenames -F _tetra tetra\n";
}

std::string zsh_script(const Command& root) {
  return "#compdef tetra\n# zsh completion of tetra; load with: source <(tetra completion zsh)\n" +
         walk_function(nodes_of(root)) +
         "_tetra() {\n"
         "  local current=\"${words[CURRENT]}\" previous=\"${words[CURRENT-1]}\"\n"
         "  local -a before\n"
         "  before=(\"${(@)words[2,CURRENT-1]}\")\n"
         "  local here candidates switches files values wants\n"
         "  _tetra_walk \"${before[@]}\"\n"
         "  if [[ $previous == -* ]]; then\n"
         "    _tetra_value \"$here $previous\"\n"
         "    if [ -n \"$wants\" ]; then\n"
         "      compadd -- ${=values}\n"
         "      return\n"
         "    fi\n"
         "  fi\n"
         "  if [[ $current == -* ]]; then candidates=$switches; files=; fi\n"
         "  compadd -- ${=candidates}\n"
         "  if [ -n \"$files\" ]; then _files; fi\n"
         "}\n"
         "compdef _tetra tetra\n";
}

std::string fish_script(const Command& root) {
  auto nodes = nodes_of(root);
  std::string out =
      "# fish completion of tetra; load with: tetra completion fish | source\n"
      "function __tetra_path\n"
      "  set -l path tetra\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    switch \"$path $word\"\n";
  for (const Node& node : nodes) {
    std::size_t cut = node.path.rfind(' ');
    if (cut == std::string::npos) {
      continue;
    }
    out += "      case";
    for (const std::string& name : node.names) {
      out += " " + quoted(node.path.substr(0, cut) + " " + name);
    }
    out += "\n        set path " + quoted(node.path) + "\n";
  }
  out +=
      "    end\n"
      "  end\n"
      "  echo $path\n"
      "end\n"
      "complete -c tetra -f\n";
  for (const Option& option : global_options()) {
    out += "complete -c tetra -l " + option.name;
    out += option.short_name != 0 ? std::string(" -s ") + option.short_name : "";
    out += std::string(option.takes_value() ? " -x" : "") + " -d " + quoted(option.help) + "\n";
  }
  for (const Node& node : nodes) {
    std::string condition = "complete -c tetra -n " + quoted("test (__tetra_path) = \"" + node.path + "\"");
    for (const Command& child : node.command->children) {
      if (!child.hidden) {
        out += condition + " -a " + quoted(child.name) + " -d " + quoted(child.summary) + "\n";
      }
    }
    if (!node.command->argument_words.empty()) {
      out += condition + " -a " + quoted(words_of(node)) + "\n";
    }
    if (node.command->arguments.starts_with("FILE")) {
      out += condition + " -F\n";
    }
    for (const Option& option : node.command->options) {
      if (option.hidden) {
        continue;
      }
      out += condition + " -l " + option.name;
      out += option.short_name != 0 ? std::string(" -s ") + option.short_name : "";
      out += option.takes_value() ? " -x" : "";
      if (!option.choices.empty()) {
        std::string choices;
        for (const std::string& choice : option.choices) {
          choices += (choices.empty() ? "" : " ") + choice;
        }
        out += " -a " + quoted(choices);
      }
      out += " -d " + quoted(option.help) + "\n";
    }
  }
  return out;
}

Command shell(const std::string& name, std::string (*script)(const Command&), const std::string& load) {
  return {.name = name,
          .summary = "completion script for " + name,
          .details = "Load it in the running shell with:\n  " + load,
          .run = [script](Context& context) -> Result<int> {
            context.out << script(context.root);
            return 0;
          }};
}

}  // namespace

Command completion_command() {
  return {
      .name = "completion",
      .summary = "print a completion script for a shell",
      .children = {shell("bash", bash_script, "source <(tetra completion bash)"),
                   shell("zsh", zsh_script, "source <(tetra completion zsh)"),
                   shell("fish", fish_script, "tetra completion fish | source")},
  };
}

}  // namespace tetragon::cli
