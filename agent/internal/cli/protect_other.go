//go:build !linux

package cli

// Protect does nothing elsewhere than on Linux.
func Protect() {}
