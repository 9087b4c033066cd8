package localaws

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The pinned packages, each with the hashes of its files, and the starter.
var (
	//go:embed requirements.txt
	requirements []byte
	//go:embed serve.py
	starter []byte
)

// ErrNoPython says that no Python that can run the server was found.
var ErrNoPython = errors.New("no Python 3.10 or newer with its venv module was found (Debian: apt install python3-venv)")

// CacheDir is where what is downloaded and built stays between runs:
// BUZON_CACHE, else "buzon" in the user's cache folder.
func CacheDir() (string, error) {
	if dir := os.Getenv("BUZON_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	return filepath.Join(dir, "buzon"), nil
}

// Install makes sure that the pinned server is in the cache, in a venv of its
// own, and gives the path of the Python in it. The folder's name holds a hash
// of the lock file, so another pin is another folder. What pip says goes to log.
func Install(ctx context.Context, log io.Writer) (python string, err error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(requirements)
	venv := filepath.Join(cache, "aws-"+hex.EncodeToString(sum[:6]))
	python = filepath.Join(venv, "bin", "python")
	if _, err := os.Stat(filepath.Join(venv, "complete")); err == nil && exec.CommandContext(ctx, python, "-c", "").Run() == nil {
		return python, nil
	}
	system, err := findPython(ctx)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("make the cache folder: %w", err)
	}
	// Made beside its place and renamed, so that what is there is whole; two at
	// once each make one, and the second gives way.
	made, err := os.MkdirTemp(cache, "aws-new-")
	if err != nil {
		return "", fmt.Errorf("make the cache folder: %w", err)
	}
	defer os.RemoveAll(made)
	lock := filepath.Join(made, "requirements.txt")
	if err := os.WriteFile(lock, requirements, 0o644); err != nil {
		return "", fmt.Errorf("write the lock file: %w", err)
	}
	steps := [][]string{
		{system, "-m", "venv", made},
		{filepath.Join(made, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
			"--require-hashes", "--only-binary=:all:", "-r", lock},
	}
	for i, step := range steps {
		cmd := exec.CommandContext(ctx, step[0], step[1:]...)
		var said strings.Builder
		cmd.Stdout, cmd.Stderr = io.MultiWriter(log, &said), io.MultiWriter(log, &said)
		if err := cmd.Run(); err != nil {
			if i == 0 && ctx.Err() == nil {
				return "", fmt.Errorf("%w: %s", ErrNoPython, strings.TrimSpace(said.String()))
			}
			return "", fmt.Errorf("install the local AWS: %w: %s", err, strings.TrimSpace(said.String()))
		}
	}
	if err := os.WriteFile(filepath.Join(made, "complete"), nil, 0o644); err != nil {
		return "", fmt.Errorf("mark the venv as complete: %w", err)
	}
	if err := os.Rename(made, venv); err != nil {
		if _, other := os.Stat(filepath.Join(venv, "complete")); other != nil {
			// Neither ours nor another's: an old one that no longer runs.
			if err := os.RemoveAll(venv); err != nil {
				return "", fmt.Errorf("remove a broken venv: %w", err)
			}
			if err := os.Rename(made, venv); err != nil {
				return "", fmt.Errorf("put the venv in its place: %w", err)
			}
		}
	}
	return python, nil
}

// findPython gives the first Python on the path that is new enough.
func findPython(ctx context.Context) (string, error) {
	for _, name := range []string{"python3", "python", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if exec.CommandContext(ctx, path, "-c", "import sys, venv; sys.exit(sys.version_info < (3, 10))").Run() == nil {
			return path, nil
		}
	}
	return "", ErrNoPython
}
