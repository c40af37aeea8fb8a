//! What every input may cost: an input that takes longer or allocates more is a fault, like one that panics.

use std::alloc::System;

use rustix::time::{ClockId, clock_gettime};
use stats_alloc::{Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: StatsAlloc<System> = StatsAlloc::system();

/// Milliseconds of processor time. A quarter of a second is promised; fuzzers run with checks, and on slow machines.
const TIME: i64 = 1_500;
/// Bytes that may be allocated in all, whether they are freed or not, and how many more for each byte of the input.
const BYTES: usize = 96 * 1024 * 1024;
const BYTES_PER_BYTE: usize = 512;

/// Carries out the work that an input of that length causes, within what it may cost.
pub fn within_budget<T>(length: usize, work: impl FnOnce() -> T) -> T {
    let region = Region::new(&ALLOCATOR);
    let begun = processor_time();
    let outcome = work();
    let (took, allocated) = (processor_time() - begun, region.change().bytes_allocated);
    assert!(took <= TIME, "an input of {length} bytes took {took} ms of processor time");
    let most = BYTES + BYTES_PER_BYTE * length;
    assert!(allocated <= most, "an input of {length} bytes allocated {allocated} bytes");
    outcome
}

fn processor_time() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
}
