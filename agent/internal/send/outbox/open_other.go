//go:build !linux

package outbox

import (
	"errors"
	"os"
)

func openBeneath(*os.File, string) (int, File, error) { return -1, File{}, errors.ErrUnsupported }
