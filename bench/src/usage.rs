//! Processor time and memory of processes, as the kernel counts them.

use std::time::Duration;

use pavilion_e2e::Broker;

/// The data plane of one tenant and the edge, by pid.
pub struct Programs {
    pids: Vec<(&'static str, u32)>,
}

/// Programs of a tenant, in the order they are printed.
pub const OF_TENANT: [&str; 3] = ["pavilion-verifier", "pavilion-signer", "pavilion-auditor"];

impl Programs {
    /// Finds the edge and one tenant's programs.
    pub fn of(broker: &Broker, tenant: &str) -> Self {
        let mut pids = Vec::new();
        pids.extend(
            broker
                .child("pavilion-router", None)
                .map(|pid| ("pavilion-router", pid)),
        );
        for program in OF_TENANT {
            pids.extend(
                broker
                    .child(program, Some(tenant))
                    .map(|pid| (program, pid)),
            );
        }
        Self { pids }
    }

    /// Processor time spent so far, by program.
    pub fn processor(&self) -> Vec<(&'static str, Duration)> {
        self.pids
            .iter()
            .map(|(name, pid)| (*name, processor(*pid)))
            .collect()
    }

    /// Resident memory of the tenant's own programs, in KiB.
    pub fn resident_kib(&self) -> Vec<(&'static str, u64)> {
        self.pids
            .iter()
            .map(|(name, pid)| (*name, resident_kib(*pid)))
            .collect()
    }
}

/// User and system time of a process (`/proc/<pid>/stat`, fields 14 and 15).
fn processor(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
}

/// Resident memory of a process, in KiB.
fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or("0");
    line.trim()
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}
