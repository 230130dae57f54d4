// SPDX-License-Identifier: Apache-2.0
#include "core/process/data_store.h"

#include <utility>

namespace tetragon::process {

void DataStore::add(const tetragon_data& data) {
  ++stats_.received;
  if (data.id == 0 || data.piece.size > max_bytes_) {
    ++stats_.bad;
    return;
  }
  const auto [slot, fresh] = entries_.try_emplace(data.id);
  if (fresh) {
    slot->second.order = order_.insert(order_.end(), data.id);
    ++stats_.added;
  } else {
    ++stats_.appended;
  }
  slot->second.bytes.append(static_cast<const char*>(data.piece.data), data.piece.size);
  bytes_ += data.piece.size;
  evict();
}

std::string DataStore::take(uint64_t id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) {
    ++stats_.not_matched;
    return {};
  }
  ++stats_.matched;
  std::string bytes = std::move(found->second.bytes);
  bytes_ -= bytes.size();
  order_.erase(found->second.order);
  entries_.erase(found);
  return bytes;
}

void DataStore::evict() {
  while (entries_.size() > max_entries_ || bytes_ > max_bytes_) {
    const auto oldest = entries_.find(order_.front());
    bytes_ -= oldest->second.bytes.size();
    entries_.erase(oldest);
    order_.pop_front();
    ++stats_.evicted;
  }
}

}  // namespace tetragon::process
