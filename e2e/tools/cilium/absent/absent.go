// Package controllers stands for a module that cannot be had at the version Cilium names.
// Cilium's operator alone imports it, and the harness does not build that.
package controllers
