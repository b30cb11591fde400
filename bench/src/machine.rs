//! What the figures were measured on.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Keeps this process and all it starts to the first two cores it may use: the tables are for two.
pub fn keep_to_two_cores() -> std::io::Result<()> {
    let (allowed, mut two) = (sched_getaffinity(None)?, CpuSet::new());
    let cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    cores.take(2).for_each(|core| two.set(core));
    sched_setaffinity(None, &two)?;
    Ok(())
}

/// Prints date, processor and cores.
pub fn print() {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name\t: "))
        .unwrap_or("unknown");
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    println!(
        "{}, {model}, {cores} cores, Linux {}",
        jiff::Timestamp::now().strftime("%F"),
        kernel.trim()
    );
}
