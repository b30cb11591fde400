// Package tool names what the harness builds from this module: the control plane, the node's agents and kubectl.
//
// The tag keeps it out of every build: it is here so that go.mod requires what is built.

//go:build tool

package tool

// Kubernetes requires its own staging modules at v0.0.0, which nobody published: go.mod replaces each of them by the
// release of the same day. For another release, change the versions of all of them together and run go mod tidy; a
// new one among them shows up as a requirement that cannot be found.
import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kube-proxy"
	_ "k8s.io/kubernetes/cmd/kube-scheduler"
	_ "k8s.io/kubernetes/cmd/kubectl"
	_ "k8s.io/kubernetes/cmd/kubelet"
)
