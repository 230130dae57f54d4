// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

// Record and switches of the plugin that the facade's tests drive.
struct sample_record {
  std::uint64_t head[4];  // in place of struct tg_record
  std::uint32_t pid;
  std::int32_t number;
  char comm[16];
};

struct SampleSwitches {
  enum class Throw { no, std_exception, something_else };
  Throw create = Throw::no;
  Throw start = Throw::no;
  Throw decode = Throw::no;
  bool start_says_no = false;
  int stops = 0;
  int alive = 0;
};
extern SampleSwitches g_sample;
