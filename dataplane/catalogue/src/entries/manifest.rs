//! Reasons on manifests' conditions.

entries! { Manifest;
    READY = "Ready", 0, FINAL,
        "Everything is as it should be",
        "The object is served.",
        "Nothing to do.";
    ACCEPTED = "Accepted", 0, FINAL,
        "The manifest is valid",
        "It was read and checked.",
        "Nothing to do.";
    PROGRESSING = "Progressing", 0, RETRY,
        "A change is on its way",
        "The data plane does not serve the newest bundle yet.",
        "Wait; if it lasts look at the tenant's programs.";
    SUSPENDED = "Suspended", 0, FINAL,
        "The tenant is suspended",
        "spec.suspend is true: the edge answers every request with 503 tenant_suspended. Its programs run on.",
        "Set spec.suspend to false; it serves again at once.";
    HIBERNATED = "Hibernated", 0, FINAL,
        "The tenant hibernates",
        "spec.hibernate is true: its programs are stopped, and the edge answers every request with 503 tenant_hibernated. Keys, log and state stay.",
        "Set spec.hibernate to false; it serves again once its programs are ready.";
    SYNTAX_INVALID = "SyntaxInvalid", 0, FINAL,
        "The file is not readable YAML",
        "The file cannot be parsed, is too large, or is nested too deeply.",
        "Correct the file at the line named.";
    KIND_UNKNOWN = "KindUnknown", 0, FINAL,
        "The kind is not one of ours",
        "apiVersion and kind name nothing that is known here.",
        "Use pavilion.dev/v1alpha1 and Region, Plan, Tenant, Policy, TrustAnchor or RelyingParty.";
    FIELD_UNKNOWN = "FieldUnknown", 0, FINAL,
        "There is no such field",
        "The manifest has a field that the schema does not know.",
        "Remove or correct the field at the path named.";
    FIELD_INVALID = "FieldInvalid", 0, FINAL,
        "A field has the wrong type or form",
        "The value does not fit the schema.",
        "Correct the field at the path named.";
    NAME_INVALID = "NameInvalid", 0, FINAL,
        "A name is not allowed",
        "The name breaks the rules of its kind.",
        "Choose a name that fits.";
    DUPLICATE_OBJECT = "DuplicateObject", 0, FINAL,
        "The object stands twice",
        "Two documents have the same kind, namespace and name.",
        "Remove one.";
    NAMESPACE_UNKNOWN = "NamespaceUnknown", 0, FINAL,
        "The namespace belongs to no tenant",
        "A tenant's namespace is pavilion- and its name.",
        "Correct metadata.namespace or add the Tenant.";
    REFERENCE_DANGLING = "ReferenceDangling", 0, FINAL,
        "A reference leads nowhere",
        "The object named does not exist in the namespace.",
        "Create it or correct the name.";
    PURPOSES_DISJOINT = "PurposesDisjoint", 0, FINAL,
        "A registration that permits nothing",
        "The relying party and the policy it may ask have no purpose in common.",
        "Add a purpose of the policy to the relying party's spec.purposes, or take the policy off its list.";
    HOST_DUPLICATE = "HostDuplicate", 0, FINAL,
        "A host stands twice",
        "The same host is listed more than once.",
        "List each host once.";
    HOST_CLAIMED = "HostClaimed", 0, FINAL,
        "Two tenants claim one host",
        "A host belongs to one tenant.",
        "Remove the host from one of them.";
    FILE_UNREADABLE = "FileUnreadable", 0, FINAL,
        "A file that the manifest names cannot be read",
        "It is missing, too large or not of the expected form.",
        "Correct the path or the file.";
    KEY_SET_INVALID = "KeySetInvalid", 0, FINAL,
        "A key set cannot be used",
        "It is not a JWKS of public keys with supported algorithms.",
        "Give public EC P-256, P-384, P-521 or Ed25519 keys.";
    CERTIFICATE_INVALID = "CertificateInvalid", 0, FINAL,
        "A certificate cannot be used",
        "It cannot be read, has expired, or does not fit its key or host.",
        "Give a valid PEM certificate.";
    LIFETIME_INVALID = "LifetimeInvalid", 0, FINAL,
        "Lifetimes contradict each other",
        "A duration is outside its bounds or a key would retire before its last answer.",
        "Correct the durations named.";
    POLICY_INVALID = "PolicyInvalid", 0, FINAL,
        "The policy does not compile",
        "A reference, type or limit in the policy is wrong.",
        "Correct the field at the path named.";
    CLAUSE_NEVER_TRUE = "ClauseNeverTrue", 0, FINAL,
        "A clause can never be true",
        "Its conditions exclude each other, so the policy could never pass.",
        "Correct the clause at the path named.";
    POLICY_TOO_LARGE = "PolicyTooLarge", 0, FINAL,
        "The policy is over a limit",
        "The rule is nested too deeply or has too many nodes.",
        "Split the policy.";
    SET_REFUSED = "SetRefused", 0, FINAL,
        "Another manifest of the set is invalid",
        "A set of manifests takes effect whole or not at all.",
        "Correct the objects that are not Accepted.";
    SET_EMPTY = "SetEmpty", 0, FINAL,
        "The folder holds no object, and tenants are served",
        "A lost mount or a truncated file looks like an order to take everything off the air.",
        "Restore the manifests; to serve nothing on purpose start the operator with --allow-empty.";
    CHANGE_NOT_WRITTEN = "ChangeNotWritten", 0, RETRY,
        "An accepted change cannot be written down",
        "The state directory is full or cannot be written; what was in force before keeps serving.",
        "Make room on its disk or let this user write there; it is tried again every few seconds.";
    OPERATOR_STOPPED = "OperatorStopped", 0, FINAL,
        "No operator runs",
        "The operator of this state directory or of this cluster has ended; nobody watches what it looks after.",
        "Start pavilion-operator standalone with this state directory; in a cluster look at the Deployment pavilion-operator.";
    CERTIFICATE_EXPIRED = "CertificateExpired", 0, FINAL,
        "The server certificate has expired",
        "Clients refuse the connection.",
        "Renew the files or the Secret that spec.ingress.tls names.";
    CERTIFICATE_EXPIRING = "CertificateExpiring", 0, FINAL,
        "The server certificate ends soon",
        "Less than 14 days are left.",
        "Renew the files or the Secret that spec.ingress.tls names.";
    TRUST_ROOT_PENDING = "TrustRootPending", 0, RETRY,
        "The tenant's authority is not there",
        "The tenant's Plan names an issuer of cert-manager, which has not vouched for the tenant's authority, or not so that it can be used. A tenant that was served before goes on under the root that it has.",
        "Look at the message, and at the Certificate root-<tenant> beside the operator: kubectl -n pavilion-system describe certificate root-acme.";
    DATA_PLANE_UNAVAILABLE = "DataPlaneUnavailable", 0, RETRY,
        "The data plane is not ready",
        "A program of the tenant is not ready or keeps restarting.",
        "Look at the program and reason named.";
    BUNDLE_REFUSED = "BundleRefused", 0, FINAL,
        "The data plane refused the bundle",
        "The last good bundle keeps serving.",
        "The message says what was refused; if it is no limit that is named, it is a defect.";
    BUNDLE_TOO_LARGE = "BundleTooLarge", 0, FINAL,
        "The tenant's objects do not fit",
        "Policies, trust anchors and relying parties of one tenant come to more than an object of the API server can hold.",
        "Remove policies that are not asked any more, or spread them over several tenants.";
    PLACED = "Placed", 0, FINAL,
        "The tenant belongs here",
        "Its home region is that of this cluster, and the Region is as it asks.",
        "Nothing to do.";
    PLACED_ELSEWHERE = "PlacedElsewhere", 0, FINAL,
        "The tenant belongs to another region",
        "Nothing is made for it in this cluster. What was made while this cluster was called otherwise keeps serving, and nothing new of it takes effect.",
        "Apply it in a cluster of its region, or give this cluster its name back.";
    REGION_UNKNOWN = "RegionUnknown", 0, FINAL,
        "There is no Region of this name",
        "Nobody says whose law holds where the tenant is to run, so nothing new of it takes effect; what was accepted before keeps serving.",
        "Apply the Region; the chart makes it with region.create.";
    REGION_REFUSED = "RegionRefused", 0, FINAL,
        "The Region is not Accepted",
        "What it says cannot be so, so nothing new of its tenants takes effect; what was accepted before keeps serving.",
        "Correct the Region; its own condition Accepted says what is wrong.";
    REGION_ELSEWHERE = "RegionElsewhere", 0, FINAL,
        "The Region is another cluster",
        "The operator of this cluster is started for a Region of another name.",
        "Nothing to do; if it is to be this cluster set the chart's region.name.";
    RESIDENCY_UNMET = "ResidencyUnmet", 0, FINAL,
        "The region is not what the tenant asks for",
        "Its jurisdiction or its regimes are not those of the tenant's spec.residency. Nothing new takes effect; what was accepted before keeps serving.",
        "Place the tenant in a region that is as it asks, correct spec.residency or the Region; to take the tenant off the air set spec.suspend.";
    ENDPOINT_INVALID = "EndpointInvalid", 0, FINAL,
        "The Region's endpoint leads nowhere",
        "Its host or port is none, or its port is not that of the edge, which is part of issuers' names.",
        "Correct spec.endpoint of the Region, or the chart's publicPort.";
    EDGE_UNAVAILABLE = "EdgeUnavailable", 0, RETRY,
        "The edge of the region is not ready",
        "No router takes requests, or one of them has trouble; the message names it.",
        "Look at the Deployment pavilion-router.";
    GATEWAY_API_MISSING = "GatewayApiMissing", 0, FINAL,
        "A Gateway is named, and the cluster serves no TLSRoute",
        "The chart's value router.gateway names a Gateway, and the Gateway API's definitions are not installed, or not in a version that is known.",
        "Install the Gateway API, 1.5 or later in the standard channel, an earlier one in the experimental channel; or take router.gateway.name out.";
    GATEWAY_SILENT = "GatewaySilent", 0, RETRY,
        "Nobody answers for the Gateway",
        "The tenant's route to the Gateway that router.gateway names is there, and no controller has said whether it takes it.",
        "Wait a moment; if it lasts look whether there is a Gateway of that name, and whether the controller of its class runs.";
    GATEWAY_REFUSED = "GatewayRefused", 0, RETRY,
        "The Gateway does not take the tenant's route",
        "Its controller says why; the message repeats it. The tenant's hosts do not lead to it through this Gateway.",
        "Compare the Gateway's listener with the message: it must be of protocol TLS and mode Passthrough, allow routes from the operator's namespace, and have room for the tenant's hosts.";
    PLAN_UNKNOWN = "PlanUnknown", 0, FINAL,
        "There is no Plan of this name",
        "spec.plan of the Tenant names a class that is not there. What was accepted before keeps serving.",
        "Apply the Plan or name another: kubectl get pplan lists them. The chart makes small, standard and large with plans.create.";
    PLAN_REFUSED = "PlanRefused", 0, FINAL,
        "The tenant's Plan is not Accepted",
        "What the Plan says cannot be so. What was accepted before keeps serving.",
        "Correct the Plan; its own condition Accepted says what is wrong.";
    PRIORITY_CLASS_UNKNOWN = "PriorityClassUnknown", 0, FINAL,
        "A Plan names a PriorityClass that is not there",
        "The cluster would make no pod of it. What was accepted before keeps serving.",
        "Make the PriorityClass, or correct spec.priorityClassName of the Plan.";
    RUNTIME_CLASS_UNKNOWN = "RuntimeClassUnknown", 0, FINAL,
        "A Plan names a RuntimeClass that is not there",
        "The cluster would make no pod of it. What was accepted before keeps serving.",
        "Make the RuntimeClass, or correct spec.runtimeClassName of the Plan.";
    ISOLATION_APPLIED = "IsolationApplied", 0, FINAL,
        "What confines the tenant is in place",
        "Namespace, quota, limits, network policies and accounts are as they are to be.",
        "Nothing to do.";
    ISOLATION_VERIFIED = "IsolationVerified", 0, FINAL,
        "The tenant was found isolated",
        "What must be refused to it, and to others, was tried and refused, and is tried again every few minutes.",
        "Nothing to do.";
    API_SERVER_REACHABLE = "ApiServerReachable", 0, FINAL,
        "The tenant's pod reaches the API server",
        "A connection came about that network policy must refuse.",
        "Find the policy that opens it: kubectl -n pavilion-<tenant> get networkpolicies, and those of your network plugin. If there is none, the plugin does not enforce policy towards the node of the API server.";
    NEIGHBOUR_REACHABLE = "NeighbourReachable", 0, FINAL,
        "The tenant's pod reaches pods of others",
        "A connection to a pod in another namespace came about that network policy must refuse.",
        "Find the policy that opens it: kubectl -n pavilion-<tenant> get networkpolicies, and those of your network plugin. If there is none, the plugin does not enforce policy.";
    METADATA_REACHABLE = "MetadataReachable", 0, FINAL,
        "The tenant's pod reaches the metadata service",
        "Clouds tell there who a machine is and what it may do.",
        "Find the policy that opens it; close it in your network plugin, or require a hop limit of 1 in the cloud.";
    NODE_REACHABLE = "NodeReachable", 0, FINAL,
        "The tenant's pod reaches its node's kubelet",
        "A connection to the node came about that network policy must refuse.",
        "Find the policy that opens it. Some network plugins never close the way from a pod to its own node: look for a setting of theirs for host traffic.";
    NAME_SERVER_REACHABLE = "NameServerReachable", 0, FINAL,
        "The tenant's pod reaches the name server, and needs it not",
        "It has no trust anchor, fetches nothing, and may resolve no names: by them data can leave.",
        "Find the policy that opens it: kubectl -n pavilion-<tenant> get networkpolicies, and those of your network plugin.";
    CLOSED_ADDRESS_REACHABLE = "ClosedAddressReachable", 0, FINAL,
        "The tenant's pod reaches an address that is to be closed",
        "The chart's value isolation.closed names the address.",
        "Find the policy that opens it, or take the address off isolation.closed.";
    TENANT_REACHABLE = "TenantReachable", 0, FINAL,
        "Others reach the tenant's pod",
        "A pod of another namespace, which is neither the edge nor the operator, came through to it.",
        "Find the policy that opens it: kubectl -n pavilion-<tenant> get networkpolicies, and those of your network plugin. If there is none, the plugin does not enforce policy.";
    FILES_EXPOSED = "FilesExposed", 0, FINAL,
        "Files of one program are open to another",
        "The probe in the tenant's pod has none of the tenant's files, and could open or make one.",
        "Look at what changes pods in this cluster, such as an admission webhook that mounts something, and exempt pavilion-<tenant>.";
    PRIVILEGES_KEPT = "PrivilegesKept", 0, FINAL,
        "A program may do more than it should",
        "The container runtime left privileges to the probe that its pod gives away, or did not filter its system calls.",
        "Compare the pod's securityContext with the message; the runtime of its node does not do what it says.";
    PROBE_SILENT = "ProbeSilent", 0, RETRY,
        "Nobody tries whether the tenant is isolated",
        "The probe in its pod or its neighbour does not answer, or has tried nothing for three rounds.",
        "Look at the container probe of the tenant's pod and at deployment/pavilion-neighbour in the namespace of the operator with -neighbour at its end.";
    ISOLATION_UNPROVEN = "IsolationUnproven", 0, RETRY,
        "That nothing was reached shows nothing",
        "Where nothing is closed nobody gets through either, or a try was not possible.",
        "Look at the message: the neighbour must reach the API server, and a tenant that fetches status lists the name server.";
    NAMESPACE_TAKEN = "NamespaceTaken", 0, FINAL,
        "The tenant's namespace is somebody else's",
        "A namespace of that name exists and its owner did not mark it as this tenant's.",
        "Label the namespace pavilion.dev/tenant=<name>, or choose another name for the tenant.";
    DELETION_PROTECTED = "DeletionProtected", 0, FINAL,
        "The tenant is protected from deletion",
        "It was deleted, but spec.deletionPolicy is Protect: it goes on to serve.",
        "Set spec.deletionPolicy to Retain or Delete; the deletion then goes on by itself.";
    TERMINATING = "Terminating", 0, RETRY,
        "The tenant is being deleted",
        "The edge answers its requests with 503 tenant_terminating, then its programs stop; with deletionPolicy Delete its keys and its namespace go.",
        "Wait; the message names the step. The guide on deleting tenants has a way out where a step cannot end.";
    OBJECT_RESTORED = "ObjectRestored", 0, FINAL,
        "An object of the tenant was put right",
        "Somebody else changed or deleted something that the operator keeps for the tenant. The Event names the object and the field.",
        "Nothing to do here; the audit log of the API server tells who it was. What is to differ belongs in the Tenant.";
    KEYS_UNREADABLE = "KeysUnreadable", 0, RETRY,
        "The tenant's keys cannot be read",
        "The Secret with them holds something that no release wrote. It is left alone: new keys would not open the tenant's token.",
        "Restore the Secret named from a backup.";
    API_REFUSED = "ApiRefused", 0, RETRY,
        "The API server did not take a change",
        "It refused a request of the operator or did not answer in time.",
        "Look at the message; it is tried again, less and less often.";
    LEASE_OVER = "LeaseOver", 0, RETRY,
        "Another replica of the operator writes",
        "This replica's lease ended before the change was made.",
        "Nothing to do; the replica that holds the lease goes on.";
    OPERATOR_FAULT = "OperatorFault", 0, RETRY,
        "The operator came upon a fault of its own",
        "A look at this tenant broke off. The others are looked after all the same, and this one is looked at again, less and less often.",
        "Report it with the operator's log, which names the place in its code.";
}
