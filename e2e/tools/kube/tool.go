// Package tool names what the harness builds from this module: the control plane, the node's agents and kubectl.
//
// The tag keeps it out of every build: it is here so that go.mod requires what is built.

//go:build tool

package tool

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kube-proxy"
	_ "k8s.io/kubernetes/cmd/kube-scheduler"
	_ "k8s.io/kubernetes/cmd/kubectl"
	_ "k8s.io/kubernetes/cmd/kubelet"
)
