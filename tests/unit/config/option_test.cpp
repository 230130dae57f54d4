// SPDX-License-Identifier: Apache-2.0
#include "core/config/option.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "core/config/value.h"

namespace tetragon::config {
namespace {

// The contract: every flag of v1.7.0 with its default. Sizes and modes are texts upstream.
constexpr std::pair<std::string_view, std::string_view> contract[] = {
    {"bpf-dir", "tetragon"},
    {"bpf-lib", "/var/lib/tetragon/"},
    {"btf", ""},
    {"cgroup-rate", ""},
    {"cluster-name", ""},
    {"config-dir", ""},
    {"cpuprofile", ""},
    {"cri-endpoint", ""},
    {"data-cache-size", "1024"},
    {"debug", "false"},
    {"disable-kprobe-multi", "false"},
    {"enable-ancestors", ""},
    {"enable-cgidmap", "false"},
    {"enable-cgidmap-debug", "false"},
    {"enable-cgtrackerid", "true"},
    {"enable-cri", "false"},
    {"enable-deprecated-tracingpolicy-grpc", "false"},
    {"enable-export-aggregation", "false"},
    {"enable-k8s-api", "false"},
    {"enable-msg-handling-latency", "false"},
    {"enable-pid-set-filter", "false"},
    {"enable-pod-annotations", "false"},
    {"enable-pod-info", "false"},
    {"enable-policy-filter", "false"},
    {"enable-policy-filter-cgroup-map", "false"},
    {"enable-policy-filter-debug", "false"},
    {"enable-process-cred", "false"},
    {"enable-process-environment-variables", "false"},
    {"enable-process-ns", "false"},
    {"enable-tracing-policy-crd", "true"},
    {"event-cache-retries", "15"},
    {"event-cache-retry-delay", "2"},
    {"event-queue-size", "10000"},
    {"execve-map-entries", "0"},
    {"execve-map-size", "0"},
    {"export-aggregation-buffer-size", "10000"},
    {"export-aggregation-window-size", "15s"},
    {"export-allowlist", ""},
    {"export-denylist", ""},
    {"export-file-compress", "false"},
    {"export-file-max-backups", "5"},
    {"export-file-max-size-mb", "10"},
    {"export-file-perm", "600"},
    {"export-file-rotation-interval", "0s"},
    {"export-filename", ""},
    {"export-rate-limit", "-1"},
    {"expose-stack-addresses", "false"},
    {"field-filters", ""},
    {"filter-environment-variables", ""},
    {"force-large-progs", "false"},
    {"force-small-progs", "false"},
    {"generate-docs", "false"},
    {"gops-address", ""},
    {"health-server-address", ":6789"},
    {"health-server-interval", "10"},
    {"k8s-controlplane-retry", "1"},
    {"k8s-kubeconfig-path", ""},
    {"keep-sensors-on-exit", "false"},
    {"kernel", ""},
    {"log-file", ""},
    {"log-format", "text"},
    {"log-level", "info"},
    {"memprofile", ""},
    {"metrics-label-filter", "namespace,workload,pod,binary"},
    {"metrics-server", ""},
    {"netns-dir", "/var/run/docker/netns/"},
    {"parents-map-enabled", "false"},
    {"parents-map-entries", "0"},
    {"parents-map-size", "0"},
    {"pprof-address", ""},
    {"process-cache-gc-interval", "30s"},
    {"process-cache-size", "65536"},
    {"procfs", "/proc/"},
    {"rb-queue-size", "65535"},
    {"rb-size", "0"},
    {"rb-size-total", "0"},
    {"redaction-filters", ""},
    {"release-pinned-bpf", "true"},
    {"retprobes-cache-size", "4096"},
    {"server-address", "localhost:54321"},
    {"tracing-policy", ""},
    {"tracing-policy-dir", "/etc/tetragon/tetragon.tp.d"},
    {"use-perf-ring-buffer", "false"},
    {"username-metadata", "disabled"},
    {"verbose", "0"},
};

}  // namespace

TEST_CASE("every flag of the contract exists with its default, and nothing else unless marked as ours") {
  CHECK(std::size(contract) == 85);
  std::set<std::string_view> names;
  for (const auto& [name, value] : contract) {
    CAPTURE(name);
    names.insert(name);
    const Option* option = find_option(name);
    REQUIRE(option != nullptr);
    CHECK(format_value(*option, default_value(*option)) == value);
    CHECK_FALSE(option->own);
  }
  const std::set<std::string_view> old = {"enable-process-ancestors", "expose-kernel-addresses", "kmods", "pprof-addr",
                                          "help"};
  for (const Option& option : options()) {
    CAPTURE(option.name);
    CHECK((names.contains(option.name) || option.own || old.contains(option.name)));
  }
}

TEST_CASE("rows of the table agree with themselves") {
  std::set<std::string_view> names;
  std::set<char> short_names;
  for (const Option& option : options()) {
    CAPTURE(option.name);
    CHECK(names.insert(option.name).second);
    if (option.short_name != 0) CHECK(short_names.insert(option.short_name).second);
    CHECK_FALSE(option.help.empty());
    CHECK(option.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos);
    CHECK(parse_value(option, option.default_value).ok());
    CHECK((option.status == Status::available) == option.reason.empty());
    if (!option.alias_of.empty()) CHECK(find_option(option.alias_of) != nullptr);
    CHECK(&options()[index_of(option)] == &option);
  }
  CHECK(find_short_option('d') == find_option("debug"));
  CHECK(find_short_option('h') == find_option("help"));
  CHECK(find_short_option('\0') == nullptr);
}

TEST_CASE("options of one group lie together, as --help prints them") {
  std::set<Group> finished;
  Group group = Group::general;
  for (const Option& option : options()) {
    if (option.hidden) continue;
    CAPTURE(option.name);
    if (option.group != group) {
      CHECK(finished.insert(group).second);
      CHECK_FALSE(finished.contains(option.group));
      group = option.group;
    }
  }
}

TEST_CASE("a mistyped name gets a suggestion, an unrelated one does not") {
  CHECK(nearest_option("log-levle") == "log-level");
  CHECK(nearest_option("loglevel") == "log-level");
  CHECK(nearest_option("LOG_LEVEL") == "log-level");
  CHECK(nearest_option("export-file-name") == "export-filename");
  CHECK(nearest_option("server-adress") == "server-address");
  CHECK(nearest_option("unrelated-thing").empty());
  CHECK(nearest_option("").empty());
  CHECK(nearest_option(std::string(10000, 'x')).empty());
  CHECK(did_you_mean("log-levle", "--") == "; did you mean \"--log-level\"?");
  CHECK(did_you_mean("zzzzzzzz").empty());
  CHECK(environment_name(*find_option("server-address")) == "TETRAGON_SERVER_ADDRESS");
}

}  // namespace tetragon::config
