//! The network between nodes: one bridge for a directory, and a cable from each node to it.
//!
//! The machine forwards nothing for them: nodes reach each other and the machine, and nothing leaves. No rule of the
//! machine's own firewall is made, changed or flushed: the rules of kube-proxy and Cilium are in the nodes' namespaces.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::command::Run;
use crate::directory::Directory;
use crate::namespaces::within;
use crate::node::Node;
use crate::patience::wait_until;

#[derive(Deserialize)]
struct Interface {
    #[serde(default)]
    ifname: String,
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    #[serde(default)]
    local: String,
}

impl Interface {
    /// Its addresses of version 4.
    fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        let all = self.addr_info.iter();
        all.filter_map(|address| address.local.parse().ok())
    }
}

/// Makes the bridge where it is missing; the machine's address on it.
pub fn bridge(directory: &Directory) -> Result<Ipv4Addr> {
    let name = bridge_name(directory);
    let all = interfaces()?;
    let there = all.iter().find(|interface| interface.ifname == name);
    let address = there.and_then(|bridge| bridge.addresses().next());
    if there.is_none() {
        ip(&["link", "add", &name, "type", "bridge"])?;
    }
    let address = match address {
        Some(address) => address,
        None => give_address(&name, &all)?,
    };
    ip(&["link", "set", &name, "up"])?;
    Ok(address)
}

fn give_address(bridge: &str, all: &[Interface]) -> Result<Ipv4Addr> {
    let address = free_network(all.iter().flat_map(Interface::addresses))?;
    ip(&["addr", "add", &format!("{address}/24"), "dev", bridge])?;
    Ok(address)
}

/// The first network of 172.31.0.0/16 that the machine is not on.
fn free_network(used: impl Iterator<Item = Ipv4Addr>) -> Result<Ipv4Addr> {
    let used: BTreeSet<u8> = used
        .filter_map(|address| match address.octets() {
            [172, 31, third, _] => Some(third),
            _ => None,
        })
        .collect();
    let free = (0..=u8::MAX).find(|third| !used.contains(third));
    let third = free.context("every network of 172.31.0.0/16 is in use; remove one")?;
    Ok(Ipv4Addr::new(172, 31, third, 1))
}

/// Where clouds tell a machine about itself, its credentials among it. A node has the address, so that something can be
/// there to be reached, and nothing is by itself.
const METADATA: &str = "169.254.169.254/32";

/// Runs a cable from the node, whose anchor is this process, to the bridge.
pub fn connect(directory: &Directory, node: &Node, gateway: Ipv4Addr, anchor: i32) -> Result<()> {
    let link = node.link();
    let bridge = bridge_name(directory);
    let inside = anchor.to_string();
    let ends = ["peer", "name", "eth0", "netns", &inside];
    ip(&[&["link", "add", &link, "type", "veth"][..], &ends].concat())?;
    ip(&["link", "set", &link, "master", &bridge, "up"])?;
    // A node before this one had the address and another MAC. Where the bridge outlives a node, because another
    // cluster is on it, the machine would go on sending to that MAC for up to 40 s.
    let before = node.address.to_string();
    ip(&["neigh", "flush", "to", &before, "dev", &bridge])?;
    let address = format!("{}/24", node.address);
    let gateway = gateway.to_string();
    for arguments in [
        &["link", "set", "lo", "up"][..],
        &["addr", "add", METADATA, "dev", "lo"],
        &["addr", "add", &address, "dev", "eth0"],
        &["link", "set", "eth0", "up"],
        &["route", "add", "default", "via", &gateway],
    ] {
        within(node, "ip")?.args(arguments).output()?;
    }
    let forward = within(node, "tee")?.arg("/proc/sys/net/ipv4/ip_forward");
    forward.input("1").output().map(drop)
}

/// Removes the cable of a node; its other end goes with the namespace, a moment after the last process in it.
pub fn disconnect(link: &str) -> Result<()> {
    wait_until("the cable of the node is gone", || {
        // Between the look and the removal the kernel may have been quicker.
        let _ = Run::new("ip").args(["link", "del", link]).succeeds();
        Ok(interfaces()?
            .iter()
            .all(|interface| interface.ifname != link))
    })
}

/// Removes the bridge and every cable of the directory.
pub fn remove(directory: &Directory) -> Result<()> {
    for interface in of(directory)? {
        disconnect(&interface)?;
    }
    Ok(())
}

/// The interfaces on the machine that are this directory's.
pub fn of(directory: &Directory) -> Result<Vec<String>> {
    let prefix = bridge_name(directory);
    let names = interfaces()?.into_iter().map(|interface| interface.ifname);
    Ok(names.filter(|name| name.starts_with(&prefix)).collect())
}

fn bridge_name(directory: &Directory) -> String {
    format!("pv{}", directory.tag())
}

fn interfaces() -> Result<Vec<Interface>> {
    let text = Run::new("ip").args(["-json", "addr"]).output()?;
    read(&text)
}

/// An empty text stands for no interface, and an empty object for one that is in another namespace.
fn read(text: &str) -> Result<Vec<Interface>> {
    let text = if text.trim().is_empty() { "[]" } else { text };
    serde_json::from_str(text).context("`ip -json addr` printed something unexpected")
}

fn ip(arguments: &[&str]) -> Result<()> {
    Run::new("ip").args(arguments).output().map(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_interfaces_are_read_with_their_addresses() {
        let text = r#"[{},{"ifname":"lo","addr_info":[{"family":"inet","local":"127.0.0.1"},
            {"family":"inet6","local":"::1"}]},{"ifname":"pv0a1b2c","addr_info":[]}]"#;
        let all = read(text).unwrap();
        assert_eq!(all[1].ifname, "lo");
        let local: Vec<_> = all[1].addresses().collect();
        assert_eq!(local, [Ipv4Addr::LOCALHOST]);
        assert_eq!(all[2].addresses().count(), 0);
        assert!(read("").unwrap().is_empty());
    }

    #[test]
    fn a_network_that_the_machine_is_on_is_not_taken() {
        let used = [Ipv4Addr::new(172, 31, 0, 9), Ipv4Addr::new(172, 31, 1, 1)];
        let free = free_network(used.into_iter()).unwrap();
        assert_eq!(free.to_string(), "172.31.2.1");
        let all = (0..=255).map(|third| Ipv4Addr::new(172, 31, third, 1));
        assert!(
            free_network(all)
                .unwrap_err()
                .to_string()
                .contains("remove one")
        );
    }
}
