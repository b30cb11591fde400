//! The list of checks, under the benchmark's own names.

use futures::future::BoxFuture;

use super::{Row, pods, reach, tenant::Tenant};

/// One check.
pub struct Check {
    /// As the benchmark calls it.
    pub id: &'static str,
    /// What it is about.
    pub title: &'static str,
    /// Tries it.
    pub run: for<'a> fn(&'a Tenant) -> BoxFuture<'a, Row>,
}

macro_rules! checks {
    ($($id:literal $title:literal $run:expr;)*) => {
        [$(Check { id: $id, title: $title, run: |tenant| Box::pin($run(tenant)) },)*]
    };
}

/// All of them.
pub const CHECKS: [Check; 21] = checks! {
    "block_access_to_cluster_resources" "resources of the cluster" reach::cluster_resources;
    "block_multitenant_resources" "what the operator put into the namespace" reach::shared_resources;
    "block_other_tenant_resources" "the namespace of another tenant" reach::other_tenant;
    "block_ns_quota" "changing the quota" reach::quota;
    "block_role_privilege_escalation" "giving oneself more" reach::escalation;
    "block_add_capabilities" "a pod with more capabilities" pods::capabilities;
    "block_privilege_escalation" "a pod that may gain privileges" pods::gaining_privileges;
    "block_privileged_containers" "a privileged pod" pods::privileged;
    "block_use_of_bind_mounts" "a pod that mounts a folder of the node both ways" pods::bind_mount;
    "block_use_of_host_path" "a pod with a folder of the node" pods::host_path;
    "block_use_of_host_ipc" "a pod with the node's IPC" pods::host_ipc;
    "block_use_of_host_pid" "a pod with the node's processes" pods::host_pid;
    "block_use_of_host_networking_and_ports" "a pod with the node's network, or a port of it" pods::host_network;
    "require_run_as_non_root_user" "a pod as root" pods::root;
    "require_always_pull_image" "a pod with an image that the node has already" pods::image_of_the_node;
    "block_use_of_nodeport_services" "a Service with a port on every node" reach::node_port;
    "configure_ns_quotas" "amounts are limited" reach::amounts;
    "configure_ns_object_quota" "numbers of objects are limited" reach::numbers;
    "create_network_policies" "own NetworkPolicies" reach::network_policies;
    "create_role_bindings" "own Roles and RoleBindings" reach::role_bindings;
    "default_deny_network_connections_across_tenants" "traffic between tenants" reach::default_deny;
};
