package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
)

// apartFromGit refuses a place for a secret in a git work tree that doesn't
// ignore it, where the next commit could take it along. Without git to ask, a
// place in a work tree counts as not ignored.
func (k *keys) apartFromGit(file string) error {
	whole, err := filepath.Abs(file)
	if err != nil {
		return k.fault("make-file", "file", file, "error", err)
	}
	// The folder's own path, for a link may lead into a work tree.
	dir, err := filepath.EvalSymlinks(filepath.Dir(whole))
	if err != nil {
		return k.fault("make-file", "file", file, "error", err)
	}
	for top := dir; ; top = filepath.Dir(top) {
		if _, err := os.Lstat(filepath.Join(top, ".git")); err == nil {
			break
		} else if !errors.Is(err, os.ErrNotExist) {
			return k.fault("make-file", "file", file, "error", err)
		}
		if top == filepath.Dir(top) {
			return nil
		}
	}
	if exec.Command("git", "-C", dir, "check-ignore", "--quiet", filepath.Base(whole)).Run() == nil { //nolint:gosec // git itself, without a shell
		return nil
	}
	return k.fault("in-git", "file", file)
}
