// SPDX-License-Identifier: Apache-2.0
#pragma once

// Messages filled at random through reflection, for property tests.

#include <google/protobuf/message.h>

#include <random>
#include <string>

namespace tetragon::event::testing {

using Random = std::mt19937_64;

std::string random_text(Random& random);

// Sets about density percent of the fields, nested messages too, down to depth.
void fill(google::protobuf::Message& message, Random& random, unsigned density, int depth);

// The wire form with maps in the order of their keys.
std::string deterministic_wire(const google::protobuf::Message& message);

}  // namespace tetragon::event::testing
