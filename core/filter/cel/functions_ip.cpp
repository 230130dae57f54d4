// SPDX-License-Identifier: Apache-2.0
// The IP and CIDR functions of Kubernetes' library.
#include "core/filter/cel/functions.h"

namespace tetragon::filter::cel {
namespace {

Value ip(Steps&, Args args) {
  if (args[0].is(Kind::cidr)) {
    return Value::ip(args[0].as_cidr().address);
  }
  if (!args[0].is(Kind::string)) {
    return no_overload("ip", args);
  }
  const auto address = IpAddress::parse(args[0].text());
  return address ? Value::ip(*address) : Value::error("ip() of a text that is no IP address");
}

Value is_ip(Steps&, Args args) {
  return args[0].is(Kind::string) ? Value::boolean(IpAddress::parse(args[0].text()).has_value())
                                  : no_overload("isIP", args);
}

Value is_canonical(Steps&, Args args) {
  if (!args[0].is(Kind::string)) {
    return no_overload("ip.isCanonical", args);
  }
  const auto address = IpAddress::parse(args[0].text());
  return address ? Value::boolean(address->text() == args[0].text())
                 : Value::error("ip.isCanonical() of a text that is no IP address");
}

Value family(Steps&, Args args) {
  return args[0].is(Kind::ip) ? Value::integer(args[0].as_ip().v6 ? 6 : 4) : no_overload("family", args);
}

template <bool (IpAddress::*test)() const>
Value is(Steps&, Args args) {
  return args[0].is(Kind::ip) ? Value::boolean((args[0].as_ip().*test)())
                              : no_overload("a method of IP addresses", args);
}

Value cidr(Steps&, Args args) {
  if (!args[0].is(Kind::string)) {
    return no_overload("cidr", args);
  }
  const auto network = IpNetwork::parse(args[0].text());
  return network ? Value::cidr(*network) : Value::error("cidr() of a text that is no network such as 10.0.0.0/8");
}

Value is_cidr(Steps&, Args args) {
  return args[0].is(Kind::string) ? Value::boolean(IpNetwork::parse(args[0].text()).has_value())
                                  : no_overload("isCIDR", args);
}

Value contains_ip(Steps&, Args args) {
  if (!args[0].is(Kind::cidr) || !(args[1].is(Kind::ip) || args[1].is(Kind::string))) {
    return no_overload("containsIP", args);
  }
  if (args[1].is(Kind::ip)) {
    return Value::boolean(args[0].as_cidr().contains(args[1].as_ip()));
  }
  const auto address = IpAddress::parse(args[1].text());
  return address ? Value::boolean(args[0].as_cidr().contains(*address))
                 : Value::error("containsIP() of a text that is no IP address");
}

Value contains_cidr(Steps&, Args args) {
  if (!args[0].is(Kind::cidr) || !(args[1].is(Kind::cidr) || args[1].is(Kind::string))) {
    return no_overload("containsCIDR", args);
  }
  if (args[1].is(Kind::cidr)) {
    return Value::boolean(args[0].as_cidr().contains(args[1].as_cidr()));
  }
  const auto network = IpNetwork::parse(args[1].text());
  return network ? Value::boolean(args[0].as_cidr().contains(*network))
                 : Value::error("containsCIDR() of a text that is no network");
}

Value masked(Steps&, Args args) {
  return args[0].is(Kind::cidr) ? Value::cidr(args[0].as_cidr().masked()) : no_overload("masked", args);
}

Value prefix_length(Steps&, Args args) {
  return args[0].is(Kind::cidr) ? Value::integer(args[0].as_cidr().prefix) : no_overload("prefixLength", args);
}

constexpr Function table[] = {
    {"ip", false, 1, 1, Kind::ip, ip},
    {"ip", true, 1, 1, Kind::ip, ip},
    {"isIP", false, 1, 1, Kind::boolean, is_ip},
    {"ip.isCanonical", false, 1, 1, Kind::boolean, is_canonical},
    {"family", true, 1, 1, Kind::integer, family},
    {"isUnspecified", true, 1, 1, Kind::boolean, is<&IpAddress::is_unspecified>},
    {"isLoopback", true, 1, 1, Kind::boolean, is<&IpAddress::is_loopback>},
    {"isLinkLocalMulticast", true, 1, 1, Kind::boolean, is<&IpAddress::is_link_local_multicast>},
    {"isLinkLocalUnicast", true, 1, 1, Kind::boolean, is<&IpAddress::is_link_local_unicast>},
    {"isGlobalUnicast", true, 1, 1, Kind::boolean, is<&IpAddress::is_global_unicast>},
    {"cidr", false, 1, 1, Kind::cidr, cidr},
    {"isCIDR", false, 1, 1, Kind::boolean, is_cidr},
    {"containsIP", true, 2, 2, Kind::boolean, contains_ip},
    {"containsCIDR", true, 2, 2, Kind::boolean, contains_cidr},
    {"masked", true, 1, 1, Kind::cidr, masked},
    {"prefixLength", true, 1, 1, Kind::integer, prefix_length},
};

}  // namespace

std::span<const Function> ip_functions() {
  return table;
}

}  // namespace tetragon::filter::cel
