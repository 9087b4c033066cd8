//go:build !linux

package outbox

import (
	"errors"
	"os"
)

func openBeneath(*os.File, string) (*os.File, File, error) { return nil, File{}, errors.ErrUnsupported }

func openNoLinks(path string) (*os.File, error) { return openStepwiseNoLinks(path) }
