package journal

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"os"
	"strings"

	"go.etcd.io/bbolt"
)

// homeKey is the place of the [Home] in the meta bucket; a journal of before has none.
var homeKey = []byte("home")

// Home is who used the journal last, and where.
type Home struct {
	Command string // run or upload; "" where that is not known
	// Machine tells this machine from others without naming it; "" where nothing does. Hardware likewise, of what lies
	// below the system: a copy of a disk differs in it.
	Machine  string
	Hardware string
}

// Elsewhere says that a journal that was used at h is on another machine now: a copy of its disk, or a restored one.
// Where a system can be moved between machines by itself (it names none), the hardware says nothing.
func (h Home) Elsewhere(now Home) bool {
	if h.Machine == "" || now.Machine == "" {
		return false
	}
	return h.Machine != now.Machine || h.Hardware != "" && now.Hardware != "" && h.Hardware != now.Hardware
}

// What tells machines apart (machine-id(5), which asks not to show it; the hardware's as the kernel gives it to all).
var (
	machineFiles  = []string{"/etc/machine-id", "/var/lib/dbus/machine-id"}
	hardwareFiles = []string{"/sys/class/dmi/id/product_uuid", "/sys/class/dmi/id/board_asset_tag", "/sys/hypervisor/uuid"}
)

// Here is the home of this process.
func Here(command string) Home {
	return Home{Command: command, Machine: firstOf(machineFiles), Hardware: firstOf(hardwareFiles)}
}

// firstOf is a hash of the first file that says anything, or "".
func firstOf(paths []string) string {
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if text = bytes.TrimSpace(text); err != nil || len(text) < 8 {
			continue
		}
		mac := hmac.New(sha256.New, []byte("buzon journal"))
		mac.Write(text)
		return fmt.Sprintf("%x", mac.Sum(nil)[:16])
	}
	return ""
}

// Home is where the journal was used before this process moved in.
func (j *Journal) Home() Home { return j.home }

// Moved says that the journal was used on another machine before; a person may say that this is meant, by
// [Journal.ResetConflictGuard].
func (j *Journal) Moved() bool { return j.moved.Load() }

// MoveIn records who uses the journal now, and where. That it was used elsewhere before stays on record.
func (j *Journal) MoveIn(h Home) error {
	if j.home.Elsewhere(h) {
		j.moved.Store(true)
		h.Machine, h.Hardware = j.home.Machine, j.home.Hardware
	}
	return j.update(func(tx *bbolt.Tx) error { return putHome(tx, h) })
}

func putHome(tx *bbolt.Tx, h Home) error {
	return tx.Bucket(metaBucket).Put(homeKey, []byte(strings.Join([]string{h.Command, h.Machine, h.Hardware}, "\x00")))
}

// readHome reads who used the journal last.
func readHome(tx *bbolt.Tx) Home {
	parts := strings.Split(string(tx.Bucket(metaBucket).Get(homeKey)), "\x00")
	if len(parts) != 3 {
		return Home{}
	}
	return Home{Command: parts[0], Machine: parts[1], Hardware: parts[2]}
}

// stay makes this machine the journal's home: a person knows.
func (w *writer) stay() error { return putHome(w.tx, Here(readHome(w.tx).Command)) }
