// SPDX-License-Identifier: Apache-2.0
#include "core/util/kernel_names.h"

#include <array>

namespace tetragon {
namespace {

constexpr auto families = std::to_array<KernelName>(
    {{0, "AF_UNSPEC"},    {1, "AF_UNIX"},      {1, "AF_LOCAL"},    {2, "AF_INET"},        {3, "AF_AX25"},
     {4, "AF_IPX"},       {5, "AF_APPLETALK"}, {6, "AF_NETROM"},   {7, "AF_BRIDGE"},      {8, "AF_ATMPVC"},
     {9, "AF_X25"},       {10, "AF_INET6"},    {11, "AF_ROSE"},    {12, "AF_DECnet"},     {13, "AF_NETBEUI"},
     {14, "AF_SECURITY"}, {15, "AF_KEY"},      {16, "AF_NETLINK"}, {16, "AF_ROUTE"},      {17, "AF_PACKET"},
     {18, "AF_ASH"},      {19, "AF_ECONET"},   {20, "AF_ATMSVC"},  {21, "AF_RDS"},        {22, "AF_SNA"},
     {23, "AF_IRDA"},     {24, "AF_PPPOX"},    {25, "AF_WANPIPE"}, {26, "AF_LLC"},        {27, "AF_IB"},
     {28, "AF_MPLS"},     {29, "AF_CAN"},      {30, "AF_TIPC"},    {31, "AF_BLUETOOTH"},  {32, "AF_IUCV"},
     {33, "AF_RXRPC"},    {34, "AF_ISDN"},     {35, "AF_PHONET"},  {36, "AF_IEEE802154"}, {37, "AF_CAIF"},
     {38, "AF_ALG"},      {39, "AF_NFC"},      {40, "AF_VSOCK"},   {41, "AF_KCM"},        {42, "AF_QIPCRTR"},
     {43, "AF_SMC"},      {44, "AF_XDP"},      {45, "AF_MCTP"}});

constexpr auto protocols = std::to_array<KernelName>(
    {{0, "IPPROTO_IP"},        {1, "IPPROTO_ICMP"},   {2, "IPPROTO_IGMP"},       {4, "IPPROTO_IPIP"},
     {6, "IPPROTO_TCP"},       {8, "IPPROTO_EGP"},    {12, "IPPROTO_PUP"},       {17, "IPPROTO_UDP"},
     {22, "IPPROTO_IDP"},      {29, "IPPROTO_TP"},    {33, "IPPROTO_DCCP"},      {41, "IPPROTO_IPV6"},
     {46, "IPPROTO_RSVP"},     {47, "IPPROTO_GRE"},   {50, "IPPROTO_ESP"},       {51, "IPPROTO_AH"},
     {58, "IPPROTO_ICMPV6"},   {92, "IPPROTO_MTP"},   {94, "IPPROTO_BEETPH"},    {98, "IPPROTO_ENCAP"},
     {103, "IPPROTO_PIM"},     {108, "IPPROTO_COMP"}, {115, "IPPROTO_L2TP"},     {132, "IPPROTO_SCTP"},
     {136, "IPPROTO_UDPLITE"}, {137, "IPPROTO_MPLS"}, {143, "IPPROTO_ETHERNET"}, {255, "IPPROTO_RAW"},
     {256, "IPPROTO_SMC"},     {262, "IPPROTO_MPTCP"}});

constexpr auto states = std::to_array<KernelName>({{1, "TCP_ESTABLISHED"},
                                                   {2, "TCP_SYN_SENT"},
                                                   {3, "TCP_SYN_RECV"},
                                                   {4, "TCP_FIN_WAIT1"},
                                                   {5, "TCP_FIN_WAIT2"},
                                                   {6, "TCP_TIME_WAIT"},
                                                   {7, "TCP_CLOSE"},
                                                   {8, "TCP_CLOSE_WAIT"},
                                                   {9, "TCP_LAST_ACK"},
                                                   {10, "TCP_LISTEN"},
                                                   {11, "TCP_CLOSING"},
                                                   {12, "TCP_NEW_SYN_RECV"},
                                                   {13, "TCP_BOUND_INACTIVE"}});

constexpr auto capabilities = std::to_array<std::string_view>({"CAP_CHOWN",
                                                               "CAP_DAC_OVERRIDE",
                                                               "CAP_DAC_READ_SEARCH",
                                                               "CAP_FOWNER",
                                                               "CAP_FSETID",
                                                               "CAP_KILL",
                                                               "CAP_SETGID",
                                                               "CAP_SETUID",
                                                               "CAP_SETPCAP",
                                                               "CAP_LINUX_IMMUTABLE",
                                                               "CAP_NET_BIND_SERVICE",
                                                               "CAP_NET_BROADCAST",
                                                               "CAP_NET_ADMIN",
                                                               "CAP_NET_RAW",
                                                               "CAP_IPC_LOCK",
                                                               "CAP_IPC_OWNER",
                                                               "CAP_SYS_MODULE",
                                                               "CAP_SYS_RAWIO",
                                                               "CAP_SYS_CHROOT",
                                                               "CAP_SYS_PTRACE",
                                                               "CAP_SYS_PACCT",
                                                               "CAP_SYS_ADMIN",
                                                               "CAP_SYS_BOOT",
                                                               "CAP_SYS_NICE",
                                                               "CAP_SYS_RESOURCE",
                                                               "CAP_SYS_TIME",
                                                               "CAP_SYS_TTY_CONFIG",
                                                               "CAP_MKNOD",
                                                               "CAP_LEASE",
                                                               "CAP_AUDIT_WRITE",
                                                               "CAP_AUDIT_CONTROL",
                                                               "CAP_SETFCAP",
                                                               "CAP_MAC_OVERRIDE",
                                                               "CAP_MAC_ADMIN",
                                                               "CAP_SYSLOG",
                                                               "CAP_WAKE_ALARM",
                                                               "CAP_BLOCK_SUSPEND",
                                                               "CAP_AUDIT_READ",
                                                               "CAP_PERFMON",
                                                               "CAP_BPF",
                                                               "CAP_CHECKPOINT_RESTORE"});
static_assert(capabilities.size() == 41 && capabilities[21] == "CAP_SYS_ADMIN");

}  // namespace

std::span<const KernelName> address_families() noexcept {
  return families;
}
std::span<const KernelName> ip_protocols() noexcept {
  return protocols;
}
std::span<const KernelName> tcp_states() noexcept {
  return states;
}
std::span<const std::string_view> capability_names() noexcept {
  return capabilities;
}

std::optional<uint32_t> find_number(std::span<const KernelName> names, std::string_view name) noexcept {
  for (const KernelName& one : names) {
    if (one.name == name) return one.number;
  }
  return std::nullopt;
}

std::string_view find_name(std::span<const KernelName> names, uint32_t number) noexcept {
  for (const KernelName& one : names) {
    if (one.number == number) return one.name;
  }
  return {};
}

}  // namespace tetragon
