package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// tree makes a folder of files with random bytes, once. folders is how many the files are spread over; 0 puts them
// straight into it.
func (b *bench) tree(name string, files, folders int, size int64) (string, error) {
	dir := filepath.Join(b.work, "data", name)
	done := filepath.Join(b.work, "data", name+".done")
	if _, err := os.Stat(done); err == nil {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	fmt.Fprintf(os.Stderr, "bench: making %d files of %d bytes\n", files, size)
	// Random, so that nothing on the way compresses it; the same for every run.
	random := rand.NewChaCha8([32]byte{1})
	block := make([]byte, min(size, 1<<20))
	for i := range files {
		at := dir
		if folders > 0 {
			at = filepath.Join(dir, fmt.Sprintf("d%03d", i%folders))
		}
		if i < max(folders, 1) {
			if err := os.MkdirAll(at, 0o755); err != nil {
				return "", err
			}
		}
		f, err := os.Create(filepath.Join(at, fmt.Sprintf("f%07d", i)))
		if err != nil {
			return "", err
		}
		for left := size; left > 0; left -= int64(len(block)) {
			_, _ = random.Read(block) // never fails
			if _, err := f.Write(block[:min(left, int64(len(block)))]); err != nil {
				return "", err
			}
		}
		if err := f.Close(); err != nil {
			return "", err
		}
	}
	return dir, os.WriteFile(done, nil, 0o600)
}
