//go:build !unix

package journal

import (
	"errors"
	"os"
)

// tryLock can't: nothing is sent from such a system.
func tryLock(*os.File, bool) error { return errors.ErrUnsupported }

func limited() bool { return false }
