// Package tool names what the harness builds from this module: a controller of the Gateway API.
//
// The tag keeps it out of every build: it is here so that go.mod requires what is built.

//go:build tool

package tool

import _ "github.com/projectcontour/contour/cmd/contour"
