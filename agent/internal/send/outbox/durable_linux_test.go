package outbox

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"buzon/scripts/load/baddisk"
)

// TestSettlingIsOnTheDisk sees every sync, and whether the original was still there: a copy and its folder are on the
// disk before the original goes, and what was taken away stays away.
func TestSettlingIsOnTheDisk(t *testing.T) {
	baddisk.Alone(t, func() {
		other, home := t.TempDir(), t.TempDir()
		baddisk.Mount(t, other, "8m")
		disk := baddisk.Watch(t)
		for _, c := range []struct {
			name, from, to string // to "" deletes
			want           []string
		}{
			{"delete", home, "", []string{"outbox/sub gone"}},
			{"move", home, home, []string{"sent/sub gone", "outbox/sub gone"}},
			{"move to another file system", other, home, []string{"a copy there", "sent/sub there", "sent/sub gone", "outbox/sub gone"}},
		} {
			o, dir := box(t, Options{Path: folderAt(t, c.from, c.name+"/outbox")})
			target := filepath.Join(c.to, c.name, "sent")
			write(t, dir, "sub/f", "x")
			was := sent(t, o, "sub/f")
			var mu sync.Mutex
			var synced []string
			disk.Answer(func(call baddisk.Call) syscall.Errno {
				name := strings.TrimPrefix(strings.TrimPrefix(call.Path, filepath.Join(c.to, c.name)+"/"), filepath.Join(c.from, c.name)+"/")
				if strings.Contains(name, asidePrefix) {
					name = "a copy"
				}
				left, err := os.ReadDir(filepath.Join(dir, "sub"))
				switch {
				case err != nil:
					name += " " + err.Error()
				case len(left) == 0:
					name += " gone"
				default:
					name += " there"
				}
				mu.Lock()
				defer mu.Unlock()
				synced = append(synced, name)
				return 0
			})
			if c.to == "" {
				must(t, o.Remove("sub/f", was))
			} else {
				must(t, os.MkdirAll(filepath.Join(target, "sub"), 0o755))
				must(t, o.Move("sub/f", was, target))
			}
			disk.Answer(nil)
			mu.Lock()
			if !slices.Equal(synced, c.want) {
				t.Errorf("%s: %q was synced, want %q", c.name, synced, c.want)
			}
			mu.Unlock()
		}
	})
}

// TestACopyThatDoesNotReachTheDiskLeavesTheFile: the disk fails once, with the copy and with its folder.
func TestACopyThatDoesNotReachTheDiskLeavesTheFile(t *testing.T) {
	baddisk.Alone(t, func() {
		source, target := t.TempDir(), filepath.Join(t.TempDir(), "sent")
		baddisk.Mount(t, source, "8m")
		disk := baddisk.Watch(t)
		o, dir := box(t, Options{Path: source})
		must(t, os.Mkdir(target, 0o755))
		write(t, dir, "f", "x")
		for _, fails := range []int{1, 2} {
			n := 0
			disk.Answer(func(baddisk.Call) syscall.Errno {
				if n++; n == fails {
					return syscall.EIO
				}
				return 0
			})
			err := o.Move("f", sent(t, o, "f"), target)
			disk.Answer(nil)
			if !errors.Is(err, syscall.EIO) {
				t.Errorf("sync %d fails: %v", fails, err)
			}
			expect(t, found(t, o), "f")
		}
	})
}

// folderAt makes a folder.
func folderAt(t *testing.T, elem ...string) string {
	t.Helper()
	path := filepath.Join(elem...)
	must(t, os.MkdirAll(path, 0o755))
	return path
}
