// Package tool names what the harness builds from this module: the store of a cluster.
//
// The tag keeps it out of every build: it is here so that go.mod requires what is built.

//go:build tool

package tool

import _ "go.etcd.io/etcd/server/v3"
