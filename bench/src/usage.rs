//! Processor time and memory of processes, as the kernel counts them.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::Context;
use pavilion_e2e::Broker;

/// The data plane of one tenant and the edge, by pid.
pub struct Programs {
    pids: Vec<(&'static str, u32)>,
}

/// Programs of a tenant, in the order they are printed.
pub const OF_TENANT: [&str; 3] = ["pavilion-verifier", "pavilion-signer", "pavilion-auditor"];

impl Programs {
    /// Finds the edge and one tenant's programs.
    pub fn of(broker: &Broker, tenant: &str) -> anyhow::Result<Self> {
        let router = ("pavilion-router", broker.child("pavilion-router", None));
        let own = OF_TENANT.map(|program| (program, broker.child(program, Some(tenant))));
        let pids = [router]
            .into_iter()
            .chain(own)
            .map(|(name, pid)| Ok((name, pid.with_context(|| format!("{name} does not run"))?)))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { pids })
    }

    /// Samples their stacks into a file for as long as the returned process runs, which is `seconds`.
    /// A line for each program says which number it has there.
    pub fn sample(&self, file: &Path, seconds: u64) -> anyhow::Result<Child> {
        let pids: Vec<_> = self.pids.iter().map(|(_, pid)| pid.to_string()).collect();
        for (name, pid) in &self.pids {
            println!("sampled: {pid} {name}");
        }
        Command::new("perf")
            .args(["record", "--quiet", "-e", "cpu-clock", "-F", "499", "-g"])
            .args(["-p", &pids.join(","), "-o"])
            .arg(file)
            .args(["--", "sleep", &seconds.to_string()])
            .spawn()
            .context("perf is not installed")
    }

    /// Processor time spent so far, by program.
    pub fn processor(&self) -> anyhow::Result<Vec<(&'static str, Duration)>> {
        let each = self.pids.iter();
        each.map(|(name, pid)| Ok((*name, processor(*pid)?)))
            .collect()
    }

    /// Resident memory by program, in KiB.
    pub fn resident_kib(&self) -> anyhow::Result<Vec<(&'static str, u64)>> {
        let each = self.pids.iter();
        each.map(|(name, pid)| Ok((*name, resident_kib(*pid)?)))
            .collect()
    }
}

/// User and system time of a process (`/proc/<pid>/stat`, fields 14 and 15).
pub fn processor(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("process {pid} ended meanwhile"))?;
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_millis(
        ticks * 1000 / rustix::param::clock_ticks_per_second(),
    ))
}

/// Resident memory of a process, in KiB.
pub fn resident_kib(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("process {pid} ended meanwhile"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().split(' ').next());
    Ok(number.context("a process without memory")?.parse()?)
}
