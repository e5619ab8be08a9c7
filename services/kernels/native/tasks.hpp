// Tasks spread over threads, each told which worker it runs on, for scratch of its own.
#pragma once

#include <atomic>
#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

namespace coffer {

// Calls work(task, worker) for each task 0…count-1, from at most `workers` threads, the caller's
// among them; worker is in 0…workers-1, and no two threads share one. work must not throw.
template <typename Work>
void for_each_task(std::size_t count, unsigned workers, const Work& work) {
  std::atomic<std::size_t> next{0};
  const auto take_tasks = [&](unsigned worker) {
    for (std::size_t task; (task = next.fetch_add(1)) < count;) work(task, worker);
  };
  std::vector<std::jthread> others;
  others.reserve(workers);
  try {
    for (unsigned worker = 1; worker < workers && worker < count; ++worker)
      others.emplace_back(take_tasks, worker);
  } catch (const std::system_error&) {
    // The sandbox grants no further thread: those that run do all the work.
  }
  take_tasks(0);
}

}  // namespace coffer
