//go:build !linux

package outbox

import (
	"errors"
	"os"
)

func openBeneath(*os.File, string) (*os.File, error) { return nil, errors.ErrUnsupported }
