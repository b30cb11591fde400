// Package tool names what the harness builds from this module: the agent that enforces network policy and its CNI plugin.
//
// The tag keeps it out of every build: it is here so that go.mod requires what is built.

//go:build tool

package tool

import (
	_ "github.com/cilium/cilium/daemon"
	_ "github.com/cilium/cilium/plugins/cilium-cni"
)
