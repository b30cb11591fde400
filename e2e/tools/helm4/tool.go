// Package tool names what the harness builds from this module: Helm 4.
//
// The tag keeps it out of every build: it is here so that go.mod requires what is built.

//go:build tool

package tool

import _ "helm.sh/helm/v4/cmd/helm"
